"""One fetch interval on real parts: real phones, the real Remote Config emulator, API and Firestore; times scaled.

One load process, the flag off, then on, then off again; some phones lose their network around each publish. Judged
are the switch of every client against the rule's bound, and every walk against what its phone had recorded.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from harness.base.clock import NS
from harness.base.planfile import RuleError, typed
from harness.checks.walk_continuity import Points, continuity, recorded_points, together
from harness.load.plan import Offline
from harness.load.population.accounts import accounts
from harness.load.population.schedule import Planned, slots, user_schedule
from harness.load.population.walk import Location, WalkUpdate
from harness.load.users import Users, UsersPlan
from harness.model.evidence import Operation, RequestRow, Side
from harness.model.message import message
from harness.model.scenario import MOST_DURATION_S, AudiencePlan, PopulationPlan, ProbePlan
from harness.rehearsal.running import Running
from harness.rehearsals.flag_proof.sides import Documents, NotAsPromised, rows
from harness.rehearsals.flag_proof.types import Direction, FetchCase, FlagPlan, FlagProofDetails, Switch, WalksHeld
from harness.rehearsals.flag_proof.virtual import bound_s, interval_word

_SLACK_S = 2.0  # a busy machine's, over the rule's bound
_SETTLE_PACES = 3


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """When things happen, in seconds from the origin; times are scaled."""

    pace_s: float
    interval_s: float
    offline_s: float
    on_s: float
    off_s: float
    end_s: float
    bound_s: float


def course(plan: FlagPlan, case: FetchCase) -> Course:
    """The course of a case: each publish is followed by the bound of those without network, and two requests."""
    scale = plan.real.scale
    pace_s, interval_s = plan.pace_s / scale, case.fetch_interval_s / scale
    offline_s = max((kind.offline_s for kind in plan.kinds), default=0.0) / scale
    bound = bound_s(interval_s=interval_s, pace_s=pace_s, offline_s=offline_s) + _SLACK_S
    on_s = _SETTLE_PACES * pace_s
    off_s = on_s + bound + 2 * pace_s
    return Course(
        pace_s=pace_s,
        interval_s=interval_s,
        offline_s=offline_s,
        on_s=on_s,
        off_s=off_s,
        end_s=off_s + bound + 2 * pace_s,
        bound_s=bound,
    )


def must_fit(plan: FlagPlan, case: FetchCase) -> None:
    """Raises ``BadInput`` for a case whose scaled times no load can keep."""
    times = course(plan, case)
    with typed("real.scale", message("plan {name}", name=plan.name)):
        _users_plan(plan, times, 0)
        if times.end_s > MOST_DURATION_S:
            given = {"seconds": f"{times.end_s:.0f}", "most": f"{MOST_DURATION_S:g}"}
            raise RuleError(message("a case takes {seconds} s, and a load lasts at most {most} s", **given), "scale")


class RealCase:
    """One interval: its users' evidence is kept apart, for each case has users of the same names."""

    def __init__(self, plan: FlagPlan, case: FetchCase, on: Running[FlagProofDetails]) -> None:
        self._on = on
        self._course = course(plan, case)
        self._name = interval_word(case.fetch_interval_s)
        self._plan = _users_plan(plan, self._course, on.options.seed)

    async def run(self) -> tuple[list[Switch], WalksHeld]:
        """The switches of both directions, and the walks."""
        users = Users(self._on, self._plan, apart=f"flag-{self._name}")
        await users.set_flag(on=False)
        await users.admit()
        origin_ns = await users.go()
        await self._until(origin_ns, self._course.on_s)
        on_ns = await users.set_flag(on=True)
        await self._until(origin_ns, self._course.off_s)
        off_ns = await users.set_flag(on=False)
        await self._until(origin_ns, self._course.end_s)
        await users.stop()
        for failure in users.evidence.failures():
            raise failure
        seen = users.evidence.requests
        offline = {each.user for each in self._plan.offline}
        everybody = [account.user for account in accounts(self._plan.population, self._plan.seed)]
        groups = {"open": [user for user in everybody if user not in offline], "offline": sorted(offline)}
        turned_on = switches((row for row in seen if on_ns <= row.sent_ns < off_ns), on_ns, Side.API)
        turned_off = switches((row for row in seen if row.sent_ns >= off_ns), off_ns, Side.FIRESTORE)
        turned = [
            *self._switches(turned_on, groups, Direction.OFF_TO_ON),
            *self._switches(turned_off, groups, Direction.ON_TO_OFF),
        ]
        return turned, await self._walks(seen)

    def _switches(
        self, took_s: Mapping[str, float], groups: Mapping[str, Sequence[str]], direction: Direction
    ) -> list[Switch]:
        found = []
        for kind, chosen in groups.items():
            if not chosen:
                continue
            gap_s = self._course.offline_s if kind == "offline" else 0.0
            bound = bound_s(interval_s=self._course.interval_s, pace_s=self._course.pace_s, offline_s=gap_s)
            took = [took_s[user] for user in chosen if user in took_s]
            found.append(
                Switch(
                    id=f"real.{self._name}.{kind}.{direction}",
                    mode="real",
                    clients=len(chosen),
                    switched=len(took),
                    last_s=max(took, default=None),
                    bound_s=bound + _SLACK_S,
                    limit_s=None,
                )
            )
        return found

    async def _walks(self, seen: Sequence[RequestRow]) -> WalksHeld:
        name, clients = f"real.{self._name}.walks", self._plan.population.users
        recorded = recorded_walks(self._plan, seen, self._on.clock.anchor.unix_ns)
        endpoints = self._on.stack.endpoints()
        documents = Documents(endpoints.firestore, endpoints.project_id)
        try:
            found = continuity(recorded, together(await rows(endpoints, recorded), await documents.points(recorded)))
        except NotAsPromised as error:
            return WalksHeld(id=name, clients=clients, wrong=(error.told,))
        finally:
            documents.close()
        both = len({row.walk_id for row in seen if row.side is Side.API} & set(recorded))
        return WalksHeld(id=name, clients=clients, found=found, both=both)

    async def _until(self, origin_ns: int, at_s: float) -> None:
        clock = self._on.clock
        await clock.sleep(max(0, origin_ns + round(at_s * NS) - clock.now_ns()) / NS)


