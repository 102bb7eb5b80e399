"""What every load process on gevent does beside its users: it hears the harness, flushes its evidence, renews tokens,
and tells what a greenlet ends by that nobody joins: gevent prints it and goes on, and what it was to record is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import gevent
from gevent.os import make_nonblocking, nb_read

from harness.base.errors import EvidenceNotWritten
from harness.load.auth import RENEW_EVERY_S, SignedIn, renew
from harness.load.recorder import FLUSH_EVERY_S, Recorder
from harness.model.stack import Address

_MOST_BYTES = 4096


def lines_of_input() -> Iterator[bytes]:
    """Each line of the standard input as it comes, until its end."""
    make_nonblocking(0)
    rest = b""
    while block := nb_read(0, _MOST_BYTES):
        *lines, rest = (rest + block).split(b"\n")
        yield from lines


def flush_always(recorder: Recorder, failed: Callable[[Exception], None]) -> None:
    """Until it is killed, or the disk refuses."""
    while True:
        gevent.sleep(FLUSH_EVERY_S)
        try:
            recorder.flush()
        except EvidenceNotWritten as error:
            failed(error)
            return


def renew_always(auth: Address, those: Collection[SignedIn]) -> None:
    """Until it is killed: a token that is about to end is renewed. Raises ``MeasurementFailed``."""
    while True:
        gevent.sleep(RENEW_EVERY_S)
        renew(auth, those)


def tell_of_every_greenlet(failed: Callable[[Exception], None]) -> None:
    """Tells ``failed`` of each exception that ends a greenlet of this thread; it is printed as well.

    Users are greenlets, and so are their flag's fetches, their uploads, the flushing of the spool: of none may an
    exception be silent. One greenlet's kill and ``gevent.Timeout`` are no exceptions in this sense.
    """
    hub = gevent.get_hub()
    shown = hub.handle_error

    def handle(context: Any, kind: Any, value: Any, trace: Any) -> None:
        shown(context, kind, value, trace)
        error = kind(value) if isinstance(kind, type) and not isinstance(value, BaseException) else value
        if isinstance(error, Exception):
            failed(error)

    hub.handle_error = handle
