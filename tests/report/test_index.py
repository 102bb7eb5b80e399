"""The memory of runs: the history, what is made again of it, and the index in bytes and in both languages."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.base.errors import EvidenceNotWritten
from harness.base.units import Unit
from harness.model.judgement import Decision, Verdict
from harness.model.message import message, raw_text
from harness.model.result import MeasuredFact, Result
from harness.model.stack import EnvironmentKind
from harness.report.history import HISTORY_JSONL, MOST_FACTS, HistoryFact, HistoryLine, first_reason, line_of
from harness.report.index import MOST_BYTES, recalled, remember, render
from harness.report.language import LANGUAGES, language
from harness.report.published import RESULT
from tests.report.results import NASTY, judgement, result

REASON = message("{what}: {why}", what=message("availability > {limit}", limit="99.5 %"), why=raw_text("why"))
MOMENTS = [
    f"2026-10-{day:02d}T{hour:02d}:{minute:02d}" for day in range(1, 29) for hour in range(24) for minute in (0, 30)
]
ENDS = [(Decision.ADVANCE, 0)] * 8 + [(Decision.HOLD, 10), (Decision.ROLL_BACK, 20), (None, 31), (None, None)]


def synthetic(runs: int, facts: int = 40) -> list[HistoryLine]:
    """Runs of eight plans in three environments, each fact with its own figure, half of them with a limit."""
    dice, found = random.Random(1), list[HistoryLine]()
    for number, moment in enumerate(MOMENTS[:runs]):
        plan, (decision, status) = f"plan{dice.randrange(8)}", dice.choice(ENDS)
        figures = (
            HistoryFact(
                f"part{at % 3}: {plan}.figure{at}_ms",
                dice.random() * 10**4,
                500.0 if at % 2 else None,
                Unit.MILLISECONDS,
            )
            for at in range(facts)
        )
        reason = None if status == 0 else message("{number}: {why}", number=str(number), why=REASON)
        found.append(
            HistoryLine(
                run=f"run-{number}", rehearsal=plan, plan=plan, environment=[*EnvironmentKind][number % 3], target="api",
                digest=f"sha256:{number % 9:064x}", started_utc=moment, decision=decision, exit_status=status,
                reason=reason, facts=tuple(figures),
            )
        )  # fmt: skip
    return found


def stored(reports: Path, number: int, made: Result | None = None) -> tuple[Path, Result]:
    """A run's folder with its result alone."""
    folder = reports / f"2026100{number}T000000Z-run"
    folder.mkdir(parents=True)
    run = made or result(Decision.ADVANCE, judgement(Verdict.PASS), run_id=folder.name)
    RESULT.write(folder, run)
    return folder, run


def lines(reports: Path) -> list[str]:
    return [json.loads(line)["run"][:8] for line in (reports / HISTORY_JSONL).read_text().splitlines()]


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (result(Decision.ADVANCE, judgement(Verdict.PASS)), "None"),
        (result(Decision.HOLD, judgement(Verdict.PASS), judgement(Verdict.FAIL)), "availability > 99.5 %: the reason given"),
        (result(None, judgement(Verdict.FAIL), errors=("PostgreSQL ended\n  where: here",)), "PostgreSQL ended"),
        (result(Decision.ADVANCE, judgement(Verdict.PASS), leaks=("port 5432",)), "left on the machine: port 5432"),
    ],
)  # fmt: skip
def test_a_line_has_the_first_reason(run: Result, reason: str) -> None:
    assert str(first_reason(run)) == reason
    assert line_of("x", run).decision is run.decision


def test_a_line_has_the_facts_with_their_limits_first() -> None:
    facts = [MeasuredFact(name=f"f{n}", case="c", seen=float(n), told=(REASON,)) for n in range(MOST_FACTS)]
    facts += [
        MeasuredFact(name="g_ms", part="p", seen=1.0, limit=2.0, unit=Unit.MILLISECONDS, told=(REASON,)),
        MeasuredFact(name="h", told=(REASON,)),
    ]
    found = line_of("x", result(Decision.ADVANCE, judgement(Verdict.PASS), measured=tuple(facts))).facts
    assert found[:2] == (HistoryFact("p: g_ms", 1.0, 2.0, Unit.MILLISECONDS), HistoryFact("c: f0", 0.0))
    assert len(found) == MOST_FACTS


