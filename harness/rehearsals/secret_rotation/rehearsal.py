"""The Secret Manager CSI pattern: the volume as written, the pods as corrected, a password rotated under load."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from harness.base.clock import NS, polling
from harness.base.errors import StackNotStarted
from harness.load.stages.admit import StepUsers
from harness.load.stages.process import StageProcesses
from harness.model.evidence import EventRow
from harness.model.manifests import Manifests
from harness.model.message import Message, message
from harness.model.parts import ended, title_of
from harness.model.scenario import ACCOUNTS
from harness.model.secrets import Credentials, Synced
from harness.model.section import Pairs, Section
from harness.model.stack import DatabaseAccess, EnvironmentKind
from harness.rehearsals.secret_rotation.facts import PHRASES, facts
from harness.rehearsals.secret_rotation.types import (
    ALONE,
    CLASSLESS,
    EXISTING,
    AsWritten,
    Did,
    Rotated,
    RotationCourse,
    RotationDetails,
    RotationPart,
    RotationPartKind,
    RotationPlan,
    Started,
    step_of,
)
from harness.report.course import chart_of, course_of
from harness.rules.rule import Fact
from harness.run.context import RunContext
from harness.run.moments import timeline
from harness.run.options import Options
from harness.run.parts import InParts
from harness.run.rehearsal import Cost, RunRecord, cost_by_requests
from harness.stack.manifests import kustomize, load
from harness.stack.protocol import SecretsPlan, StackNeeds, WithSecretStore

# What the page of a rotation shows besides its judgements: its phases, what was observed, the moments.


def sections_of(
    plan: RotationPlan, details: RotationDetails, events: Sequence[EventRow], start_ns: int
) -> Iterator[Section]:
    """All of the page; ``start_ns`` is the run's begin."""
    factor = message("CPU requests and limits were multiplied by")
    poll = message("The driver looks for new versions every")
    yield Pairs(pairs=((factor, f"{details.cpu_factor:.2f}"), (poll, f"{plan.poll_s:g} s")), differs=True)
    for part, part_ns, end_ns in ended(plan.parts, details.runs):
        chart = chart_of(part.name, title_of(part), course_of(events, (part_ns, part_ns), part_ns, end_ns))
        if chart is not None:
            yield chart
    yield timeline(events, start_ns)


# The parts of the rehearsal: what each does to the stack, and the facts that it leaves for the judge.
# The pods that are tried: the manifests as the base has them, with the document's volume put back in three ways. The
# database's login roles, by its superuser: what a person does who rotates a password.

_SECRET = "Secret/app-secret"  # noqa: S105 - its key among the documents


def manifests_of(corrected: Path, rung: EnvironmentKind) -> dict[str, Manifests]:
    """By trial. ``corrected`` is the overlay of ``rung`` with the component ``secret-manager``; the document and the
    rung's own overlay lie beside it.

    ``ALONE`` has the volume as printed and nothing else of it; ``CLASSLESS`` the mount besides; ``EXISTING`` is the
    component as it is, with the document's ``secret.yaml`` applied too.
    """
    plain = load(corrected.with_name(corrected.name.removesuffix("-secret-manager")), rung)
    full = load(corrected, rung)
    document = kustomize.render(corrected.parents[1] / "document").documents
    printed = _pod(document, full.deployment.name)["volumes"]
    mounts = _pod(full.documents, full.deployment.name)["containers"][0]["volumeMounts"]
    existing = full.documents | {_SECRET: _with_user(plain.documents[_SECRET])}
    return {
        ALONE: _with(plain, volumes=printed),
        CLASSLESS: _with(plain, volumes=printed, mounts=mounts),
        EXISTING: msgspec.structs.replace(full, documents=existing),
    }


def _with(manifests: Manifests, *, volumes: list[Any], mounts: list[Any] | None = None) -> Manifests:
    documents = copy.deepcopy(manifests.documents)
    pod = _pod(documents, manifests.deployment.name)
    pod["volumes"] = copy.deepcopy(volumes)
    if mounts is not None:
        pod["containers"][0]["volumeMounts"] = copy.deepcopy(mounts)
    return msgspec.structs.replace(manifests, documents=documents)


