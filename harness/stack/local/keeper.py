"""``stack keep`` on the local rung: starts PostgreSQL and the Firebase parts and leaves them running."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from harness.base.clock import Clock, utc
from harness.base.errors import StackNotStarted
from harness.base.typed import PROGRAM
from harness.model.message import Message, Tell, message
from harness.model.stack import Rung
from harness.stack.feed import Feed
from harness.stack.keeping import PartStatus, Standing
from harness.stack.local.kept import ELSEWHERE, PARTS, address_of, made_empty, own_key, trouble
from harness.stack.local.parts import Parts
from harness.stack.local.sampler import proportional_bytes
from harness.stack.local.teardown import end_strays
from harness.stack.state import Condition, RunState, condition, kept
from harness.stack.state.lease import Lease, read_lease
from harness.stack.state.sweeping import end_run
from harness.stack.waiting import together

RUNG = Rung.LOCAL


class LocalKeeper:
    """The ``Keeper`` of real processes on this machine."""

    rung = RUNG

    async def keep(self, clock: Clock, progress: Tell) -> None:
        """About 4 s. Ctrl-C in the middle leaves nothing."""
        folder = kept.kept_folder(RUNG)
        if folder.exists():
            why = trouble(kept.read_kept(RUNG), read_lease(folder))
            if why is None:
                progress(message("the parts are kept already"))
                return
            with self._free(why):  # no run takes them over meanwhile
                progress(message("replacing the kept parts: {why}", why=why))
                end_run(folder, living=False)
        await _start(clock, progress)

    def status(self) -> Standing | None:
        """From the lease and the system; asks no part."""
        folder = kept.kept_folder(RUNG)
        if not folder.exists():
            return None
        found, lease = kept.read_kept(RUNG), read_lease(folder)
        user = kept.last_user(RUNG) if kept.in_use(RUNG) else None
        return Standing(
            kind="kept",
            rung=RUNG,
            run_id=folder.name,
            since_utc=found.kept_utc if found is not None else "",
            owner_pid=0,
            used_by=user.run_id if user is not None else "",
            trouble=trouble(found, lease),
            parts=_parts(lease, found),
        )

    def down(self, *, force: bool) -> list[Message]:
        """Also what is half dead, of another checkout, or was cut short."""
        folder = kept.kept_folder(RUNG)
        if not folder.exists():
            return []
        if force:
            return end_run(folder)
        if condition(folder) is Condition.LIVES:
            return [message("kept parts: another process is bringing them up; wait for it, or add --force")]
        holding = kept.hold(RUNG)
        if holding is None and kept.in_use(RUNG):
            user = kept.last_user(RUNG)
            kept.ask_down(RUNG)
            who = user.run_id if user else message("a run")
            return [message("kept parts: {run} uses them; they end when it gives them back", run=who)]
        try:
            return end_run(folder, living=False)
        finally:
            if holding is not None:
                holding.release()

    @contextlib.contextmanager
    def _free(self, why: Message) -> Iterator[None]:
        """Holds what is to be replaced. Raises ``StackNotStarted`` where somebody has it."""
        found = condition(kept.kept_folder(RUNG))
        if found is Condition.LIVES:
            told = message("another process is bringing the parts up")
            raise StackNotStarted(told, where=str(kept.kept_folder(RUNG)), remedy="wait for it")
        if found is Condition.KEPT and why == ELSEWHERE:
            raise StackNotStarted(
                "parts are kept in another container that shares this folder",
                where=str(kept.kept_folder(RUNG)),
                remedy=message(
                    "end them there with `{program} stack down`, or name another TEKUTOKO_REHEARSAL_HOME",
                    program=PROGRAM,
                ),
            )
        holding = kept.hold(RUNG)
        if holding is None and kept.in_use(RUNG):
            user = kept.last_user(RUNG)
            raise StackNotStarted(
                message(
                    "the kept parts cannot be replaced ({why}): {run} uses them",
                    why=why,
                    run=user.run_id if user else message("a run"),
                ),
                where=str(kept.kept_folder(RUNG)),
                remedy=message("wait for it to end, or end them with `{program} stack down --force`", program=PROGRAM),
            )
        try:
            yield
        finally:
            if holding is not None:
                holding.release()


def _parts(lease: Lease | None, found: kept.KeptSet | None) -> tuple[PartStatus, ...]:
    return tuple(
        PartStatus(
            part=part.part,
            pid=part.identity.pid,
            alive=part.identity.alive(),
            port=address_of(found.endpoints, part.part).port if found is not None else 0,
            memory_bytes=proportional_bytes([part.identity.pid]) if part.identity.alive() else 0,
        )
        for part in (lease.parts if lease is not None else ())
    )


async def _start(clock: Clock, progress: Tell) -> None:
    begun = RunState.begin(kept.id_to_keep(RUNG))
    parts: Parts | None = None
    try:
        progress(message("starting the parts to keep"))
        parts = Parts(begun, begun.folder / "logs", clock, Feed(clock))
        await together(parts.start_emulators(progress), parts.start_postgres(progress))
        why = await made_empty(parts.endpoints())  # so that no run waits for what an emulator does at first use
        if why is not None:
            raise StackNotStarted(message("the parts came up, but {why}", why=why), where=str(begun.folder))
        begun.lease.parts = [part for part in begun.lease.parts if part.part in PARTS]
        now_utc = utc(clock.anchor, clock.now_ns())
        kept.write_kept(kept.KeptSet(rung=RUNG, key=own_key(), kept_utc=now_utc, endpoints=parts.endpoints()))
        begun.keep()
    except BaseException:
        await asyncio.shield(asyncio.ensure_future(_undo(begun, parts, clock)))
        raise
    progress(message("the parts are kept: the next runs take them over"))


async def _undo(state: RunState, parts: Parts | None, clock: Clock) -> None:
    if parts is not None:
        await parts.stop_back()
    await end_strays(state, clock)
    state.end()
