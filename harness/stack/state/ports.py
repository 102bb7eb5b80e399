"""Free ports, in slots that two runs never share.

A run listens on the first port of one slot and takes its own from the rest of that slot's range, each tried by binding
it. A lock that is a port is the machine's: it holds between users and between folders of state too. The ranges lie
below the ephemeral ports, so that no outgoing connection of another program can sit on one.
"""

from __future__ import annotations

import contextlib
import socket
from collections import deque

import msgspec
import psutil

from harness.base.errors import StackNotStarted
from harness.base.free_port import any_free_port
from harness.model.message import message

FIRST_PORT = 20_000
PORTS_PER_SLOT = 160  # 36 pods, of four each, and what is beside them
SLOTS = 75
HOST = "127.0.0.1"


class PortHolder(msgspec.Struct, frozen=True):
    """Who listens on a port; ``pid`` 0 when the system does not tell."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command})" if self.pid else "a process of another user"


def can_bind(port: int, host: str = HOST) -> bool:
    """Whether a server could listen on ``port`` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def listening(ports: set[int]) -> dict[int, int]:
    """Of ``ports``, those that somebody listens on, with the process id (0 when unknown)."""
    found: dict[int, int] = {}
    with contextlib.suppress(psutil.AccessDenied):
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port in ports:
                found[connection.laddr.port] = connection.pid or found.get(connection.laddr.port, 0)
    return found


def holder_of(port: int) -> PortHolder | None:
    """Who listens on ``port``; ``None`` when nobody does."""
    found = listening({port})
    if port not in found:
        return None
    with contextlib.suppress(psutil.Error, OSError):
        return PortHolder(found[port], " ".join(psutil.Process(found[port]).cmdline())[:120])
    return PortHolder(0, "")


def _guard(port: int) -> socket.socket | None:
    """A socket that listens on ``port`` and answers nobody; ``None`` when somebody else has it."""
    guard = socket.socket()
    try:
        guard.bind((HOST, port))
        guard.listen(1)
    except OSError:
        guard.close()
        return None
    return guard


def _check_loopback() -> None:
    """Raises ``StackNotStarted`` where nobody can listen on 127.0.0.1, whatever the port."""
    try:
        any_free_port()
    except OSError as error:
        raise StackNotStarted(
            message("nothing can listen on {host}: {strerror}", host=HOST, strerror=str(error.strerror)),
            where=HOST,
            remedy=message(
                "{host} must be up; `ip addr add {host}/8 dev lo` as root, or run where IPv4's loopback is", host=HOST
            ),
        ) from error


class PortSlot:
    """One run's range of ports; held until ``release`` or the death of this process, in which the system frees it."""

    def __init__(self) -> None:
        """Takes the first free slot. Raises ``StackNotStarted`` when ``SLOTS`` runs are live, or without loopback."""
        for index in range(SLOTS):
            first = FIRST_PORT + index * PORTS_PER_SLOT
            if (guard := _guard(first)) is not None:
                break
        else:
            _check_loopback()
            raise StackNotStarted(
                message(
                    "all {slots} ranges of ports from {first_port} on are taken by live runs",
                    slots=str(SLOTS),
                    first_port=str(FIRST_PORT),
                ),
                where=HOST,
                remedy="wait for another run to end, or end it",
            )
        self._guard = guard
        self._free = deque(range(first + 1, first + PORTS_PER_SLOT))
        self.taken: set[int] = set()

    def take(self) -> int:
        """A port nobody listens on. Raises ``StackNotStarted`` when the range is used up."""
        for _ in range(len(self._free)):
            port = self._free.popleft()
            if can_bind(port):
                self.taken.add(port)
                return port
            self._free.append(port)
        raise StackNotStarted(
            message("no free port left of {ports_per_slot} in this run's range", ports_per_slot=str(PORTS_PER_SLOT)),
            where=message("{host}, ports {port} and above", host=HOST, port=str(self._guard.getsockname()[1])),
            remedy="end programs that listen between 20000 and 32000, or ask for fewer replicas",
        )

    def give_back(self, port: int) -> None:
        """The port may be taken again, after all others."""
        if port in self.taken:
            self.taken.discard(port)
            self._free.append(port)

    def release(self) -> None:
        """Lets another run have the slot; idempotent."""
        self._guard.close()
