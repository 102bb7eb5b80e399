"""What the judge sees at one moment: a scenario, a ledger, and the part of the window that has passed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from harness.base.ticks import NS
from harness.model.evidence import Due, DueList, EventRow, Side, Window
from harness.model.scenario import Criterion, Sample, Scenario
from harness.rules.figures import of_operation
from harness.rules.ledger import Calls, Ledger, of_step, on_time, those
from harness.rules.machine_share import crowded_share
from harness.rules.planned import MISSING, PlannedSample, optimistic
from harness.rules.silence import silent_s

#: Whose calls a measurement error concerns, by its event's subject; any other subject concerns everybody's.
CONCERNS = {
    "probes": frozenset({Sample.PROBES}),
    "load": frozenset({Sample.USERS}),
    "samples": frozenset[Sample](),  # a figure that no criterion reads is missing from the report, that is all
}


class WindowView:
    """Built for one judgement; every part is computed at most once and only when a criterion asks for it.

    ``due`` is the schedule's own due list of the whole window; without one, as many calls are due as the scenario's
    pace and rate say, and any that is in evidence is one of them. ``glance``: see ``criteria.judge``.
    """

    def __init__(
        self,
        scenario: Scenario,
        ledger: Ledger,
        window: Window,
        now_ns: int,
        due: DueList | None,
        *,
        glance: bool = False,
    ) -> None:
        self.scenario = scenario
        self.ledger = ledger
        self.glance = glance
        self._due = due
        self.whole = window
        self.to_go_ns = max(0, window.end_ns - now_ns)
        seen_until_ns = max(window.start_ns, min(now_ns, window.end_ns))
        #: The part of the window that has passed.
        self.window = Window(start_ns=window.start_ns, end_ns=seen_until_ns)

    @cached_property
    def requests(self) -> Calls:
        """Requests to the API, by due time."""
        return self.ledger.requests_due(self.window, Side.API, of=self.due_in_all)

    @property
    def due_in_all(self) -> int:
        """How many requests to the API are due in the whole window."""
        if self._due is not None:
            return len(self._due.requests)
        population = self.scenario.population
        return math.floor(round(population.flag_on * population.requests_in(self.whole.seconds), 6))

    @cached_property
    def probes(self) -> Calls:
        """Probes, by due time."""
        return self.ledger.probe_rows_due(self.window)

    @cached_property
    def silent_s(self) -> float | None:
        """How long the probe generator was silent, if it was for longer than a blackout."""
        return silent_s(self.probes, self.window, self.scenario.blackout_s, self.scenario.probes.timeout_s)

    @cached_property
    def crowded_share(self) -> float | None:
        """The share of the window in which others than the target kept the machine's processors waiting."""
        return crowded_share(self.ledger.samples, self.window)

    def calls(self, criterion: Criterion) -> Calls:
        """The sample of a criterion: users' requests (of its operation and step) and probes are never pooled."""
        return self._of(criterion, self.probes if criterion.asks is Sample.PROBES else self.requests)

    def late(self, criterion: Criterion) -> Calls:
        """The part of ``calls(criterion)`` that the generator did not send on time."""
        return self._of(criterion, self._by_lag(criterion.asks, late=True))

    def timely(self, criterion: Criterion) -> Calls:
        """The part of ``calls(criterion)`` that the generator sent on time."""
        return self._of(criterion, self._by_lag(criterion.asks, late=False))

    def pessimistic(self, criterion: Criterion) -> Calls:
        """What a pass of the criterion must rest on; see ``PlannedSample.pessimistic``."""
        return self._of(criterion, self.planned(criterion.asks).pessimistic)

    def sparing(self, criterion: Criterion) -> Calls:
        """What a fail of the criterion must stand against: what was sent on time, and the missing ``optimistic``."""
        proving = self.pessimistic(criterion)
        return np.concatenate([self.timely(criterion), optimistic(those(proving, proving["status"] == MISSING))])

    def planned(self, asks: Sample) -> PlannedSample:
        """The users' requests or the probes beside what is due in the part of the window that has passed."""
        return self._planned_probes if asks is Sample.PROBES else self._planned_requests

    def measurement_errors(self, asks: Sample) -> list[EventRow]:
        """The measurement errors that concern ``asks``, oldest first, while the window's answers were awaited."""
        until_ns = self.whole.end_ns + int(self.scenario.request_timeout_s * NS)
        errors = [
            error
            for error in self.ledger.measurement_errors
            if self.whole.start_ns <= error.at_ns < until_ns and asks in CONCERNS.get(error.subject, frozenset(Sample))
        ]
        return sorted(errors, key=lambda error: (error.at_ns, error.message))

    def _of(self, criterion: Criterion, rows: Calls) -> Calls:
        """Those of ``rows`` that the criterion is about. What is missing at a time not known may be of any step."""
        rows = of_operation(criterion, rows)
        if criterion.step_s is None:
            return rows
        step = of_step(self.window, self.scenario.population, criterion.step_s)
        within = (rows["due_ns"] >= step.start_ns) & (rows["due_ns"] < step.end_ns)
        if self._due is None:
            within |= rows["status"] == MISSING
        chosen: Calls = rows[within]
        return chosen

    @cached_property
    def _planned_requests(self) -> PlannedSample:
        population = self.scenario.population
        expected = population.flag_on * population.requests_in(self.window.seconds)
        return self._plan(self.requests, None if self._due is None else self._due.requests, expected)

    @cached_property
    def _planned_probes(self) -> PlannedSample:
        expected = self.scenario.probes.rate_per_s * self.window.seconds
        return self._plan(self.probes, None if self._due is None else self._due.probes, expected)

    def _plan(self, calls: Calls, due: Sequence[Due] | None, expected: float) -> PlannedSample:
        start_ns, end_ns = self.window.start_ns, self.window.end_ns
        return PlannedSample(
            calls,
            None if due is None else [each for each in due if start_ns <= each.due_ns < end_ns],
            count=math.floor(round(expected, 6)),
            start_ns=start_ns,
            numbers=self.ledger.calls,
            users=self.ledger.users,
        )

    def _by_lag(self, asks: Sample, *, late: bool) -> Calls:
        rows = self.ledger.probes if asks is Sample.PROBES else self.ledger.requests
        due = (rows["due_ns"] >= self.window.start_ns) & (rows["due_ns"] < self.window.end_ns) & rows["api"]
        calls = self.probes if asks is Sample.PROBES else self.requests  # the same, as they count
        chosen: Calls = calls[np.logical_xor(on_time(rows)[due], late)]
        return chosen
