"""The drill: walks lie in Firestore, half of the users are on the API, and the migrator runs, is killed and goes on.

The load is stopped then, it runs once more for what was written last, and week 1 follows on the same stack.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import asyncpg

from harness.base.clock import unix_ns
from harness.base.seed import stream
from harness.checks.stores import reading
from harness.load.population.accounts import accounts
from harness.load.population.consents import consents as given
from harness.load.users import Users, UsersPlan
from harness.model.expected import Expected
from harness.model.judgement import Kind
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.result import RunInfo
from harness.rehearsals.migration_drill import plants
from harness.rehearsals.migration_drill.compare import absent, compared, mirrored, odd, of_consents, written
from harness.rehearsals.migration_drill.facts import PHRASES, facts, stayers
from harness.rehearsals.migration_drill.migrator import REJECTS, Kill, Migrator, counting, must_be_there, variables
from harness.rehearsals.migration_drill.types import CLAIM_PLAN, JUDGED, DrillDetails, DrillPlan
from harness.rehearsals.migration_drill.week import Racing, seen_enough, week
from harness.rules.fact import Fact
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.firebase.documents import Documents
from harness.stack.firebase.rest import sign_up
from harness.stack.protocol import StackNeeds

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
