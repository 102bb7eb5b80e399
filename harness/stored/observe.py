"""The stored rows once more through the ledger and today's judge, at the moment at which the run decided. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from harness.checks.flag_log import FlagLog
from harness.invariants import judged_reads
from harness.judge.judge import judge
from harness.judge.ledger import Ledger
from harness.judge.window import Window
from harness.model.due import DueList
from harness.model.errors import BadInput
from harness.model.evidence import Anchor, EventRow, ProbeRow, RequestRow, Row
from harness.model.message import Message
from harness.model.scenario import Scenario
from harness.model.verdict import CheckResult, CriterionResult, Decision
from harness.population.due import due_list
from harness.walk_results import READS

#: Where no window ever began: nothing is due in it.
EMPTY = Window(start_ns=0, end_ns=0)


@dataclass(frozen=True)
class Observed:
    """What the rows came to.

    ``window`` is the measured stretch: the plan's, ended by a roll back; ``EMPTY`` when none began. ``decided`` is the
    run's own decision event; ``results`` are today's verdicts on what had been gathered then, or, without a decision,
    on everything, as of the last answer. ``checks`` are those of the flag, likewise; what answers showed, judged again
    of what had been gathered when the run told it; and those of the stores as the run told them: the stores are gone.
    ``ledger`` holds all rows, also those after the decision.
    """

    ledger: Ledger
    window: Window
    planned: Window
    decided: Decision | None
    results: tuple[CriterionResult, ...]
    checks: tuple[CheckResult, ...]
    rows: dict[str, int]


class _Answers:
    """The rows of users and probes so far: what the check of reads needs, which is judged again of them."""

    def __init__(self, scenario: Scenario, anchor: Anchor) -> None:
        self._scenario, self._anchor = scenario, anchor
        self._requests: list[RequestRow] = []
        self._probes: list[ProbeRow] = []
        self._window: Mapping[str, object] = {}

    def add(self, row: RequestRow | ProbeRow) -> None:
        if isinstance(row, RequestRow):
            self._requests.append(row)
        else:
            self._probes.append(row)

    def drawn(self, window: EventRow) -> None:
        """Takes seed and bucket from the window's event."""
        self._window = window.data

    def again(self, check: CheckResult) -> CheckResult:
        """The check as it is judged now; one of the stores, or whose run does not say its seed, as it was told."""
        seed, bucket = self._window.get("seed"), self._window.get("bucket")
        if check.id != READS or not isinstance(seed, int) or not isinstance(bucket, str):
            return check
        return judged_reads(
            self._requests,
            self._probes,
            self._scenario,
            seed=seed,
            anchor_unix_ns=self._anchor.unix_ns,
            bucket=bucket,
        )


def observe(rows: Iterable[Row], scenario: Scenario, not_exercised: Mapping[str, Message], anchor: Anchor) -> Observed:
    """Feeds ``rows``, in the order in which the run appended them, to a fresh ledger and judges.

    Raises ``BadInput`` when the evidence does not say when its window was.
    """
    ledger, flag, counts = Ledger(), FlagLog(), Counter[str]()
    planned, last_ns = EMPTY, 0
    due: DueList | None = None
    decision: EventRow | None = None
    results: tuple[CriterionResult, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    told: list[CheckResult] = []
    answers = _Answers(scenario, anchor)
    judged = False
    for row in rows:
        counts[str(type(row).__struct_config__.tag)] += 1
        match row:
            case RequestRow() | ProbeRow():
                last_ns = max(last_ns, row.done_ns)
                answers.add(row)
            case EventRow(kind="phase", subject="window"):
                planned = _window(row)
                due = _due(row, scenario, planned)
                answers.drawn(row)
            case EventRow(kind="check"):
                told.append(answers.again(msgspec.convert(row.data, CheckResult)))
            case EventRow(kind="phase", subject="judged"):  # the load went on until it was ended for the checkers
                judged = True
                results = judge(scenario, ledger, planned, _judged_ns(row), due=due, not_exercised=not_exercised)
                checks = flag.results(scenario, _judged_ns(row))
            case EventRow(kind="decision") if decision is None:
                decision = row
                if not judged:
                    results = judge(scenario, ledger, planned, _judged_ns(row), due=due, not_exercised=not_exercised)
                    checks = flag.results(scenario, _judged_ns(row))
        ledger.add(row)
        flag.add(row)
    if decision is None and not judged:
        judged_ns = max(last_ns, planned.start_ns)
        results = judge(scenario, ledger, planned, judged_ns, due=due, not_exercised=not_exercised)
        checks = flag.results(scenario, judged_ns)
    decided = None if decision is None else Decision(decision.subject)
    window = planned
    if decision is not None and decided is Decision.ROLL_BACK:
        window = Window(start_ns=planned.start_ns, end_ns=min(planned.end_ns, decision.at_ns))
    return Observed(
        ledger=ledger,
        window=window,
        planned=planned,
        decided=decided,
        results=results,
        checks=(*checks, *told),
        rows=dict(sorted(counts.items())),
    )


def _window(row: EventRow) -> Window:
    start_ns, end_ns = row.data.get("start_ns"), row.data.get("end_ns")
    if not isinstance(start_ns, int) or not isinstance(end_ns, int):
        raise BadInput(
            "the evidence does not say when the window was",
            where='events, kind "phase", subject "window"',
            remedy="it was written by another harness; judge it with that one",
        )
    return Window(start_ns=start_ns, end_ns=end_ns)


def _due(row: EventRow, scenario: Scenario, window: Window) -> DueList | None:
    """What was due in the window; evidence of an older harness does not say its seed, and has the scenario's pace."""
    seed = row.data.get("seed")
    return due_list(scenario, seed, window.start_ns, window.end_ns) if isinstance(seed, int) else None


def _judged_ns(decision: EventRow) -> int:
    """When the judge was asked. Evidence that does not say it was judged an instant before the decision's event."""
    judged_ns = decision.data.get("judged_ns")
    return judged_ns if isinstance(judged_ns, int) else decision.at_ns
