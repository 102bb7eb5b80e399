"""The toy is as small as the recipe of ARCHITECTURE.md says, and its rules say what its facts mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.model.evidence import Outcome, ProbeRow, Window
from harness.model.judgement import Verdict
from tests.other_document.test_page import ON_LOCAL
from tests.rehearsal.made import by_id, seen
from tests.rehearsal.toy import actions
from tests.rehearsal.toy.plan import ToyDetails, ToyPlan

FOLDER = Path(actions.__file__).parent
NEW = [*FOLDER.glob("*.*"), *actions.REHEARSAL.rule_files]
PASS, FAIL, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
MS = 1_000_000


def test_it_is_five_files_and_300_lines() -> None:
    """Two more are edited: the registry, and a chapter of the register."""
    assert len(NEW) == 5 and len(ON_LOCAL) == 5
    assert sum(len(path.read_text("utf-8").splitlines()) for path in NEW) <= 300


def probe(number: int, *, pod: str, took_ms: float = 0.5, outcome: Outcome = Outcome.OK) -> ProbeRow:
    due_ns = number * MS
    return ProbeRow(
        probe_id=number, user="u", method="GET", due_ns=due_ns, sent_ns=due_ns, done_ns=due_ns + round(took_ms * MS),
        status=200, outcome=outcome, pod=pod,
    )  # fmt: skip


BOTH = [probe(number, pod=f"pod-{number % 2}") for number in range(40)]


@pytest.mark.parametrize(
    ("probes", "due", "answers", "every_pod", "at_once"),
    [
        (BOTH, 40, PASS, PASS, PASS),
        (BOTH, 41, OPEN, PASS, OPEN),  # one is not in evidence: it may have failed, or been slow
        (BOTH[1:], 39, OPEN, PASS, PASS),  # fewer than the plan asks for
        ([*BOTH[1:], probe(0, pod="", outcome=Outcome.TIMEOUT)], 40, FAIL, PASS, PASS),
        ([probe(number, pod="pod-0") for number in range(40)], 40, PASS, FAIL, PASS),
        ([*BOTH[1:], probe(0, pod="pod-0", took_ms=2)], 40, PASS, PASS, FAIL),
        ([], 40, OPEN, OPEN, OPEN),
    ],
)
def test_what_its_facts_mean(
    probes: list[ProbeRow], due: int, answers: Verdict, every_pod: Verdict, at_once: Verdict
) -> None:
    details = ToyDetails(window=Window(start_ns=0, end_ns=1000 * MS), due=due)
    found = by_id(actions.REHEARSAL.by_rules(ToyPlan(), seen(details, probes)))
    assert {name.partition(".")[2]: each.verdict for name, each in found.items()} == {
        "answers": answers,
        "every_pod": every_pod,
        "at_once": at_once,
    }


def test_of_a_run_that_did_not_come_to_its_end_nothing_is_said() -> None:
    assert [*actions.REHEARSAL.by_rules(ToyPlan(), seen(ToyDetails(), BOTH))] == []
