"""Ports for servers that a test starts by itself: of one guarded range a process, so that nobody beside it, test or run
or connection, takes one between its choice and its server's start.
"""

from __future__ import annotations

import functools

from harness.model.stack import Address
from harness.stack.state.ports import HOST, PortSlot


@functools.cache
def _slot() -> PortSlot:
    return PortSlot()  # the system frees it with the process


def hold() -> None:
    """Takes the range now: taken later, it may be that of a run that a test has just killed, and counts the leaks of."""
    _slot()


def free_port() -> int:
    """One that nobody listens on; a range's other ports come before it comes again."""
    port = _slot().take()
    _slot().give_back(port)
    return port


def free_address() -> Address:
    """The same on loopback."""
    return Address(host=HOST, port=free_port())
