"""How the nights go: 30 made nights with two regressions and an unsteady experiment, as file, page, lines and states."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from night import brief, course, page, record
from night.course import Outcome, State
from night.record import EXPERIMENT, REHEARSAL, Entry, Record

from harness.report.language import ENGLISH, LANGUAGES, language

FIRST, NIGHTS = date(2026, 11, 2), 30
DAYS = [str(FIRST + timedelta(days=day)) for day in range(NIGHTS + 1) if day != 27]  # one day had no night
#: The nights in which each fails, by their places, and those in which it did not run.
FAILS = {
    "rollout_kind kind": range(24, NIGHTS), "pod_kill local": range(21, NIGHTS),
    "network_loss kind": (11, 18, 19, 25), "pod_cpu local": range(17, 21),
}  # fmt: skip
NOT_RUN = {"dr_restore local": (7, NIGHTS - 1)}
U13 = "." * 13
ROWS = ["dr_restore local", "flag_proof local", *FAILS, "pod_kill kind"]


def commit(number: int) -> str:
    """Of the night of that place; two nights have one commit."""
    return f"{number // 2 + 10}c0" * 10


def made(number: int) -> Record:
    """The night of that place."""
    rows = list[Entry]()
    for name, environment in map(str.split, ROWS):
        bad, missing = (number in where.get(f"{name} {environment}", ()) for where in (FAILS, NOT_RUN))
        kind = EXPERIMENT if name.startswith(("pod", "net")) else REHEARSAL
        rows.append(row := Entry(kind, name, environment, name, int(not (bad or missing)), int(bad), int(missing)))
        row.figures = [] if missing else [("recovered_s", 10.0 + number + 30 * bad, 40.0, "s")]
        if bad:
            row.reason = {"text": "{seen} may fail", "values": {"seen": "9 <b>"}}
            row.replay = f"python -m harness again {name} --seed {number}"
    url, verdict = f"https://github.example/run/{number}", "red" if any(not row.passed for row in rows) else "green"
    return Record(str(number), DAYS[number], commit(number), 100 + number, url, verdict, tuple(rows))


def thirty_nights(folder: Path) -> list[Record]:
    """The nights out of the file that is kept between jobs, and their pages, in the folder."""
    path = folder / record.FILE
    record.write(path, map(made, range(NIGHTS)))
    read, torn = record.read(path)
    assert [each.name for each in page.write(read, folder)] == ["nights.html", "nights.ja.html"]
    assert (len(read), torn) == (NIGHTS, 0)
    return read


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return thirty_nights(tmp_path_factory.mktemp("nights"))


def section(text: str, name: str) -> str:
    """What a page says in a section, without its markup."""
    [found] = re.findall(rf'<section id="{name}">(.*?)</section>', text, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", found).split())


def test_the_page_names_the_first_bad_night_and_commit_of_each_regression(nights: list[Record]) -> None:
    text = page.render(nights, ENGLISH)
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
    text = page.render(nights, ENGLISH)
    unsteady, mended = section(text, "unsteady"), section(text, "mended")
    assert f"network_loss · kind Unsteady since {DAYS[11]}, commit {commit(11)[:12]}: 3 of its last 13" in unsteady
    assert f"most lately on {DAYS[25]}" in unsteady and "--seed 25" in unsteady and unsteady.count("Unsteady") == 1
    assert f"It failed on {DAYS[20]} and is good again since {DAYS[21]}" in mended and "pod_cpu · local" in mended


def test_the_last_fourteen_nights_are_marks_and_what_was_not_run_is_a_gap(nights: list[Record]) -> None:
    text = page.render(nights, ENGLISH)
    lines = re.findall(r'<tr><th scope="row">(?:<a.*?>)?(.*?)(?:</a>)?</th><td>(.*?)</td>(.*?)</tr>', text, re.DOTALL)
    marks = {f"{name} {where}": re.findall(r'class="heard">(.*?)<', cells) for name, where, cells in lines}
    assert all(len(each) == 14 and each[10] == "not run" for each in marks.values())  # the day without a night
    assert marks["flag_proof local"].count("passed") == 13 and "passed" not in marks["the whole night "]
    assert marks["dr_restore local"][-2:] == ["passed", "not run"]
    assert marks["pod_kill local"] == ["passed"] * 4 + ["failed"] * 6 + ["not run"] + ["failed"] * 3
    assert [place for place, each in enumerate(marks["network_loss kind"]) if each == "unsteady"] == [1, 2, 8]
    assert "planned and not run in the newest night: dr_restore" in text


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_page_is_small_loads_nothing_and_leads_to_the_other(nights: list[Record], code: str) -> None:
    text = page.render(nights, language(code))
    assert len(text.encode()) < 60_000 and "<script" not in text and "default-src 'none'" in text
    assert not re.search(r"(?:src|srcset)=|url\((?!#)|@import", text)
    title, other = {"en": ("All nights", "nights.ja.html"), "ja": ("すべての夜間実行", "nights.html")}[code]
    assert f"<h1>{title}</h1>" in text and f'href="./{other}"' in text


def test_a_trend_breaks_where_nothing_was_measured_and_marks_bad_nights(nights: list[Record]) -> None:
    found, _ = course.rows(course.columns(nights))
    drawn = {row.what: page._drawn(row.trends[0], row, ENGLISH) for row in found if row.environment == "local"}
    assert drawn["flag_proof"]["line"].count("M") == 2  # the day without a night
    assert drawn["dr_restore"]["line"].count("M") == 3 and drawn["dr_restore"]["count"] == NIGHTS - 2
    assert drawn["pod_kill"]["dots"].count("h0") == 9 and drawn["pod_kill"]["limit"] == "40 s"


def test_the_issue_says_the_same_in_about_ten_lines(nights: list[Record]) -> None:
    found, _ = course.rows(course.columns(nights))
    lines = brief.text(found, nights[-1]).splitlines()
    assert len(lines) == 6 and lines[0].startswith(f"**red** on {DAYS[-1]}, commit `{commit(29)[:12]}`, seed 129: of 7")
    assert lines[0].endswith("2 fail, 1 are unsteady, 1 were not run.")
    assert f"**pod\\_kill** (local) fails since {DAYS[21]} (commit `{commit(21)[:12]}`), the first bad one" in lines[1]
    assert "(the same commit)" in lines[1] and "9 &lt;b&gt; may fail" in lines[1]
    assert lines[2].endswith("Replay: `python -m harness again rollout_kind --seed 29`")
    assert f"unsteady since {DAYS[11]}" in lines[3] and lines[4] == "- not run: dr\\_restore"
    assert len(brief.text(found * 20, nights[-1]).splitlines()) <= 11


@pytest.mark.parametrize(
    ("outcomes", "state", "since", "marks"),
    [
        ("....", State.STEADY, None, "...."), ("   ", State.UNSEEN, None, "   "),
        ("...F", State.FAILING, 3, "...F"), ("..F F", State.FAILING, 2, "..F F"), ("F" * 20, State.FAILING, 0, "F" * 20),
        (".F.", State.UNSTEADY, 1, ".u."), (".F..F", State.UNSTEADY, 1, ".u..u"), (".F.FFF", State.FAILING, 3, ".u.FFF"),
        (".FFF..", State.MENDED, None, ".FFF.."), (".FFF..F", State.FAILING, 6, ".FFF..F"),
        ("MMMM", State.UNSTEADY, 0, "uuuu"), ("mmmm", State.FAILING, 0, "FFFF"),
        (f".F{U13}", State.UNSTEADY, 1, f".u{U13}"), (f".F{U13}.", State.STEADY, None, f".u{U13}."),
        (f"F{U13}F{U13[1:]}F.", State.UNSTEADY, 0, f"u{U13}u{U13[1:]}u."), (f"F{U13}{U13}F.", State.UNSTEADY, 27, f"u{U13}{U13}u."),
    ],
)  # fmt: skip
def test_each_course_of_nights_has_its_state(outcomes: str, state: State, since: int | None, marks: str) -> None:
    """Of nights that passed (.), failed (F), did not run ( ), or in part passed: draws (M), and shards (m)."""
    nights = [replace(made(0), date=str(FIRST + timedelta(days=day))) for day in range(len(outcomes))]
    kind = REHEARSAL if "m" in outcomes else EXPERIMENT
    rows = [Entry(kind, "x", "local", "x", each in ".mM", each in "FmM", each == " ") for each in outcomes]
    columns = course.columns([replace(night, rows=(row,)) for night, row in zip(nights, rows, strict=True)])
    [[row], _] = course.rows(columns)
    assert (row.state, row.since) == (state, None if since is None else columns[since])
    signs = {Outcome.PASSED: ".", Outcome.FAILED: "F", Outcome.UNSTEADY: "u", Outcome.NOT_RUN: " "}
    assert "".join(signs[each] for each in row.outcomes) == marks


def test_the_file_keeps_sixty_nights_replaces_a_second_attempt_and_leaves_out_what_is_torn(tmp_path: Path) -> None:
    path, kept = tmp_path / record.FILE, list[Record]()
    for number in range(70):
        kept = record.kept(kept, replace(made(number % NIGHTS), run=str(number)))
    assert [each.run for each in kept] == [str(number) for number in range(10, 70)]
    kept = record.kept(kept, again := replace(kept[5], verdict="green"))
    assert len(kept) == 60 and kept[5] is again
    record.write(path, kept)
    assert record.read(path) == (kept, 0)
    path.write_text("{\n[]\n" + path.read_text()[:-40])
    assert record.read(path) == (kept[:-1], 3)
