"""The bundled API in this process and in virtual time, as a target of the checks: its own protocol, over memory ports.

A ``Target`` is made, wrong in the ways that its plants say, and then runs. PostgreSQL is ``api.memory``'s database, read
past the API; Firestore, Storage and accounts are in memory; the log is a file.
"""

from __future__ import annotations

import contextlib
import copy
import os
import random
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, cast
from unittest import mock

import firebase_admin
import msgspec
from uvicorn.server import ServerState

from api import firebase_app, serve
from api.app import build_app
from api.firebase_tokens import FirebaseTokens
from api.firestore_document import document_id, fields, location_map
from api.logs import Log
from api.memory import MemoryDatabase, SeededIds
from api.model import User, WalkDetail
from api.ports import Overtaken, Ports, Tokens
from api.settings import Settings
from harness.base.progress import Progress
from harness.base.virtual import VirtualClock
from harness.checks import tables
from harness.checks.contract import people
from harness.checks.contract.check import Check, CheckFixture
from harness.checks.contract.http import Connect
from harness.checks.contract.logs import Logs
from harness.checks.contract.reach import StandaloneTarget
from harness.checks.contract.rules import Rules
from harness.checks.contract.run import CheckRun
from harness.checks.contract.runner import run_checks
from harness.checks.dual_write import StoredWalk
from harness.checks.walk_tables import StoredWalks
from harness.model.evidence import happened
from harness.model.stack import Address
from harness.rehearsals.conformance.openapi.plan import OpenApiPlan
from harness.stack.firebase.documents import Documents, Fields, typed
from harness.stack.firebase.rest import AccountEnd
from harness.stack.sim.parts import SimParts
from tests.api.world import unsigned_token
from tests.conformance.front import Front
from tests.conformance.wire import connected
from tests.nowhere import NOWHERE, all_at

PROJECT = "demo-walks"
POD = "pod-1"
PASSWORD = "in-process-7d1f"
_SERVICE, _SPARE = Address(host="127.0.0.1", port=80), Address(host="127.0.0.1", port=81)
_DATABASE_S = 0.001  # of a call: two walks made in turn are not of the same moment
_MIRROR_S = 0.02


class Database(MemoryDatabase):
    """``cut`` takes the database away from whoever holds this one of its ports; ``tables`` is read past the API."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock, _DATABASE_S)
        self.cut = False

    async def ready(self) -> bool:
        """Unless it is cut."""
        return not self.cut

    def walk_row(self, walk_id: str) -> dict[str, Any]:
        """The walk's row in ``walks``, {} when there is none."""
        walk = self._walks.get(walk_id)
        return {} if walk is None else msgspec.structs.asdict(walk)

    def location_rows(self, walk_id: str) -> list[dict[str, Any]]:
        """Its rows in ``walk_locations``."""
        located = self._locations.get(walk_id, {})
        return [{"walk_id": walk_id, **msgspec.structs.asdict(each)} for each in located.values()]


class Firestore:
    """The API's sink, and what the checks read of it. ``content`` makes the document of a walk."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.written: dict[str, WalkDetail] = {}

    def name(self, walk_id: str) -> str:
        """The document's id."""
        return document_id(walk_id)

    def content(self, walk: WalkDetail) -> Fields:
        """Every field with its type."""
        whole = fields(walk) | {"location_data": [location_map(each) for each in walk.locations]}
        return {name: typed(value) for name, value in whole.items()}

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def look(self, walk_id: str) -> object:
        """What was written."""
        return self.written.get(self.name(walk_id))

    async def owner(self, walk_id: str) -> str | None:
        """Whose it is."""
        found = self.written.get(self.name(walk_id))
        return None if found is None else found.user_id

    async def write(self, walk: WalkDetail, seen: object) -> None:
        """Replaces the document, if it is as seen."""
        await self._clock.sleep(_MIRROR_S)
        self._as_seen(walk.id, seen)
        self.written[self.name(walk.id)] = walk

    async def delete(self, walk_id: str, seen: object, user_id: str) -> None:
        """Removes the document, if it is as seen."""
        await self._clock.sleep(_MIRROR_S)
        self._as_seen(walk_id, seen)
        self.written.pop(self.name(walk_id), None)

    def _as_seen(self, walk_id: str, seen: object) -> None:
        if self.written.get(self.name(walk_id)) is not seen:
            raise Overtaken

    async def get(self, name: str) -> Fields | None:
        """As ``harness.stack.firebase.documents.Documents``."""
        walk = self.written.get(name)
        return None if walk is None else self.content(walk)


