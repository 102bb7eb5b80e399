"""A port for a listener that is started beside the stack. Only of the standard library: an image has this file too."""

import contextlib
import functools
import itertools
import os
import random
import socket
from collections.abc import Iterator

#: Above those that Linux gives to connections (``net.ipv4.ip_local_port_range``): no connection of another program
#: takes one between its choice and its listener's start.
_BESIDE = range(61_000, 65_536)


@functools.cache
def _order() -> Iterator[int]:
    """Of this process's own: those that start together have ids in a row, and each begins with another port; then by
    chance. None comes again before all others have."""
    first = _BESIDE[os.getpid() % len(_BESIDE)]
    others = random.SystemRandom().sample(_BESIDE, len(_BESIDE))
    return itertools.cycle([first, *(port for port in others if port != first)])


def any_free_port(host: str = "127.0.0.1") -> int:
    """One that nobody listens on; where all of the range are taken, one of the system's own choice.

    Raises ``OSError`` where nobody can listen on ``host``.
    """
    for port in itertools.islice(_order(), len(_BESIDE)):
        with contextlib.suppress(OSError):
            return _bound(port, host)
    return _bound(0, host)


def _bound(port: int, host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, port))
        return int(probe.getsockname()[1])
