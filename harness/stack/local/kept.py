"""PostgreSQL and the Firebase parts kept running between runs: one run at a time takes them over, reset and proved.

A run never trusts what it finds: another checkout's parts, a dead one, or anything that is left in one after its
reset, and it starts its own, and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import sys
from pathlib import Path

from harness.base.data import ROOT
from harness.base.errors import RehearsalError
from harness.base.typed import PROGRAM
from harness.model.message import Message, Tell, message, of_error
from harness.model.stack import Address, Endpoints, Rung
from harness.stack.firebase import reset as firebase_reset
from harness.stack.local import postgres, postgres_programs, postgres_reset, postgres_template
from harness.stack.ready import CHECKS
from harness.stack.state import ProcessIdentity, identify, kept, run_folder, sweep
from harness.stack.state.lease import Lease, read_lease
from harness.stack.state.sweeping import end_run

PARTS = frozenset({"postgres", *CHECKS})
RESET_LIMIT_S = 15.0
ELSEWHERE = message("they run in another container")
RENEW = f"`{PROGRAM} stack keep`"
_PROGRAMS = ("harness/stack/firebase", "harness/model", "locks/run.lock")
_SUFFIXES = {".py", ".js", ".json", ".lock"}


def own_key() -> str:
    """Of this checkout: the lock file, what the parts are made of, how PostgreSQL is set, the Python that runs them."""
    digest = hashlib.sha256(
        f"{sys.version} {postgres_template.LAYOUT} {postgres.SETTINGS} {postgres_programs.server().named}".encode()
    )
    for name in _PROGRAMS:
        paths = sorted((ROOT / name).rglob("*")) if (ROOT / name).is_dir() else [ROOT / name]
        for path in paths:
            if path.suffix in _SUFFIXES:
                digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


class Borrowed:
    """The kept parts while they are this run's. ``give_back`` must follow; a killed run gives back by dying."""

    def __init__(self, found: kept.KeptSet, lease: Lease, holding: kept.Hold) -> None:
        self.endpoints: Endpoints = found.endpoints
        self.identities: dict[str, ProcessIdentity] = {part.part: part.identity for part in lease.parts}
        self._holding = holding

    def address(self, part: str) -> Address:
        """Where a part answers."""
        return address_of(self.endpoints, part)

    def log(self, part: str) -> Path:
        """A part's output since it was taken over."""
        return self._holding.folder / "logs" / f"{part}.log"

    def give_back(self, logs: Path) -> None:
        """Copies what the parts said into ``logs`` and lets the next run have them; idempotent."""
        if self._holding.closed:
            return
        for part in self.identities:
            with contextlib.suppress(OSError):
                shutil.copyfile(self.log(part), logs / f"{part}.log")
        try:
            if self._holding.down_asked:
                end_run(self._holding.folder)
        finally:
            self._holding.release()


def address_of(endpoints: Endpoints, part: str) -> Address:
    """Where a part answers, by its name in the lease."""
    address = endpoints.database if part == "postgres" else getattr(endpoints, part)
    assert isinstance(address, Address)
    return address


def trouble(found: kept.KeptSet | None, lease: Lease | None) -> Message | None:
    """Why kept parts cannot be used, as far as it shows from outside; ``None`` when nothing does."""
    if found is None or lease is None:
        return message("the keeping was cut short, or its record does not read")
    missing = PARTS - {part.part for part in lease.parts}
    if missing:
        return message("{parts} is not among them", parts=", ".join(sorted(missing)))
    if any(part.identity.elsewhere for part in lease.parts):
        return ELSEWHERE
    dead = [part.part for part in lease.parts if not part.identity.alive()]
    if dead:
        return message("{parts} died", parts=", ".join(dead))
    if found.key != own_key():
        return message("they are of another version of the checkout")
    return None


async def borrow(run_id: str, progress: Tell) -> Borrowed | None:
    """Takes kept parts over, reset and proved empty; ``None``, with the reason told, when this run starts its own."""
    if kept.read_kept(Rung.LOCAL) is None:
        return None
    holding = kept.hold(Rung.LOCAL)
    if holding is None:
        user = kept.last_user(Rung.LOCAL)
        by = message("a run") if user is None else user.run_id
        progress(message("the kept parts are in use by {run}: this run starts its own", run=by))
        return None
    taken = False
    try:
        _end_last_user(progress)
        found, lease = kept.read_kept(Rung.LOCAL), read_lease(holding.folder)
        why = trouble(found, lease)
        if found is not None and lease is not None and why is None:
            owner = identify(os.getpid())
            assert owner is not None
            holding.name(kept.User(run_id, owner))
            borrowed = Borrowed(found, lease, holding)
            _empty_logs(borrowed)
            why = await made_empty(found.endpoints)
            if why is None:
                taken = True
                progress(message("took over the kept parts, reset and proved empty"))
                return borrowed
        assert why is not None
        progress(
            message(
                "the kept parts are not used ({why}): this run starts its own; {command} renews them",
                why=why,
                command=RENEW,
            )
        )
        return None
    finally:
        if not taken:
            holding.release()


def _end_last_user(progress: Tell) -> None:
    """A killed run's pods could still write into what is reset here."""
    user = kept.last_user(Rung.LOCAL)
    if user is not None and not user.owner.alive() and run_folder(user.run_id).exists():
        sweep(lambda line: progress(message("left by a killed run: {what}", what=line)))


def _empty_logs(borrowed: Borrowed) -> None:
    """The parts append, so that they go on at the start."""
    for part in borrowed.identities:
        if borrowed.log(part).exists():
            os.truncate(borrowed.log(part), 0)


async def made_empty(endpoints: Endpoints) -> Message | None:
    """Resets, then looks; why they are not empty, ``None`` when they are. About 0.5 s."""
    try:
        async with asyncio.timeout(RESET_LIMIT_S):
            await asyncio.gather(firebase_reset.reset(endpoints), postgres_reset.reset(endpoints))
            held = await asyncio.gather(firebase_reset.left(endpoints), postgres_reset.left(endpoints))
    except (RehearsalError, TimeoutError) as error:
        why = of_error(error) if isinstance(error, RehearsalError) else message("too slow")
        return message("their reset failed: {why}", why=why)
    left = "; ".join(line for lines in held for line in lines)
    return message("their reset left something: {left}", left=left) if left else None
