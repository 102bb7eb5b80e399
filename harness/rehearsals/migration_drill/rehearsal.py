"""The drill: walks lie in Firestore, half of the users are on the API, and the migrator runs, is killed and goes on.

The load is stopped then, it runs once more for what was written last, and week 1 follows on the same stack.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import asyncpg
import msgspec

from harness.base.clock import NS, Clock, unix_ns
from harness.base.data import ROOT
from harness.base.errors import PartDied
from harness.base.options import working_folder
from harness.base.seed import stream
from harness.base.theirs import read_json
from harness.checks.stepwise import MOST_FAILED
from harness.checks.stores import read_stored, reading
from harness.checks.told import locations_shown, of_walk, says_nothing, shown_short, unlike
from harness.checks.walk_tables import counted
from harness.load.http1 import PhoneAnswer
from harness.load.population.consents import consents as given
from harness.load.population.schedule import EXCERPT_BYTES, Account, accounts
from harness.load.rest import ASK_LIMIT_S, answered, exchange
from harness.load.users import Users, UsersPlan, users_of
from harness.model.evidence import Side, Window
from harness.model.judgement import Expected, Kind
from harness.model.manifests import Manifests
from harness.model.message import Message, message
from harness.model.result import RunInfo
from harness.model.scenario import Scenario
from harness.model.stack import Endpoints
from harness.rehearsals.migration_drill import plants
from harness.rehearsals.migration_drill.compare import absent, compared, mirrored, odd, of_consents, written
from harness.rehearsals.migration_drill.facts import PHRASES, facts, stayers
from harness.rehearsals.migration_drill.types import (
    CLAIM_PLAN,
    JUDGED,
    DrillDetails,
    DrillPlan,
    MigratorAttempt,
    Race,
    WeekSeen,
)
from harness.rules.bounds import samples_needed
from harness.rules.criteria import judge
from harness.rules.rule import Fact
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.firebase.documents import Documents
from harness.stack.firebase.rest import SignedUpUser, sign_up
from harness.stack.protocol import StackNeeds
from harness.stack.state.lease import MARKER
from harness.stack.target.targets import program
from harness.stack.target.variables import machine

# The migrator as a process: started by the environment contract, killed once so many walks are there, resumed.

OWN = (sys.executable, "-m", "harness", "migrate", "--from-environment")
NOBODY_WRITES = ("--settle", "0s")  # of our own: no deletion is on its way to Firestore
LOG = "logs/migrator.log"
REJECTS = "rejects.jsonl"
_POLL_S, _COUNT_EVERY_S = 0.05, 0.5
#: How many walks are there, ``None`` where nobody else may look.
Counted = Callable[[], Awaitable[int | None]]


def counting(connection: asyncpg.Connection, endpoints: Endpoints) -> Counted:
    """By a connection to the database of ``endpoints``; without their table there are none. It raises ``PartDied`` and
    ``NotAsNamed``."""

    async def count() -> int | None:
        with reading(endpoints):
            try:
                return await counted(connection, _SQL_S)
            except TimeoutError:
                return None

    return count


def variables(endpoints: Endpoints, rejects: Path, run_id: str) -> dict[str, str]:
    """What a migrator is told (docs/contract/environment.md#migrator)."""
    return {
        **machine(),
        "ENVIRONMENT": "staging",
        "DB_HOST": endpoints.database.host,
        "DB_PORT": str(endpoints.database.port),
        "DB_USER": endpoints.database_user,
        "DB_PASSWORD": endpoints.database_password,
        "DB_NAME": endpoints.database_name,
        "DB_SSLMODE": "disable",
        "FIREBASE_PROJECT_ID": endpoints.project_id,
        "GOOGLE_CLOUD_PROJECT": endpoints.project_id,
        "FIREBASE_AUTH_EMULATOR_HOST": str(endpoints.auth),
        "FIRESTORE_EMULATOR_HOST": str(endpoints.firestore),
        "MIGRATION_REJECTS": str(rejects),
        MARKER: run_id,
    }


def must_be_there(command: Sequence[str]) -> None:
    """Raises ``BadInput`` where the program of a team's own ``command`` is not there, as from the working folder, or
    may not be executed; before a stack is brought up for it."""
    if command:
        program(command[0], working_folder(), "--migrator")


class Kill(NamedTuple):
    """A drawn moment: so many walks are in PostgreSQL, and the process runs so long."""

    walks: int
    after_s: float


class Migrator:
    """One command, as often as it takes."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], folder: Path, clock: Clock) -> None:
        self._command = command or OWN
        self._own = not command
        self._environment = environment
        self._folder = folder
        self._clock = clock

    async def run(
        self, count: Counted, limit_s: float, kill: Kill | None = None, *, quiet: bool = False
    ) -> MigratorAttempt:
        """One process to its end; or killed with all it started, at ``kill``. ``quiet``: nobody writes any more.

        Raises ``PartDied`` when it takes longer than ``limit_s``. A table that it keeps to itself for long is not
        looked at meanwhile.
        """
        begun_ns = self._clock.now_ns()
        with (self._folder / LOG).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self._command, *(NOBODY_WRITES if quiet and self._own else ()),
                cwd=ROOT if self._own else Path.cwd(), env=self._environment,
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        killed, looked_s = False, 0.0
        least: int | None = None
        try:
            while process.returncode is None:
                await self._clock.sleep(_POLL_S)
                ran_s = self._ran_s(begun_ns, limit_s)
                wanted = kill.walks if kill is not None and ran_s >= kill.after_s else math.inf
                if wanted == math.inf and ran_s < looked_s + _COUNT_EVERY_S:
                    continue
                looked_s, there = ran_s, await count()
                if there is not None:
                    least = there if least is None else min(least, there)
                if there is not None and there >= wanted and process.returncode is None:
                    killed = True
                    os.killpg(process.pid, signal.SIGKILL)
                    await process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            status = await process.wait()
        took_s = (self._clock.now_ns() - begun_ns) / NS
        while (walks := await count()) is None:  # its last statement may go on in PostgreSQL without it
            self._ran_s(begun_ns, limit_s)
        return MigratorAttempt(seconds=took_s, walks=walks, killed=killed, status=status, least=least)

    def _ran_s(self, begun_ns: int, limit_s: float) -> float:
        """How long so far. Raises ``PartDied`` where that is longer than ``limit_s``."""
        ran_s = (self._clock.now_ns() - begun_ns) / NS
        if ran_s > limit_s:
            raise PartDied(
                message("the migrator was not done after {limit_s} s", limit_s=f"{limit_s:g}"),
                where=LOG,
                remedy="read what it said last",
            )
        return ran_s


# Week 1 on what the drill made: its users sign in on the same stack, and those of the API find their moved walks.
# Those who stay on Firestore while the others are moved: the load goes on until enough was seen of them. Writes through
# the API to walks that are being moved: whatever it acknowledged last, it must show from then on.

_LOOK_S = 1.0


async def seen_enough(on: RunContext[DrillDetails], limit_s: float) -> None:
    """Waits until they have sent as many requests as "fewer than 1 %" takes where none fails; ``limit_s`` at most."""
    needed = samples_needed(MOST_FAILED)
    until_ns = on.clock.now_ns() + round(limit_s * NS)
    if _served(on) < needed:
        said = message("the load goes on until those who stay have sent {needed} requests", needed=f"{needed:,}")
        on.phase("staying", said)
    while _served(on) < needed and on.clock.now_ns() < until_ns:
        await on.clock.sleep(_LOOK_S)


def _served(on: RunContext[DrillDetails]) -> int:
    return sum(row.side is Side.FIRESTORE for row in on.evidence.requests)


_OK, _ANSWERED = 200, (200, 404)


class Racing:
    """One user of the API, who changes the titles of walks in turn. ``begin`` goes on until it is ``over``; what is
    written once they are ``moved`` is looked at, and no write of the race."""

    def __init__(
        self, endpoints: Endpoints, clock: Clock, user: SignedUpUser, walk_ids: Sequence[str], every_s: float
    ) -> None:
        self._to = endpoints
        self._clock = clock
        self._user = user
        self._walks = walk_ids
        self._every_s = every_s
        self.over = self.moved = False
        self._raced: list[str] = []  # the walk of each write that was acknowledged meanwhile
        self._ended = asyncio.Event()
        self._sent = self._written = 0
        self._lost: dict[str, Message] = {}
        #: By walk the titles that it may have: the last acknowledged one, and those sent since and not answered.
        self._perhaps: dict[str, set[str]] = {}

    async def begin(self) -> None:
        """One write after the other."""
        try:
            while not self.over:
                walk_id, title = self._walks[self._sent % len(self._walks)], f"raced {self._sent}"
                if walk_id in self._perhaps:
                    await self._look(walk_id)
                self._sent += 1
                await self._put(walk_id, title)
                await self._clock.sleep(self._every_s)
        finally:
            self._ended.set()

    async def settled(self) -> bool:
        """Whether every write was acknowledged, once it is ``over`` and the last has its answer or had its time: one
        without an answer may come to PostgreSQL, and to Firestore, later."""
        await self._ended.wait()
        return self._sent == self._written

    async def found(self) -> Race:
        """What PostgreSQL holds of it."""
        stored = await read_stored(self._to, only=sorted(self._perhaps)) if self._perhaps else None
        titles = {walk.id: walk.columns.get("title") for walk in stored.walks} if stored is not None else {}
        for walk_id in self._perhaps:
            if walk_id in titles:
                self._judge(walk_id, titles[walk_id])
            else:
                self._lost.setdefault(walk_id, message("{walk} is not in PostgreSQL", walk=walk_id))
        return Race(walks=len({*self._raced}), written=len(self._raced), lost=tuple(self._lost.values()))

    def _judge(self, walk_id: str, title: object) -> None:
        if title not in self._perhaps[walk_id]:
            self._lose(walk_id, repr(title))

    def _lose(self, walk_id: str, shown: str) -> None:
        self._lost.setdefault(walk_id, unlike(walk_id, shown, " / ".join(sorted(self._perhaps[walk_id]))))

    async def _look(self, walk_id: str) -> None:
        """Before the next write: what was acknowledged must not have gone meanwhile."""
        answer = await self._ask("GET", walk_id, b"")
        if answer.status in _ANSWERED:
            walk = read_json(answer.body, _Walk) if answer.status == _OK else None
            if walk is not None:
                self._judge(walk_id, walk.title)
            else:
                self._lose(walk_id, f"{answer.status} {answer.body[:EXCERPT_BYTES]!r}")

    async def _put(self, walk_id: str, title: str) -> None:
        body = msgspec.json.encode({"title": title})
        sent = self._perhaps.get(walk_id)
        if sent is not None:
            sent.add(title)
        answer = await self._ask("PUT", walk_id, body)
        if answer.status == _OK:
            self._written += 1
            if not self.moved:
                self._raced.append(walk_id)
            self._perhaps[walk_id] = {title}

    async def _ask(self, method: str, walk_id: str, body: bytes) -> PhoneAnswer:
        asked = exchange(self._to.service, method, f"/v1/walks/{walk_id}", self._user.token, body)
        return await answered(asked, ASK_LIMIT_S)


class _Walk(msgspec.Struct):
    title: str


_EXAMPLES = 5


async def week(
    scenario: Scenario, on: RunContext[DrillDetails], moved: Mapping[str, Sequence[tuple[str, int]]]
) -> None:
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
    owners: Iterable[Account], on: RunContext[DrillDetails], moved: Mapping[str, Sequence[tuple[str, int]]]
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


RACER = "racer"
_COMMIT = 2_000  # locations: the emulator answers nobody else meanwhile
_SQL_S = 10.0
_ASKED_EACH = 5  # moved walks that each owner asks for in week 1
_RUNS_S = 4.0  # that a process which is to be killed runs at most before it counts: it takes a second to begin


class MigrationDrill(Rehearsal[DrillPlan, DrillDetails]):
    """The rehearsal."""

    name = "migration_drill"
    plan, details = DrillPlan, DrillDetails
    phrases = PHRASES

    def expected(self, plan: DrillPlan, facts: RunInfo) -> Iterator[Expected]:
        """Each of the drill, with every document out of the ordinary; and its week."""
        least = {"migration.odd": plants.KINDS}
        week_ = {"migration.week1": CLAIM_PLAN} if plan.week is not None else {}
        yield from (Expected("", id_, claim, least.get(id_, 0)) for id_, claim in (JUDGED | week_).items())
        yield Expected("", "migration.largest", kind=Kind.OBSERVATION)
        yield from super().expected(plan, facts)

    def stack_spec(self, plan: DrillPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """A stack of its own: what is planted stays in no other run's. Raises ``BadInput``."""
        _ = options
        must_be_there(plan.migrator)
        return StackNeeds(manifests=manifests, use_kept=False)

    async def run(self, plan: DrillPlan, on: RunContext[DrillDetails]) -> None:
        """Plants, lets everybody begin, moves, stops, moves the rest, compares."""
        await on.up()
        endpoints = on.stack.endpoints()
        documents = Documents(endpoints.firestore, endpoints.project_id)
        on.add_finalizer(documents.close)
        with reading(endpoints):
            connection = await asyncpg.connect(**endpoints.login, timeout=_SQL_S)
        on.add_finalizer(connection.close)
        await _Drill(plan, on, documents, connection).run()

    def measured(self, plan: DrillPlan, seen: RunRecord[DrillDetails]) -> Iterable[Fact]:
        """From details and requests."""
        yield from facts(plan, seen.details, seen.evidence.requests, seen.facts.seed)
        yield from stayers(plan, seen.details, seen.evidence.requests, seen.facts.seed)


class _Drill:
    """One run under way."""

    def __init__(
        self, plan: DrillPlan, on: RunContext[DrillDetails], documents: Documents, connection: asyncpg.Connection
    ) -> None:
        self._plan = plan
        self._on = on
        self._documents = documents
        self._counted = counting(connection, on.stack.endpoints())
        self._endpoints = on.stack.endpoints()
        self._seed = on.options.seed
        self._unix_ns = unix_ns(on.clock.anchor, on.clock.now_ns())
        self._users = [each.user for each in accounts(plan.population, self._seed)]
        self._planted: set[str] = set()
        self._raced: list[str] = []
        self._consents: Mapping[str, plants.Fields] = {}
        self._moved_walks: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)

    async def run(self) -> None:
        plan, on, endpoints = self._plan, self._on, self._endpoints
        strange = await self._plant()  # minutes: longer than who is signed in waits to be let go, or a token lasts
        racer = await sign_up(endpoints.auth, endpoints.project_id, RACER)
        users = Users(on, UsersPlan(population=plan.population, seed=self._seed))
        on.details.origin_ns = await users.begin()
        racing = Racing(endpoints, on.clock, racer, self._raced, plan.race_every_s)
        on.phase("moving", message("the migrator moves {walks} walks under live traffic", walks=f"{plan.walks:,}"))
        environment = variables(endpoints, on.folder / REJECTS, on.run_id)
        migrator = Migrator(plan.migrator, environment, on.folder, on.clock)
        on.run_in_background(racing.begin())
        await self._moved(migrator)
        racing.moved = True
        on.mark("moved")
        await seen_enough(on, plan.stay_limit_s)
        racing.over = True
        on.details.sent_ns = await users.end()
        settled = await racing.settled()
        on.phase("settling", message("the load has ended; the migrator runs once more"))
        quiet = await mirrored(endpoints, self._documents, on.evidence, on.clock, self._raced, settled=settled)
        on.details.attempts.append(await migrator.run(self._counted, plan.limit_s, quiet=quiet))
        await self._look(strange, racing)
        if plan.week is not None:
            await week(plan.week, on, self._moved_walks)

    async def _plant(self) -> list[plants.PlantedDocument]:
        """Walks of the users, of the racer, and those out of the ordinary; consents."""
        plan, details = self._plan, self._on.details
        self._on.phase("planting", message("writing {walks} walks to Firestore", walks=f"{plan.walks:,}"))
        strange = plants.odd(self._users[0], self._seed, self._unix_ns)
        waiting: dict[str, plants.Fields] = {}
        located = 0
        share = max(1, plan.walks // max(1, plan.racing))
        for number, (path, fields) in enumerate(
            plants.walks(plan.walks, plan.locations, self._users, self._seed, self._unix_ns)
        ):
            raced = number % share == 0 and len(self._raced) < plan.racing
            waiting[path] = {**fields, "user_id": RACER} if raced else fields
            walk_id, user = path.removeprefix("walks/").lower(), str(fields["user_id"])
            self._planted.add(walk_id)
            if raced:
                self._raced.append(walk_id)
            elif len(self._moved_walks[user]) < _ASKED_EACH:
                self._moved_walks[user].append((walk_id, len(fields["location_data"])))
            located += len(fields["location_data"])
            if located >= _COMMIT:
                await self._documents.put_all(waiting)
                waiting.clear()
                located = 0
        consents = self._consents = given(self._users, self._seed, self._unix_ns, "migration_drill:consents")
        odd_ones = ({plant.path: plant.fields} for plant in strange)
        rest: list[Mapping[str, plants.Fields]] = [waiting, consents, *odd_ones]
        for each in filter(None, rest):
            await self._documents.put_all(each)
        details.planted, details.consents = plan.walks + len(strange), len(consents)
        return strange

    async def _moved(self, migrator: Migrator) -> None:
        """Killed once so many walks are there as were drawn, then to its end."""
        plan, details = self._plan, self._on.details
        chance = stream(self._seed, "migration_drill:kills")
        drawn = sorted(
            Kill(1 + int(chance.random() * plan.walks * 0.9), chance.random() * _RUNS_S) for _ in range(plan.kills)
        )
        for kill in (*drawn, None):
            attempt = await migrator.run(self._counted, plan.limit_s, kill)
            details.attempts.append(attempt)
            if attempt.killed:
                said = message("killed with {walks} walks in PostgreSQL", walks=f"{attempt.walks:,}")
                self._on.phase("killed", said)
            else:
                return

    async def _look(self, strange: list[plants.PlantedDocument], racing: Racing) -> None:
        on, details = self._on, self._on.details
        on.phase("comparing", message("comparing every document with its walk"))
        details.odd = await odd(self._endpoints, strange, on.folder / REJECTS)
        apart = {plant.name for plant in strange}
        sent = written(on.evidence.requests, self._raced)
        places = self._endpoints, self._documents
        details.compared = await compared(*places, apart, sent=sent, planted=self._planted)
        details.race = await racing.found()
        details.users_missing = await absent(self._endpoints, self._users)
        await of_consents(self._endpoints, self._consents, details)
        on.mark("compared")


REHEARSAL = MigrationDrill()