def _users_plan(plan: FlagPlan, times: Course, seed: int) -> UsersPlan:
    """All are on the API once the flag is on; the last of them lose their network around each publish."""
    everybody = AudiencePlan(name="all", users=plan.real.clients, flag_on=plan.real.clients)
    population = PopulationPlan(audiences=(everybody,), pace_s=times.pace_s, fetch_interval_s=times.interval_s)
    half_s = times.offline_s / 2
    return UsersPlan(
        population=population,
        probes=ProbePlan(rate_per_s=0.5),
        seed=seed,
        offline=tuple(
            Offline(user=account.user, from_s=at_s - half_s, to_s=at_s + half_s)
            for account in accounts(population, seed)[::-1][: plan.real.offline]
            for at_s in (times.on_s, times.off_s)
        ),
    )


def switches(seen: Iterable[RequestRow], at_ns: int, side: Side) -> dict[str, float]:
    """By user: seconds from ``at_ns`` to the first request on ``side`` after which none went to the other."""
    mine: defaultdict[str, list[RequestRow]] = defaultdict(list)
    for row in sorted(seen, key=lambda row: row.sent_ns):
        mine[row.user].append(row)
    took_s = {}
    for user, requests in mine.items():
        new = list(itertools.takewhile(lambda row: row.side is side, reversed(requests)))
        if new:
            took_s[user] = (new[-1].sent_ns - at_ns) / NS
    return took_s


def recorded_walks(plan: UsersPlan, seen: Sequence[RequestRow], unix_ns: int) -> dict[str, Points]:
    """What the phones recorded by the pure schedule, up to each walk's last PUT that a side confirmed. ``unix_ns`` is
    the time that their contents count from.

    A walk that is over counts whole. Walks that were deleted do not count.
    """
    users = accounts(plan.population, plan.seed)
    placed = slots(users, plan.seed)
    found: dict[str, Points] = {}
    for account in users:
        mine = [row for row in seen if row.user == account.user]
        if mine:
            schedule = user_schedule(account.user, placed[account.user], plan.population, plan.seed, unix_ns)
            found |= _recorded(mine, schedule)
    return found


def _recorded(mine: Sequence[RequestRow], schedule: Iterable[Planned]) -> dict[str, Points]:
    last = max(_number(row) for row in mine)
    confirmed: dict[str, int] = {}
    for row in mine:
        if row.operation is Operation.PUT_WALK and row.acknowledged:
            confirmed[row.walk_id] = max(confirmed.get(row.walk_id, -1), _number(row))
    walks: dict[str, list[tuple[int, Sequence[Location]]]] = {}
    for planned in itertools.takewhile(lambda each: each.number <= last, schedule):
        if planned.operation is Operation.DELETE_WALK:
            walks.pop(planned.walk_id, None)
        elif isinstance(planned.body, WalkUpdate):
            walks.setdefault(planned.walk_id, []).append((planned.number, planned.body.locations))
    newest = next(reversed(walks), "")
    return {
        walk_id: recorded_points(
            [
                point
                for number, locations in puts
                if walk_id != newest or number <= confirmed.get(walk_id, -1)
                for point in locations
            ]
        )
        for walk_id, puts in walks.items()
        if walk_id != newest or walk_id in confirmed
    }


def _number(row: RequestRow) -> int:
    return int(row.operation_id.split("-")[-1 if "-again-" in row.operation_id else 1])


def real_ids(plan: FlagPlan) -> list[str]:
    """The ids of the switches on real parts."""
    kinds = ("open", "offline") if plan.real.offline else ("open",)
    return [
        f"real.{interval_word(case.fetch_interval_s)}.{kind}.{direction}"
        for case in plan.cases
        if case.real
        for direction in Direction
        for kind in kinds
    ]
