"""A lock between harnesses: what is made once a machine is made by one of them while the others wait."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import AsyncIterator
from pathlib import Path

from harness.base.clock import Clock, polling
from harness.base.errors import StackNotStarted
from harness.model.message import Tell, message

_POLL_S = 0.5


@contextlib.asynccontextmanager
async def locked(path: Path, clock: Clock, progress: Tell, *, limit_s: float) -> AsyncIterator[int]:
    """Holds the lock file ``path``; gives its file descriptor, which a program may keep open and so hold too.

    Raises ``StackNotStarted`` when another holds it for ``limit_s``, or when it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise StackNotStarted(
            message("the machine-wide folder cannot be written: {error}", error=str(error)),
            where=str(path),
            remedy="make it writable, or name another in TEKUTOKO_REHEARSAL_HOME",
        ) from error
    with file:
        again = polling(clock, limit_s=limit_s, every_s=_POLL_S)
        told = False
        while not _taken(file.fileno()):
            if not told:
                progress(message("another harness is at work on {what}; waiting for it", what=path.stem))
                told = True
            if not await again():
                raise StackNotStarted(
                    message(
                        "another harness holds {stem} for more than {limit_s} s", stem=path.stem, limit_s=f"{limit_s:g}"
                    ),
                    where=str(path),
                    remedy="end it, then run this again",
                )
        yield file.fileno()


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