def test_a_run_is_remembered_once_and_a_later_word_counts(tmp_path: Path) -> None:
    for number in (1, 2, 1):
        folder = tmp_path / f"2026100{number}T000000Z-run"
        folder.is_dir() or stored(tmp_path, number)
        remember(folder, RESULT.read(folder / "result.json"))
    assert lines(tmp_path) == ["20261002", "20261001"]
    assert [line.run[:8] for line in recalled(tmp_path)] == ["20261001", "20261002"]
    assert {path.name for path in tmp_path.glob("*.html")} == {"index.html", "index.ja.html"}


def test_a_run_of_a_sequence_is_in_the_same_history(tmp_path: Path) -> None:
    folder, run = stored(tmp_path, 1)
    within, _ = stored(folder, 2)
    remember(within, run)
    assert [line.run for line in recalled(tmp_path)] == [folder.name, f"{folder.name}/{within.name}"]


@pytest.mark.parametrize("left", [None, b'{"run": "torn', b"[" * 100_000, b"\xff\n"])
def test_what_is_torn_or_gone_is_made_again_of_the_folders(tmp_path: Path, left: bytes | None) -> None:
    for number in (1, 2):
        remember(*stored(tmp_path, number))
    whole = (tmp_path / HISTORY_JSONL).read_bytes()
    if left is None:
        (tmp_path / HISTORY_JSONL).unlink()
    else:
        (tmp_path / HISTORY_JSONL).write_bytes(whole.splitlines(keepends=True)[0] + left)
    again = stored(tmp_path, 3)
    (recalled if left else lambda reports: remember(*again))(tmp_path)
    assert lines(tmp_path) == ["20261001", "20261002", "20261003"]


def test_a_folder_that_went_goes_and_one_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    for number in (1, 2):
        remember(*stored(tmp_path, number))
    (tmp_path / "20261001T000000Z-run" / "result.json").unlink()
    (tmp_path / "20261002T000000Z-run" / "result.json").touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "result.json").write_text("{}")
    assert [line.run[:8] for line in recalled(tmp_path)] == ["20261002"] == lines(tmp_path)
    assert recalled(tmp_path / "nowhere") == [] and not (tmp_path / "nowhere").exists()


def test_runs_that_end_at_once_are_all_remembered(tmp_path: Path) -> None:
    made = [stored(tmp_path, number) for number in range(1, 9)]
    threads = [threading.Thread(target=remember, args=each) for each in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(lines(tmp_path)) == [folder.name[:8] for folder, _ in made]


def test_a_folder_that_refuses_is_told() -> None:
    with pytest.raises(EvidenceNotWritten):
        remember(Path("/sys/kernel/run"), result(Decision.ADVANCE, judgement(Verdict.PASS)))


@pytest.fixture(params=LANGUAGES)
def page(request: pytest.FixtureRequest) -> Iterator[str]:
    yield render(synthetic(1000), language(request.param))


def test_a_thousand_runs_are_below_two_megabytes_and_nothing_is_loaded(page: str) -> None:
    assert len(page.encode()) < 700_000
    data = json.loads(re.search('id="data">(.*?)</script>', page)[1])  # type: ignore[index]
    assert len(data["runs"]) == 1000 and data["runs"][0][0] == "run-999"
    drawn = page.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|//[a-z]+\.|url\((?!#)|@import|\bfetch\b|\beval\b", drawn)
    assert "default-src 'none'" in page and page.count("<script>") == 1


def test_more_than_the_page_holds_is_left_out_and_told() -> None:
    found = render(synthetic(1000, facts=600), language("en"))
    assert len(found.encode()) < MOST_BYTES and re.search("The oldest [0-9]+ are too many for this page", found)


def test_what_evidence_holds_is_no_markup() -> None:
    [line] = synthetic(1)
    page = render(
        [
            HistoryLine(
                **{**{f: getattr(line, f) for f in line.__struct_fields__}, "plan": NASTY, "reason": raw_text(NASTY)}
            )
        ],
        language("en"),
    )
    assert "<script>alert" not in page and "<img" not in page


def test_both_languages_lead_to_each_other() -> None:
    assert 'href="./index.ja.html"' in render([], language("en"))
    assert 'href="./index.html"' in render([], language("ja")) and "すべての実行" in render([], language("ja"))
