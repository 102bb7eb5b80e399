"""summary.md: the decision first, everything in it, nothing of the evidence taken for markup."""

from __future__ import annotations

import re

import pytest

from harness.model.evidence import Row
from harness.model.run import Run, SwitchOver
from harness.model.verdict import Decision, Verdict
from harness.report.summary import code, plain, summary
from tests.report.runs import NASTY, PLAIN, decided, result


@pytest.mark.parametrize(("name", "word"), [("healthy", "Advance"), ("rolled_back", "Roll back")])
def test_decision_and_replay_come_first(name: str, word: str, request: pytest.FixtureRequest) -> None:
    run, _ = request.getfixturevalue(name)
    text = summary(run)
    assert word in text.splitlines()[0]
    assert text.index(run.replay) < text.index("### Criteria")
    for criterion in run.criteria:
        assert plain(criterion.id) in text
        assert plain(criterion.reason) in text
    assert "bundled as a reference; not the Go backend" in text


def test_every_row_of_a_table_has_the_columns_of_its_head(rolled_back: tuple[Run, list[Row]]) -> None:
    blocks = re.split(r"\n\n", summary(rolled_back[0]))
    tables = [block.splitlines() for block in blocks if block.startswith("|")]
    assert len(tables) == 3
    for lines in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1


def test_a_run_that_broke_says_so() -> None:
    text = summary(decided(None, errors=("PostgreSQL ended\n  to do: look at its log",), leaks=("process 4711",)))
    assert text.startswith("## ? No decision")
    assert "PostgreSQL ended" in text
    assert "process 4711" in text
    assert "Nothing of the run was left" not in text
    assert "Nothing of the run was left" in summary(PLAIN)


def test_not_exercised_is_listed_with_its_reason_and_so_is_a_claim_without_a_criterion() -> None:
    run = decided(
        Decision.HOLD, result(Verdict.NOT_EXERCISED, reason="the environment lacks zones"), claims=("a.claim",)
    )
    listed = summary(run).split("### Not exercised")[1]
    assert "the environment lacks zones" in listed
    assert "a.claim: no criterion" in listed


def test_late_clients_are_named() -> None:
    switch = SwitchOver(clients=2, switched=1, last_s=12.3, limit_s=300, late_users=("u0001",))
    assert "1 of 2 clients" in summary(decided(Decision.ROLL_BACK, switch_over=switch))
    assert "u0001" in summary(decided(Decision.ROLL_BACK, switch_over=switch))
    nobody = SwitchOver(clients=2, switched=0, last_s=None, limit_s=300, late_users=("u0001", "u0002"))
    assert "0 of 2 clients" in summary(decided(Decision.ROLL_BACK, switch_over=nobody))


def test_evidence_is_never_markup() -> None:
    text = summary(decided(Decision.HOLD, result(Verdict.FAIL, reason=NASTY), title=NASTY, faults=(NASTY,)))
    assert "<script>" not in text
    assert "<img" not in text
    assert code("a ``` b").startswith("````")
