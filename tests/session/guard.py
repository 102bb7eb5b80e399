"""Fails a test of an in-process group that starts a process or connects to a socket, with the marker it needs.

The interpreter's own audit events tell (PEP 578): they see subprocess, asyncio, gevent and asyncpg alike, in any thread.
What C code opens by itself (gRPC) they do not see; its server would have to be started first, and that they see. The
start is refused and noted, so that a test fails also where the code under test catches the refusal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_STARTS = frozenset(
    {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.spawn", "os.system", "pty.spawn"}
)
_CONNECTS = "socket.connect"


class OutOfProcess(RuntimeError):
    """A test of an in-process group reached out of its process."""


class _Watch:
    """The test that is guarded now, and what it did in spite of that. One at a time: tests run one after the other."""

    test = ""
    seen: tuple[str, ...] = ()
    installed = False


def _sentence(event: str, arguments: tuple[Any, ...]) -> str:
    if event == _CONNECTS:
        return f"connects to {arguments[1]!r}"
    what = arguments[1] if event == "subprocess.Popen" and len(arguments) > 1 else ""
    return f"starts a process ({event}{f': {what!r}'[:200] if what else ''})"


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if not _Watch.test or (event not in _STARTS and event != _CONNECTS):
        return
    sentence = _sentence(event, arguments)
    _Watch.seen = (*_Watch.seen, sentence)
    raise OutOfProcess(told(_Watch.test, sentence))


def told(test: str, sentence: str) -> str:
    """What is wrong and what to do."""
    return (
        f"{test} {sentence}, but has no marker that allows it. To do: mark it `process`, or `stack`, `kind`, `browser`, "
        "`oracle`, `compose` if it needs that (CONTRIBUTING.md, Groups of tests); or keep it in process."
    )


@contextmanager
def watching(test: str) -> Iterator[None]:
    """Refuses starts and connections within; raises ``OutOfProcess`` at the end when one was tried and hidden.

    "" watches nothing: what a marked test runs under.
    """
    _install()
    before = _Watch.test, _Watch.seen
    _Watch.test, _Watch.seen = test, ()
    try:
        yield
        seen = _Watch.seen
    finally:
        _Watch.test, _Watch.seen = before
    if seen:
        raise OutOfProcess(told(test, seen[0]))


def _install() -> None:
    """Adds the hook once: the interpreter can never take one away."""
    if not _Watch.installed:
        sys.addaudithook(_heard)
        _Watch.installed = True
