"""The parts of the rehearsal: what each does to the stack, and the facts that it leaves for the judge."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from harness.base.clock import NS, polling
from harness.load.stages.admit import StepUsers
from harness.load.stages.process import StageProcesses
from harness.model.message import Message, message
from harness.model.secrets import Credentials, Synced
from harness.model.step import ACCOUNTS
from harness.rehearsal.running import Running
from harness.rehearsals.secret_rotation import trials
from harness.rehearsals.secret_rotation.roles import Roles, other
from harness.rehearsals.secret_rotation.types import (
    AsWritten,
    Course,
    Did,
    PartKind,
    Rotated,
    RotationDetails,
    RotationPart,
    Started,
    step_of,
)
from harness.stack.protocol import WithSecretStore

_LEAD_S = 0.5
_BEFORE_S = 10.0  # of undisturbed load before the first step
_POLL_S = 0.25


class Acts:
    """Runs parts on a stack that is up, with ``replicas`` pods."""

    def __init__(self, on: Running[RotationDetails], replicas: int) -> None:
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
            PartKind.AS_WRITTEN: self._as_written,
            PartKind.START: self._start,
            PartKind.NAIVE: self._naive,
            PartKind.TWO_ROLES: self._two_roles,
        }[part.kind]
        return await does(part)

    async def _as_written(self, part: RotationPart) -> Did:
        tried = trials.manifests_of(self._on.options.manifests, self._stack.rung)
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

    async def _in_place(self, part: RotationPart, new: Credentials) -> Course:
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

    async def _in_turn(self, part: RotationPart, new: Credentials) -> Course:
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

    async def _published(self, part: RotationPart, new: Credentials, begun_ns: int) -> Course:
        name = await self._store.publish(new)
        published_ns = self._tell(part, message("{name} is published", name=name))
        self._version = name
        return Course(
            begun_ns=begun_ns,
            published_ns=published_ns,
            old_digest=self._credentials.digest,
            new_digest=new.digest,
        )

    async def _followed(self, part: RotationPart, new: Credentials, course: Course) -> Course:
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

    async def _restarted(self, part: RotationPart, course: Course) -> Course:
        if course.synced_ns is None:
            return course
        restarted_ns = self._tell(part, message("the pods are restarted"))
        await self._stack.restart()
        return msgspec.structs.replace(
            course, restarted_ns=restarted_ns, settled_ns=self._tell(part, message("the restart is complete"))
        )

    async def _under_load(self, part: RotationPart, rotate: Callable[[], Awaitable[Course]]) -> Did:
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
