"""summary.md: how it ended first, everything in it, nothing of the evidence taken for markup."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from harness.model.judgement import Decision, Verdict
from harness.model.message import message, raw_text
from harness.model.result import Result
from harness.model.section import Row, Table
from harness.report.html import summary
from harness.report.language import language
from harness.report.markdown import code, plain
from tests.register import REGISTER
from tests.report import results
from tests.report.results import NASTY, judgement, result


def text(run: Result) -> str:
    return summary(run, REGISTER)


@pytest.mark.parametrize(
    ("make", "word"),
    [(results.advanced, "Advance"), (results.rolled_back, "Roll back"), (results.everything, "Not all")],
)
def test_how_it_ended_and_the_replay_come_first(make: Callable[[], Result], word: str) -> None:
    run = make()
    told = text(run)
    assert word in told.splitlines()[0]
    assert told.index(run.facts.replay) < told.index("### ")
    for each in run.judgements:
        folded = each.part == "contract"
        assert (plain(each.id) in told) is not folded or each.erratum
    assert "bundled as a reference; not the Go backend" in told


def test_every_row_of_a_table_has_the_columns_of_its_head() -> None:
    blocks = re.split(r"\n\n", text(results.everything(title=message("a | b"))))
    tables = [block.splitlines() for block in blocks if block.startswith("|")]
    assert len(tables) == 8
    for lines in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1


def test_sections_are_there_and_a_picture_is_said_in_words() -> None:
    told = text(results.everything())
    for said in (
        "✗ **refused** | step 2<br>the first line<br>the second line | 7 | 12 users |", "Counted from the beginning.",
        "kubectl get pods", "Two pods carry twice what one does.", "Latency, API: In words: Latency, API.",
        "25 passed", "Machine: a laptop", "[r-week1](./r-week1/report.html)", "Risks of the folder", "a risk (deployment.yaml:3)",
    ):  # fmt: skip
        assert said in told, said


def test_a_run_that_broke_says_so() -> None:
    told = text(result(None, errors=("PostgreSQL ended\n  to do: look at its log",), leaks=("process 4711",)))
    assert told.startswith("## ? No decision")
    assert "PostgreSQL ended" in told
    assert "process 4711" in told
    assert "Nothing of the run was left" not in told
    assert "Nothing of the run was left" in text(results.advanced())


def test_not_exercised_is_listed_by_its_reason() -> None:
    lacking = (message("the environment lacks zones"),)
    run = result(
        Decision.HOLD, *(judgement(Verdict.NOT_EXERCISED, id=name, told=lacking, asked=()) for name in ("one", "two"))
    )
    assert "- one, two: the environment lacks zones" in text(run).split("### Not exercised")[1]
    assert "Whatever the run judges was exercised" in text(result(Decision.ADVANCE, judgement(Verdict.PASS)))


def test_long_tables_are_cut_and_counted() -> None:
    rows = tuple(Row(cells=(str(number),)) for number in range(130))
    table = Table(title=message("many"), heads=(message("n"),), rows=rows)
    told = text(result(Decision.HOLD, sections=(table,)))
    assert "and 70 more rows" in told
    assert "| 59 |" in told and "| 60 |" not in told


def test_evidence_is_never_markup() -> None:
    from tests.report.test_html import nasty

    told = text(nasty()).replace(code(NASTY), "")  # a fence holds it as it is
    assert "<script>" not in told
    assert "<img" not in told
    assert code("a ``` b").startswith("````")
    title = text(result(Decision.HOLD, title=raw_text(NASTY)))
    assert "<script>" not in title


def test_it_speaks_the_language_it_is_asked_for() -> None:
    told = summary(results.rolled_back(), REGISTER, language("ja"))
    assert "ロールバック" in told.splitlines()[0]
    assert "成功基準" in told
