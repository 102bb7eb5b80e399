"""What is due in a window of a schedule: computed from plan and seed, not from what arrived. Pure."""

from __future__ import annotations

from itertools import count, takewhile
from typing import Protocol

from harness.base.ticks import NS
from harness.load.population.accounts import accounts, canaries, on_api
from harness.load.population.pacing import Pacing
from harness.load.population.probes import canary_of, offset_ns
from harness.load.population.schedule import doing_at, due_ns, operation_id, slots
from harness.model.evidence import NOTHING_DUE, Due, DueList, probe_call
from harness.model.scenario import PopulationPlan, ProbePlan
from harness.rules.ledger import Window


class Populated(Protocol):
    """A plan with users and probes."""

    @property
    def population(self) -> PopulationPlan: ...
    @property
    def probes(self) -> ProbePlan: ...


def due_list(scenario: Populated, seed: int, start_ns: int, end_ns: int, *, origin_ns: int | None = None) -> DueList:
    """What is due to the API in ``[start_ns, end_ns)`` of a schedule that began at ``origin_ns``, or begins with it."""
    origin_ns = start_ns if origin_ns is None else origin_ns
    requests = requests_due(scenario.population, seed, origin_ns, end_ns)
    to_api = on_api(scenario.population, seed)
    return DueList(
        requests=tuple(due for due in requests if due.user in to_api and due.due_ns >= start_ns),
        probes=probes_due(scenario.probes, seed, origin_ns, start_ns, end_ns),
    )


def due_within(plan: Populated, seed: int, origin_ns: int | None, start_ns: int, end_ns: int) -> DueList:
    """What is due in ``[start_ns, end_ns)`` of a load that began at ``origin_ns``; nothing before, nor without one."""
    if origin_ns is None:
        return NOTHING_DUE
    return due_list(plan, seed, max(start_ns, origin_ns), end_ns, origin_ns=origin_ns)


def requests_due(plan: PopulationPlan, seed: int, start_ns: int, end_ns: int) -> tuple[Due, ...]:
    """The same of every user's requests, to whichever side."""
    everybody = accounts(plan, seed)
    placed = slots(plan, everybody, seed)
    pacing = Pacing(plan)
    found: list[Due] = []
    for account in everybody:
        slot = placed[account.user]
        for number in count(slot.earlier):
            at_ns = start_ns + due_ns(pacing, slot, number)
            if at_ns >= end_ns:
                break
            name = operation_id(account.user, number)
            found.append(Due(id=name, user=account.user, due_ns=at_ns, operation=doing_at(slot, number).operation))
    return tuple(sorted(found, key=lambda due: (due.due_ns, due.id)))


def answered_by(window: Window, judged_ns: int, timeout_s: float, *, whole: bool) -> int:
    """Until when what was due in ``window`` must be in evidence as it is judged: to its end where it was held ``whole``
    and each answer awaited, else what was due so long before that it must have been answered."""
    awaited_ns = min(window.end_ns, judged_ns - round((timeout_s + 1) * NS))
    return window.end_ns if whole else max(window.start_ns, awaited_ns)


def stayers_due(
    plan: PopulationPlan, shares: PopulationPlan, seed: int, origin_ns: int, window: Window
) -> tuple[Due, ...]:
    """What users who by ``shares`` are not on the API have due in ``window``, by ``plan``, begun at ``origin_ns``."""
    due, moved = requests_due(plan, seed, origin_ns, window.end_ns), on_api(shares, seed)
    return tuple(each for each in due if each.user not in moved and each.due_ns >= window.start_ns)


def probes_due(plan: ProbePlan, seed: int, origin_ns: int, start_ns: int, end_ns: int) -> tuple[Due, ...]:
    """The probes that are due in ``[start_ns, end_ns)`` of a stream that began at ``origin_ns``; cheap at any time."""
    users = [canary.account.user for canary in canaries(plan, seed)]
    first = max(0, int((start_ns - origin_ns) * plan.rate_per_s / NS) - 1)
    due = ((number, origin_ns + offset_ns(plan, number)) for number in count(first))
    return tuple(
        Due(id=probe_call(number), user=users[canary_of(plan, number)], due_ns=due_ns)
        for number, due_ns in takewhile(lambda each: each[1] < end_ns, due)
        if due_ns >= start_ns
    )
