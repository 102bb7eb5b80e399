"""How a load process can fail, and the exit status it then ends in. Never a failure of the target."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.base.errors import MeasurementFailed, PartDied
from harness.model.message import message

OK = 0
BAD_PLAN = 2
MEASUREMENT = 3
EVIDENCE = 4

_NO_ROOM = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
#: Why no connection is made that no target is asked for.
_OURS = frozenset({errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EADDRNOTAVAIL})
_TAIL_BYTES = 2_000


@contextmanager
def starting(name: str, log: Path) -> Iterator[None]:
    """That the machine cannot start the process ``name`` in the block is ``PartDied``."""
    try:
        yield
    except OSError as error:
        raise PartDied(
            message("the {name} process cannot be started: {why}", name=name, why=str(error.strerror)),
            where=str(log),
            remedy="close other programs: there is no memory, process or open file left for it"
            if error.errno in _NO_ROOM
            else "",
        ) from error


def of_this_machine(error: OSError) -> MeasurementFailed | None:
    """That a connection was not made because this machine has no file, port or memory for it; ``None`` of one that a
    target refused."""
    if error.errno not in _OURS:
        return None
    what = message("this machine could not make a connection: {why}", why=error.strerror or str(error))
    return MeasurementFailed(what, remedy="close other programs, or raise `ulimit -n`")


def tail(log: Path) -> str:
    """The last of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
    except OSError as error:
        return f"its log cannot be read ({error.strerror})"
