"""What a greenlet ends by that nobody joins: gevent prints it and goes on, and what it was to record is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent


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
