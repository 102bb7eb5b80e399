"""Evidence and criteria in, verdicts out: the same for a window that still grows and for a stored run. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.model.evidence import DueList, Window
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.message import Message
from harness.model.scenario import Criterion, Scenario
from harness.rules.finding import CriterionFinding
from harness.rules.ledger import Ledger
from harness.rules.rollback import rollback
from harness.rules.sentences import asked
from harness.rules.success import success
from harness.rules.view import WindowView


def judge(
    scenario: Scenario,
    ledger: Ledger,
    window: Window,
    now_ns: int,
    *,
    due: DueList | None = None,
    not_exercised: Mapping[str, Message] = MappingProxyType({}),
    glance: bool = False,
) -> tuple[Judgement, ...]:
    """Every criterion of ``scenario``, in its order.

    Rows count by when they were due, in ``[window.start_ns, window.end_ns)``. Before ``now_ns`` reaches the window's
    end a success criterion is inconclusive, with the figures so far; a rollback limit may fire at any time.
    ``due`` is the schedule's own due list of the window; without one the scenario's pace says how many calls are due.
    A ``glance`` says which limits fired, and the figures; it does not compare what passed with the schedule.
    ``not_exercised`` maps a criterion's id to why the rung or the target cannot exercise it.
    Raises ``BadInput`` for a rollback limit that makes no sense (see ``rollback.smallest_sample``).
    """
    view = WindowView(scenario, ledger, window, now_ns, due, glance=glance)
    return tuple(judgement_on(criterion, _finding(criterion, view, not_exercised)) for criterion in scenario.criteria)


def _finding(criterion: Criterion, view: WindowView, not_exercised: Mapping[str, Message]) -> CriterionFinding:
    if criterion.id in not_exercised:
        return CriterionFinding(verdict=Verdict.NOT_EXERCISED, told=(not_exercised[criterion.id],))
    return rollback(criterion, view) if criterion.kind is Kind.ROLLBACK_LIMIT else success(criterion, view)


def judgement_on(criterion: Criterion, finding: CriterionFinding) -> Judgement:
    """What a criterion came to. One that the environment cannot exercise gates as well: nothing unproved may
    advance a week."""
    return Judgement(
        id=criterion.id,
        kind=criterion.kind,
        claim=criterion.claim,
        verdict=finding.verdict,
        asked=(asked(criterion),),
        told=finding.told,
        shown=finding.shown,
        value=finding.value,
        bound=finding.bound,
        limit=criterion.threshold,
        unit=criterion.unit,
        samples=finding.samples,
        fired_at_ns=finding.fired_at_ns,
    )
