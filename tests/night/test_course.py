"""How the nights go: 30 made nights with two regressions and an unsteady experiment, as file, page, lines and states."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

import pytest
from night import brief, course, page, record
from night.course import Outcome, State
from night.record import EXPERIMENT, REHEARSAL, Entry, Record

from harness.report.language import LANGUAGES, language

FIRST = date(2026, 11, 2)
REASON = {"text": "{seen} may fail", "values": {"seen": "9 <b>"}}
DAYS = [str(FIRST + timedelta(days=day)) for day in range(31) if day != 27]  # one day had no night
NIGHTS = 30
#: The places of the nights in which each fails.
FAILS = {
    ("rollout_kind", "kind"): range(24, NIGHTS),
    ("pod_kill", "local"): range(21, NIGHTS),
    ("network_loss", "kind"): (11, 18, 19, 25),
    ("pod_cpu", "local"): range(17, 21),
}
NOT_RUN = {("dr_restore", "local"): (7, NIGHTS - 1)}


def commit(number: int) -> str:
    """Of the night of that place; two nights have one commit."""
    return hashlib.sha1(str(number // 2).encode()).hexdigest()


def made(number: int) -> Record:
    """The night of that place."""
    rows = list[Entry]()
    for name in ("rollout_kind", "dr_restore", "flag_proof", "pod_kill", "network_loss", "pod_cpu"):
        for environment in ("local", "kind"):
            kind = REHEARSAL if name in ("rollout_kind", "dr_restore", "flag_proof") else EXPERIMENT
            if (kind == REHEARSAL) and environment != ("kind" if name.endswith("kind") else "local"):
                continue
            bad, missing = (number in where.get((name, environment), ()) for where in (FAILS, NOT_RUN))
            row = Entry(kind, name, environment, name, int(not (bad or missing)), int(bad), int(missing))
            if bad:
                row.reason, row.replay = REASON, f"python -m harness again {name} --seed {number}"
            if not missing:
                row.figures = [("recovered_s", 10.0 + number + 30 * bad, 40.0, "s")]
            rows.append(row)
    red = any(row.failed or row.missing for row in rows)
    url = f"https://github.example/run/{number}"
    return Record(str(number), DAYS[number], commit(number), 100 + number, url, "red" if red else "green", tuple(rows))


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """Thirty nights, out of the file that is kept between jobs."""
    path = tmp_path_factory.mktemp("nights") / record.FILE
    path.write_text("".join(json.dumps(asdict(made(number))) + "\n" for number in range(NIGHTS)))
    read, torn = record.read(path)
    assert (len(read), torn) == (NIGHTS, 0)
    return read


def section(text: str, name: str) -> str:
    """What a page says in a section, without its markup."""
    [found] = re.findall(rf'<section id="{name}">(.*?)</section>', text, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", found).split())


def test_the_page_names_the_first_bad_night_and_commit_of_each_regression(nights: list[Record]) -> None:
    text = page.render(nights, language("en"))
    failing = section(text, "failing")
    for name, first in (("pod_kill", 21), ("rollout_kind", 24)):
        said = failing[failing.index(name) :]
        assert f"First bad night: {DAYS[first]}, commit {commit(first)[:12]}." in said
        assert f"Last good night before it: {DAYS[first - 1]}, commit {commit(first - 1)[:12]}." in said
        assert f"python -m harness again {name} --seed {NIGHTS - 1}" in said
    assert failing.count("First bad night") == 2
    assert failing.count("git log --oneline") == failing.count("Both are of one commit") == 1
    assert "9 &lt;b&gt; may fail" in failing


def test_what_fails_now_and_then_is_unsteady_with_its_first_date_and_never_green(nights: list[Record]) -> None:
    unsteady = section(page.render(nights, language("en")), "unsteady")
    assert f"network_loss · kind Unsteady since {DAYS[11]}, commit {commit(11)[:12]}: 3 of its last 13" in unsteady
    assert f"most lately on {DAYS[25]}" in unsteady and "--seed 25" in unsteady and unsteady.count("Unsteady") == 1
    mended = section(page.render(nights, language("en")), "mended")
    assert f"It failed on {DAYS[20]} and is good again since {DAYS[21]}" in mended and "pod_cpu · local" in mended


def test_the_last_fourteen_nights_are_marks_and_what_was_not_run_is_a_gap(nights: list[Record]) -> None:
    text = page.render(nights, language("en"))
    marks = {
        (name, environment): re.findall(r'class="heard">(.*?)<', cells)
        for name, environment, cells in re.findall(r'<tr><th scope="row">(?:<a.*?>)?(.*?)(?:</a>)?</th><td>(.*?)</td>(.*?)</tr>', text, re.DOTALL)
    }  # fmt: skip
    gap = {27 - (31 - 14): "not run"}  # the day without a night
    assert all(len(each) == 14 and each[10] == "not run" for each in marks.values())
    assert marks["flag_proof", "local"] == [gap.get(place, "passed") for place in range(14)]
    assert marks["dr_restore", "local"][-1] == "not run" and marks["dr_restore", "local"][-2] == "passed"
    assert marks["pod_kill", "local"] == ["passed"] * 4 + ["failed"] * 6 + ["not run"] + ["failed"] * 3
    assert [place for place, each in enumerate(marks["network_loss", "kind"]) if each == "unsteady"] == [1, 2, 8]
    assert marks["the whole night", ""].count("passed") == 0
    assert "planned and not run in the newest night: dr_restore" in text


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_page_is_small_loads_nothing_and_leads_to_the_other(nights: list[Record], code: str, tmp_path: Path) -> None:
    text = page.render(nights, language(code))
    assert len(text.encode()) < 150_000 and "<script" not in text and "default-src 'none'" in text
    assert not re.search(r"(?:src|srcset)=|url\((?!#)|@import", text) and "<b>" not in text.replace(
        "<figcaption><b>", ""
    )
    assert [each.name for each in page.write(nights, tmp_path)] == ["nights.html", "nights.ja.html"]
    assert f'href="./{"nights.html" if code == "ja" else "nights.ja.html"}"' in text
    assert ("すべての夜間実行" if code == "ja" else "All nights") in text


def test_a_trend_breaks_where_nothing_was_measured_and_marks_bad_nights(nights: list[Record]) -> None:
    found, _ = course.rows(course.columns(nights))
    drawn = {
        row.key.name: page._drawn(row.trends[0], row, language("en")) for row in found if row.environment == "local"
    }
    assert drawn["flag_proof"]["line"].count("M") == 2  # the day without a night
    assert drawn["dr_restore"]["line"].count("M") == 3 and drawn["dr_restore"]["count"] == NIGHTS - 2
    assert drawn["pod_kill"]["dots"].count("h0") == 9 and drawn["pod_kill"]["limit"] == "40 s"


def test_the_issue_says_the_same_in_about_ten_lines(nights: list[Record]) -> None:
    found, _ = course.rows(course.columns(nights))
    lines = brief.text(found, nights[-1]).splitlines()
    assert len(lines) == 6 and lines[0].startswith(f"**red** on {DAYS[-1]}, commit `{commit(29)[:12]}`, seed 129: of 9")
    assert lines[0].endswith("2 fail, 1 are unsteady, 1 were not run.")
    assert f"**pod\\_kill** (local) fails since {DAYS[21]} (commit `{commit(21)[:12]}`), the first bad one" in lines[1]
    assert "(the same commit)" in lines[1] and "9 &lt;b&gt; may fail" in lines[1]
    assert lines[2].endswith("Replay: `python -m harness again rollout_kind --seed 29`")
    assert f"unsteady since {DAYS[11]}" in lines[3] and lines[4] == "- not run: dr\\_restore"
    many = [row for row in found if row.state is State.FAILING] * 20 + [
        row for row in found if row.state is State.UNSTEADY
    ] * 20
    assert len(brief.text(many, nights[-1]).splitlines()) <= 11


def standing(outcomes: str, kind: str = EXPERIMENT) -> course.Row:
    """Of nights that passed (.), failed (F), did both (M), or did not run ( ): the row."""
    nights = []
    for number, each in enumerate(outcomes):
        row = Entry(kind, "x", "local", "x", int(each in ".M"), int(each in "FM"), int(each == " "))
        nights.append(Record(str(number), str(FIRST + timedelta(days=number)), "c", 1, "", "red", (row,)))
    found, _ = course.rows(course.columns(nights))
    return found[0]


@pytest.mark.parametrize(
    ("outcomes", "state", "since", "marks"),
    [
        ("....", State.STEADY, None, "...."),
        ("   ", State.UNSEEN, None, "   "),
        ("...F", State.FAILING, 3, "...F"),
        ("..F F", State.FAILING, 2, "..F F"),
        ("F" * 20, State.FAILING, 0, "F" * 20),
        (".F.", State.UNSTEADY, 1, ".u."),
        (".F..F", State.UNSTEADY, 1, ".u..u"),
        (".F.FFF", State.FAILING, 3, ".u.FFF"),
        (".FFF..", State.MENDED, None, ".FFF.."),
        (".FFF..F", State.FAILING, 6, ".FFF..F"),
        ("MMMM", State.UNSTEADY, 0, "uuuu"),
        (".F" + "." * 13, State.UNSTEADY, 1, ".u" + "." * 13),
        (".F" + "." * 14, State.STEADY, None, ".u" + "." * 14),
        ("F" + "." * 10 + "F" + "." * 10 + "F..", State.UNSTEADY, 0, "u" + "." * 10 + "u" + "." * 10 + "u.."),
        ("F" + "." * 20 + "F..", State.UNSTEADY, 21, "u" + "." * 20 + "u.."),
    ],
)
def test_each_course_of_nights_has_its_state(outcomes: str, state: State, since: int | None, marks: str) -> None:
    row = standing(outcomes)
    assert row.state is state
    assert (row.since and row.since.date) == (None if since is None else str(FIRST + timedelta(days=since)))
    signs = {Outcome.PASSED: ".", Outcome.FAILED: "F", Outcome.UNSTEADY: "u", Outcome.NOT_RUN: " "}
    assert "".join(signs[each] for each in row.outcomes) == marks


def test_shards_that_fail_in_part_make_a_rehearsal_that_fails() -> None:
    assert standing("MMMM", REHEARSAL).state is State.FAILING


def test_the_file_keeps_sixty_nights_replaces_a_second_attempt_and_leaves_out_what_is_torn(tmp_path: Path) -> None:
    path = tmp_path / record.FILE
    known = [made(number % NIGHTS) for number in range(70)]
    known = [Record(**{**vars(each), "run": str(number)}) for number, each in enumerate(known)]
    kept = list[Record]()
    for each in known:
        kept = record.kept(kept, each)
    assert [each.run for each in kept] == [str(number) for number in range(10, 70)]
    again = Record(**{**vars(kept[5]), "verdict": "green"})
    kept = record.kept(kept, again)
    assert len(kept) == 60 and kept[5] is again
    record.write(path, kept)
    assert record.read(path) == (kept, 0) and path.stat().st_size < 250_000
    path.write_text("{\n[]\n" + path.read_text()[:-40])
    read, torn = record.read(path)
    assert (read, torn) == (kept[:-1], 3)
    assert record.read(tmp_path / "none") == ([], 0)