class _Refusing:
    """Tokens as the API verifies them; each call is one of a plant's to change."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def verify(self, token: str) -> User:
        return await self._tokens.verify(token)


class Target:
    """What plants change: any of the parts, or the answers and requests on their way (``front``)."""

    def __init__(self, clock: VirtualClock, folder: Path, patches: contextlib.ExitStack) -> None:
        self.clock = clock
        self.settings = Settings(project_id=PROJECT, pod_name=POD, auth_emulator_host=str(NOWHERE))
        self.database = Database(clock)
        self.layout = tables.CONTRACT  # what is read of the tables, past the target
        self.databases: list[Database] = []  # of the processes that run, the youngest last
        self.firestore = Firestore(clock)
        self.parts = SimParts(clock)
        self.front = Front()
        self.tokens: Any = _Refusing(FirebaseTokens(firebase_app.start(self.settings), clock, None))
        self.log_line: Callable[[bytes], bytes] = lambda line: line
        self._log = patches.enter_context((folder / f"{POD}.log").open("wb", buffering=0))
        self._patches = patches

    def patch(self, name: str, value: object) -> None:
        """Until the run's end."""
        self._patches.enter_context(mock.patch(name, value))

    def write(self, line: bytes) -> None:
        """Into the log, as it is."""
        self._log.write(line)

    def say(self, line: bytes) -> None:
        """The API's own lines, as ``log_line`` has them."""
        self.write(self.log_line(line))

    @contextlib.asynccontextmanager
    async def running(self, database: Database) -> AsyncIterator[Connect]:
        """One process of it; how to connect to it."""
        ports = Ports(
            database=database,
            tokens=self.tokens,
            clock=self.clock,
            ids=SeededIds(random.Random(7)),
            storage=self.parts,
            mirror=self.firestore,
        )
        app = build_app(self.settings, ports, Log(self.clock, pod_name=POD, write=self.say))
        config = serve.config_of(self.front.around(app), app.state.service, self.settings, lifespan="off", graceful_s=1)
        config.load()
        state = ServerState()

        async def connect(address: Address) -> Any:
            return connected(config, state, address)

        lifespan = app.router.lifespan_context(app)
        await lifespan.__aenter__()
        self.databases.append(database)
        try:
            yield connect
        finally:
            self.databases.pop()
            await lifespan.__aexit__(None, None, None)  # whatever was raised: the target stops in order


Plant = Callable[[Target], None]