def _with_user(secret: dict[str, Any]) -> dict[str, Any]:
    """The template and the user's name, which the component reads from the same Secret: "tekutoko"."""
    return secret | {"data": secret["data"] | {"db_user": "dGVrdXRva28="}}


def _pod(documents: dict[str, Any], name: str) -> dict[str, Any]:
    pod: dict[str, Any] = documents[f"Deployment/{name}"]["spec"]["template"]["spec"]
    return pod


#: They log in in turn; both are members of the role that owns the tables, and inherit its rights.
PAIR = ("tekutoko_a", "tekutoko_b")
_LIMIT_S = 10.0


async def first(access: DatabaseAccess, password: str) -> Credentials:
    """Makes the first of ``PAIR`` with ``password``. Raises ``StackNotStarted``."""
    made = Credentials(user=PAIR[0], password=password)
    await Roles(access).prepare(made)
    return made


def other(user: str) -> str:
    """The idle one of ``PAIR``."""
    return PAIR[1] if user == PAIR[0] else PAIR[0]


class Roles:
    """Changes the roles of one instance. Every method raises ``StackNotStarted`` when the database refuses."""

    def __init__(self, access: DatabaseAccess) -> None:
        self._access = access

    async def prepare(self, wanted: Credentials) -> None:
        """The role ``wanted.user`` may log in with ``wanted.password`` from now on; made where it is missing."""
        async with self._connected() as database:
            there = await database.fetchval("select 1 from pg_roles where rolname = $1", wanted.user)
            verb = "alter role %I login password %L" if there else "create role %I login password %L in role %I"
            arguments = (wanted.user, wanted.password, *(() if there else (self._access.database,)))
            await _say(database, verb, *arguments)

    async def sessions(self, user: str) -> int:
        """How many are open."""
        async with self._connected() as database:
            return int(await database.fetchval("select count(*) from pg_stat_activity where usename = $1", user))

    async def end_sessions(self, user: str) -> int:
        """Ends all that are open; how many there were."""
        async with self._connected() as database:
            ended = "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = $1"
            return int(await database.fetchval(ended, user))

    async def revoke(self, user: str) -> None:
        """The role may log in no more, with any password."""
        async with self._connected() as database:
            await _say(database, "alter role %I nologin password null", user)

    async def logs_in(self, credentials: Credentials) -> bool:
        """Whether a new session opens with ``credentials``."""
        login = {**self._access.login, "user": credentials.user, "password": credentials.password}
        try:
            connection = await asyncpg.connect(**login, timeout=_LIMIT_S)
        except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError):
            return False
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise self._failed(error) from error
        with suppress(TimeoutError):  # it has let us in; a busy machine is slow to say goodbye
            await connection.close(timeout=_LIMIT_S)
        return True

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        try:
            database = await asyncpg.connect(**self._access.login, timeout=_LIMIT_S, command_timeout=_LIMIT_S)
            try:
                yield database
            finally:
                await database.close(timeout=_LIMIT_S)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> StackNotStarted:
        what = f"the database refused a change of its roles: {type(error).__name__}: {error}"
        return StackNotStarted(
            what, where=str(self._access.address), remedy="see logs/postgres.log in the report's folder"
        )


async def _say(database: asyncpg.Connection, form: str, *arguments: str) -> None:
    """A statement that takes no parameters, quoted by the database itself."""
    places = ", ".join(f"${number + 2}::text" for number in range(len(arguments)))
    await database.execute(await database.fetchval(f"select format($1, {places})", form, *arguments))


_LEAD_S = 0.5
_BEFORE_S = 10.0  # of undisturbed load before the first step
_POLL_S = 0.25


