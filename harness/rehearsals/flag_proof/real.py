"""One fetch interval on real parts: real phones, the real Remote Config emulator, API and Firestore; times scaled.

One load process, the flag off, then on, then off again; some phones lose their network around each publish. Judged
are the switch of every client against the rule's bound, and every walk against what its phone had recorded.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from harness.base.clock import NS, Clock
from harness.checks.walk_continuity import Points, continuity, recorded_points, together
from harness.evidence.spool import SpoolReader
from harness.load.plan import LoadPlan, Offline
from harness.load.population.accounts import accounts
from harness.load.population.schedule import Planned, slots, user_schedule
from harness.load.population.walk import Location, WalkUpdate
from harness.load.process import LoadProcesses
from harness.model.evidence import Operation, RequestRow, Side
from harness.model.rollout import off_template, rollout_template
from harness.model.scenario import AudiencePlan, PopulationPlan, ProbePlan
from harness.rehearsals.flag_proof.sides import Documents, NotAsPromised, database, rows
from harness.rehearsals.flag_proof.types import Direction, FetchCase, FlagPlan, Switch, WalksHeld
from harness.rehearsals.flag_proof.virtual import bound_s, interval_word
from harness.stack.protocol import Stack

ADMISSION_LIMIT_S = 60.0
_LEAD_S = 1.0
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


class RealCase:
    """One interval. ``run`` leaves nothing running, whatever happens."""

    def __init__(
        self, plan: FlagPlan, case: FetchCase, stack: Stack, clock: Clock, *, folder: Path, logs: Path, run_id: str
    ) -> None:
        self._plan, self._case, self._stack, self._clock = plan, case, stack, clock
        self._course = course(plan, case)
        self._name = interval_word(case.fetch_interval_s)
        self._folder, self._logs = folder / f"flag-{self._name}", logs / f"flag-{self._name}"
        self._run_id = run_id

    async def run(self, seed: int) -> tuple[list[Switch], WalksHeld]:
        """The switches of both directions, and the walks."""
        population = self._population()
        load_plan = self._load_plan(population, seed)
        load = LoadProcesses(load_plan, self._folder, self._clock, logs=self._logs)
        published: dict[Direction, int] = {}
        await self._stack.set_flag(off_template())
        try:
            await load.start()
            await load.admitted(ADMISSION_LIMIT_S)
            origin_ns = self._clock.now_ns() + round(_LEAD_S * NS)
            await load.go(origin_ns)
            await self._until(origin_ns, self._course.on_s, load)
            published[Direction.OFF_TO_ON] = self._clock.now_ns()
            await self._stack.set_flag(rollout_template(population))
            await self._until(origin_ns, self._course.off_s, load)
            published[Direction.ON_TO_OFF] = self._clock.now_ns()
            await self._stack.set_flag(off_template())
            await self._until(origin_ns, self._course.end_s, load)
            await load.stop()
        finally:
            await load.kill()
        seen = [row for path in load.spools for row in SpoolReader(path).read() if isinstance(row, RequestRow)]
        on_ns, off_ns = published[Direction.OFF_TO_ON], published[Direction.ON_TO_OFF]
        offline = {each.user for each in load_plan.offline}
        users = [account.user for account in accounts(population, seed)]
        groups = {"open": [user for user in users if user not in offline], "offline": sorted(offline)}
        turned_on = switches((row for row in seen if on_ns <= row.sent_ns < off_ns), on_ns, Side.API)
        turned_off = switches((row for row in seen if row.sent_ns >= off_ns), off_ns, Side.FIRESTORE)
        turned = [
            *self._switches(turned_on, groups, Direction.OFF_TO_ON),
            *self._switches(turned_off, groups, Direction.ON_TO_OFF),
        ]
        return turned, await self._walks(load_plan, seen)

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

    async def _walks(self, plan: LoadPlan, seen: Sequence[RequestRow]) -> WalksHeld:
        name, clients, recorded = f"real.{self._name}.walks", plan.population.users, recorded_walks(plan, seen)
        documents = Documents(plan.endpoints.firestore, plan.endpoints.project_id)
        connection = await database(plan.endpoints)
        try:
            found = continuity(recorded, together(await rows(connection, recorded), await documents.points(recorded)))
        except NotAsPromised as error:
            return WalksHeld(id=name, clients=clients, wrong=(error.told,))
        finally:
            documents.close()
            await connection.close()
        both = len({row.walk_id for row in seen if row.side is Side.API} & set(recorded))
        return WalksHeld(id=name, clients=clients, found=found, both=both)

    async def _until(self, origin_ns: int, at_s: float, load: LoadProcesses) -> None:
        due_ns = origin_ns + round(at_s * NS)
        while (left_ns := due_ns - self._clock.now_ns()) > 0:
            load.check()
            await self._clock.sleep(min(0.5, left_ns / NS))

    def _population(self) -> PopulationPlan:
        everybody = AudiencePlan(name="all", users=self._plan.real.clients, flag_on=self._plan.real.clients)
        return PopulationPlan(
            audiences=(everybody,), pace_s=self._course.pace_s, fetch_interval_s=self._course.interval_s
        )

    def _load_plan(self, population: PopulationPlan, seed: int) -> LoadPlan:
        users = [account.user for account in accounts(population, seed)][::-1][: self._plan.real.offline]
        half_s = self._course.offline_s / 2
        gaps = [
            Offline(user=user, from_s=at_s - half_s, to_s=at_s + half_s)
            for user in users
            for at_s in (self._course.on_s, self._course.off_s)
        ]
        return LoadPlan(
            run_id=self._run_id,
            seed=seed,
            population=population,
            probes=ProbePlan(rate_per_s=0.5),
            endpoints=self._stack.endpoints(),
            anchor=self._clock.anchor,
            spool="",
            admission_limit_s=ADMISSION_LIMIT_S,
            offline=tuple(gaps),
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


def recorded_walks(plan: LoadPlan, seen: Sequence[RequestRow]) -> dict[str, Points]:
    """What the phones recorded by the pure schedule, up to each walk's last PUT that a side confirmed.

    A walk that is over counts whole. Walks that were deleted do not count.
    """
    users = accounts(plan.population, plan.seed)
    placed = slots(users, plan.seed)
    found: dict[str, Points] = {}
    for account in users:
        mine = [row for row in seen if row.user == account.user]
        if mine:
            schedule = user_schedule(
                account.user, placed[account.user], plan.population, plan.seed, plan.anchor.unix_ns
            )
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
