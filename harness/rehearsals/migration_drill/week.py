"""Week 1 on what the drill made: its users sign in on the same stack, and those of the API find their moved walks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from harness.base.clock import NS
from harness.checks.told import locations_shown, of_walk, says_nothing, shown_short
from harness.judge.judge import judge
from harness.judge.window import Window
from harness.load.population.accounts import Account, accounts
from harness.load.users import Users, users_of
from harness.model.message import Message, message
from harness.model.scenario import Scenario
from harness.rehearsal.running import Running
from harness.rehearsals.migration_drill.types import DrillDetails, WeekSeen

_EXAMPLES = 5


async def week(scenario: Scenario, on: Running[DrillDetails], moved: Mapping[str, Sequence[tuple[str, int]]]) -> None:
    """A population of its own, whose evidence is kept apart: its users have the names of those who were there before,
    and by another seed walks of other ids.

    ``moved`` are walks by their owner, each with its number of locations; those of the owners whom the week has on the
    API are asked for. Raises ``PartDied`` and errors of the measurement.
    """
    seed = on.options.seed + 1
    users = Users(on, users_of(scenario, seed), apart="week1")
    start_ns = await users.begin()
    window = Window(start_ns=start_ns, end_ns=start_ns + round(scenario.window_s * NS))
    lasts = message("week 1 on what was moved, for {seconds} s", seconds=f"{scenario.window_s:g}")
    on.phase("week1", lasts, lasts_s=scenario.window_s)
    seen = await _asked(accounts(scenario.population, seed), on, moved)
    await on.clock.sleep(max(0, window.end_ns - on.clock.now_ns()) / NS)
    due = await users.answered(window)
    found = judge(scenario, users.evidence.ledger, window, on.clock.now_ns(), due=due)
    await users.stop()
    for failure in users.evidence.failures():
        raise failure
    on.details.week = msgspec.structs.replace(seen, criteria=found)
    on.mark("week1")


async def _asked(
    owners: Iterable[Account], on: Running[DrillDetails], moved: Mapping[str, Sequence[tuple[str, int]]]
) -> WeekSeen:
    """What owners of moved walks find of them at the API."""
    count, unread, wrong = 0, 0, list[Message]()
    for account in owners:
        if not account.flag_expected or account.user not in moved:
            continue
        token = await on.stores.sign_in(account)
        for walk_id, locations in moved[account.user]:
            count += 1
            answer = await on.stores.exchange("GET", f"/v1/walks/{walk_id}", token, b"")
            there = locations_shown(answer.status, answer.body)
            if says_nothing(answer.status):
                unread += 1
            elif there != locations:
                wrong.append(of_walk(walk_id, account.user, shown_short(answer.status, there, locations)))
    return WeekSeen(criteria=(), asked=count, wrong=len(wrong), unread=unread, examples=tuple(wrong[:_EXAMPLES]))