class RotationActs:
    """Runs parts on a stack that is up, with ``replicas`` pods."""

    def __init__(self, on: RunContext[RotationDetails], replicas: int) -> None:
        stack = on.stack
        assert isinstance(stack, WithSecretStore)  # the parts need real_kubernetes
        self._on = on
        self._stack = on.stack
        self._store = stack.secret_store()
        self._credentials = stack.first_credentials()
        self._clock = on.clock
        self._replicas = replicas
        self._version = ""  # the newest that was published
        self._roles = Roles(on.stack.database().access())
        self._users = StepUsers(on, seed=on.options.seed, accounts=ACCOUNTS)

    async def run(self, part: RotationPart) -> Did:
        """Raises what the stack and the database raise."""
        does = {
            RotationPartKind.AS_WRITTEN: self._as_written,
            RotationPartKind.START: self._start,
            RotationPartKind.NAIVE: self._naive,
            RotationPartKind.TWO_ROLES: self._two_roles,
        }[part.kind]
        return await does(part)

    async def _as_written(self, part: RotationPart) -> Did:
        tried = manifests_of(self._on.options.manifests, self._stack.rung)
        found = (self._store.trial(name, manifests, part.watch_s) for name, manifests in tried.items())
        return AsWritten(trials=tuple(await asyncio.gather(*found)))

    async def _start(self, _part: RotationPart) -> Did:
        versions = await self._store.versions()
        return Started(
            wanted=self._replicas,
            versions=versions,
            seen=await self._store.seen(sorted(versions)),
            synced=await self._store.synced(),
            published=max(versions.values(), default=""),
            digest=self._credentials.digest,
        )

    async def _naive(self, part: RotationPart) -> Did:
        new = msgspec.structs.replace(self._credentials, password=self._store.new_password())
        return await self._under_load(part, lambda: self._in_place(part, new))

    async def _two_roles(self, part: RotationPart) -> Did:
        new = Credentials(user=other(self._credentials.user), password=self._store.new_password())
        return await self._under_load(part, lambda: self._in_turn(part, new))

    async def _in_place(self, part: RotationPart, new: Credentials) -> RotationCourse:
        """The one role's password changed: what no running pod can follow."""
        begun_ns = self._tell(part, message("the password of {user} is changed", user=new.user))
        await self._roles.prepare(new)
        course = await self._published(part, new, begun_ns)
        following = asyncio.ensure_future(self._followed(part, new, course))
        try:
            await self._clock.sleep(_BEFORE_S)  # open sessions go on: the new password is asked for at the next one
            ended = await self._roles.end_sessions(new.user)
            revoked_ns = self._tell(part, _ended(ended))
            course = msgspec.structs.replace(await following, revoked_ns=revoked_ns)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        course = await self._restarted(part, course)
        refused = not await self._roles.logs_in(self._credentials)
        self._credentials = new
        return msgspec.structs.replace(course, sessions_ended=ended, old_refused=refused)

    async def _in_turn(self, part: RotationPart, new: Credentials) -> RotationCourse:
        """The idle role gets the new password; the old role goes when nobody uses it any more."""
        old = self._credentials
        begun_ns = self._tell(part, message("the idle role {user} is prepared", user=new.user))
        await self._roles.prepare(new)
        course = await self._published(part, new, begun_ns)
        course = await self._restarted(part, await self._followed(part, new, course))
        again = polling(self._clock, limit_s=part.wait_s, every_s=_POLL_S)
        while await self._roles.sessions(old.user) and await again():
            pass
        await self._roles.revoke(old.user)
        ended = await self._roles.end_sessions(old.user)
        revoked_ns = self._tell(part, _revoked(old.user, ended))
        refused = not await self._roles.logs_in(old)
        self._credentials = new
        return msgspec.structs.replace(course, revoked_ns=revoked_ns, sessions_ended=ended, old_refused=refused)

    async def _published(self, part: RotationPart, new: Credentials, begun_ns: int) -> RotationCourse:
        name = await self._store.publish(new)
        published_ns = self._tell(part, message("{name} is published", name=name))
        self._version = name
        return RotationCourse(
            begun_ns=begun_ns, published_ns=published_ns, old_digest=self._credentials.digest, new_digest=new.digest
        )

    async def _followed(self, part: RotationPart, new: Credentials, course: RotationCourse) -> RotationCourse:
        """Until every pod's files and the Secret are of the new version, or the time has passed."""
        files_ns: int | None = None
        synced_ns: int | None = None
        again = polling(self._clock, limit_s=part.wait_s, every_s=_POLL_S)
        while True:
            versions = await self._store.versions()
            every = len(versions) >= self._replicas and set(versions.values()) == {self._version}
            if files_ns is None and every:
                files_ns = self._tell(part, message("every pod's files are of the new version"))
            if synced_ns is None and _is(await self._store.synced(), new):
                synced_ns = self._tell(part, message("the Secret is of the new version"))
            if (files_ns is not None and synced_ns is not None) or not await again():
                break
        seen = await self._store.seen(sorted(await self._store.versions()))
        return msgspec.structs.replace(course, files_ns=files_ns, synced_ns=synced_ns, variables_before_restart=seen)

    async def _restarted(self, part: RotationPart, course: RotationCourse) -> RotationCourse:
        if course.synced_ns is None:
            return course
        restarted_ns = self._tell(part, message("the pods are restarted"))
        await self._stack.restart()
        return msgspec.structs.replace(
            course, restarted_ns=restarted_ns, settled_ns=self._tell(part, message("the restart is complete"))
        )

    async def _under_load(self, part: RotationPart, rotate: Callable[[], Awaitable[RotationCourse]]) -> Did:
        """``rotate`` with the part's load over it."""
        load = await self._admitted()
        origin_ns = self._clock.now_ns() + round(_LEAD_S * NS)
        making = asyncio.ensure_future(load.step(step_of(part), origin_ns))
        try:
            await self._clock.sleep(_BEFORE_S)
            course = await rotate()
            await making
            self._on.details.steps.append((step_of(part), origin_ns))
        finally:
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)
        self._on.evidence.gather()
        loaded_ns = origin_ns + round(part.load_s * NS)
        return Rotated(origin_ns=origin_ns, course=msgspec.structs.replace(course, loaded_ns=loaded_ns))

    async def _admitted(self) -> StageProcesses:
        self._on.details.users = ACCOUNTS
        return await self._users.load()

    def _tell(self, part: RotationPart, said: Message) -> int:
        at_ns = self._clock.now_ns()
        self._on.evidence.event(at_ns, "phase", part.name, said)
        self._on.say(said)
        return at_ns