class InProcess:
    """As ``harness.checks.contract.reach.Reach``."""

    endpoints = all_at(service=_SERVICE, storage=NOWHERE, project_id=PROJECT, database_password=PASSWORD)

    def __init__(self, target: Target, connect: Connect) -> None:
        self.connect = connect
        self._target = target

    async def sign_up(self, uid: str) -> people.SignedUpUser:
        """A token as the Auth emulator makes it."""
        now = int(self._target.clock.unix_s())
        return people.SignedUpUser(uid=uid, token=unsigned_token(uid, auth_time=now, iat=now, exp=now + 3600))

    async def end_account(self, uid: str, how: AccountEnd) -> None:
        """Nobody asks an emulator here."""

    def seal(self, head: object, claims: object) -> str:
        """As the Auth emulator."""
        return people.unsigned(head, claims)

    async def user_rows(self, uid: str) -> int:
        """In memory."""
        return [*self._target.database.users].count(uid)

    async def stored(self, walk_id: str) -> StoredWalks:
        """In memory."""
        database, layout = self._target.database, self._target.layout
        located = database.location_rows(walk_id) if layout.locations is not None else []
        row = database.walk_row(walk_id)
        walk = StoredWalk(id=walk_id, columns=row, locations=located, layout=layout)
        return StoredWalks(walks=[walk] if row else [], layout=layout)

    @contextlib.asynccontextmanager
    async def spare(self, name: str) -> AsyncIterator[StandaloneTarget]:
        """One more process of it, with a way of its own to the same database."""
        del name
        own = copy.copy(self._target.database)
        async with self._target.running(own) as connect:
            one = StandaloneTarget(cast(Any, _Process), cast(Any, _Relay(own)), self._target.clock, connect)
            await one.until_ready()
            yield one

    async def put_photo(self, name: str, content: bytes, content_type: str) -> None:
        """In memory."""
        del content_type
        self._target.parts.photos[name] = content

    async def has_photo(self, name: str) -> bool:
        """In memory."""
        return name in self._target.parts.photos


class _Process:
    """As much of a process as a check of the database uses: what stops is tried on a real one."""

    address = _SPARE

    class process:
        returncode = None

    @staticmethod
    def last_lines() -> str:
        return ""


class _Relay:
    def __init__(self, database: Database) -> None:
        self._database = database

    def cut(self) -> None:
        self._database.cut = True

    def mend(self) -> None:
        self._database.cut = False


@contextlib.asynccontextmanager
async def planted(
    clock: VirtualClock, plants: Sequence[Plant], folder: Path
) -> AsyncIterator[tuple[Target, InProcess, Logs]]:
    """The target with those plants, running; its log lies in ``folder``."""
    with contextlib.ExitStack() as patches:
        patches.enter_context(mock.patch.dict(os.environ))  # firebase-admin reads the emulators' addresses there
        patches.callback(lambda: firebase_admin.delete_app(firebase_admin.get_app("walk-api")))
        target = Target(clock, folder, patches)
        for plant in plants:
            plant(target)
        async with target.running(target.database) as connect:
            logs = Logs(folder, clock)
            logs.saw(happened(0, "pod", POD, "ready", {"state": "Ready"}))
            yield target, InProcess(target, connect), logs
    assert not target.front.broken, target.front.broken
    assert b"Request failed" not in (folder / f"{POD}.log").read_bytes()  # a plant is wrong on purpose, not by a defect


async def _checked(
    clock: VirtualClock,
    checks: Sequence[Check],
    plants: Sequence[Plant],
    folder: Path,
    seed: int,
    plan: OpenApiPlan | None,
) -> list[CheckRun]:
    found: list[CheckRun] = []
    async with planted(clock, plants, folder) as (target, reach, logs):
        ground = CheckFixture(
            reach=reach,
            clock=clock,
            documents=cast(Documents, target.firestore),
            logs=logs,
            seed=seed,
            run_id="in-process",
            rules=Rules() if plan is None else plan.rules,
        )
        answers = None if plan is None else plan.answers()
        seen = None if answers is None else answers.take
        await run_checks(checks, ground, folder, Progress(clock), found.append, seen=seen)
        if plan is not None and answers is not None:
            found += [*plan.differences(), *(result for result, _exchange in answers.results())]
    return found


def checked(
    checks: Sequence[Check], plants: Sequence[Plant], folder: Path, seed: int = 1, plan: OpenApiPlan | None = None
) -> dict[str, CheckRun]:
    """Every check against a target with those plants, by id; ``plan`` is the team's OpenAPI file."""
    clock = VirtualClock()
    found = clock.run(_checked(clock, checks, plants, folder, seed, plan))
    return {result.id: result for result in found}