def _is(synced: Synced | None, wanted: Credentials) -> bool:
    return synced is not None and (synced.user, synced.digest) == (wanted.user, wanted.digest)


def _ended(sessions: int) -> Message:
    return message("{count} old sessions are ended", count=str(sessions))


def _revoked(user: str, sessions: int) -> Message:
    return message("the role {user} is revoked, {count} sessions of it ended", user=user, count=str(sessions))


class SecretRotation(InParts[RotationPlan, RotationDetails]):
    """The rehearsal: each part of the plan in turn, on one stack with a secret store."""

    name = "secret_rotation"
    plan, details = RotationPlan, RotationDetails
    phrases, ruled_by = PHRASES, ("checks", "secret_rotation")

    def stack_spec(self, plan: RotationPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """With a secret store where the environment has one."""
        secrets = SecretsPlan(poll_s=plan.poll_s, first=first)
        return replace(super().stack_spec(plan, options, manifests), secrets=secrets)

    def acts(self, plan: RotationPlan, on: RunContext[RotationDetails]) -> RotationActs:
        """With as many pods as the manifests name."""
        _ = plan
        return RotationActs(on, on.manifests.deployment.replicas)

    def loads(self, part: RotationPart) -> bool:
        """While a password is rotated."""
        return part.kind in (RotationPartKind.NAIVE, RotationPartKind.TWO_ROLES)

    def measured(self, plan: RotationPlan, seen: RunRecord[RotationDetails]) -> Iterable[Fact]:
        """From details and rows."""
        return facts(plan, seen.details, seen.evidence.ledger)

    def sections(self, plan: RotationPlan, seen: RunRecord[RotationDetails]) -> Iterable[Section]:
        """The phases of each rotation, and what was observed."""
        evidence, start_ns = seen.evidence, seen.facts.anchor.monotonic_ns
        return sections_of(plan, seen.details, evidence.events, start_ns)

    def costs(self, plan: RotationPlan, seen: RunRecord[RotationDetails]) -> Iterable[Cost]:
        """Of each rotation, from its first step to the end of its load."""
        for part, _, _ in ended(plan.parts, seen.details.runs):
            match seen.details.did.get(part.name):
                case Rotated(course=RotationCourse(begun_ns=begun_ns, loaded_ns=int(loaded_ns))):
                    yield cost_by_requests(message("the rotation"), seen.evidence, begun_ns, loaded_ns, part.name)


REHEARSAL = SecretRotation()
