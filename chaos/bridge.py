"""The line to the harness: one JSON object a line over a Unix socket, a request and its answer at a time."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.base.home import runs_folder

#: Names the socket; without it the experiment is made on the only stack that is up.
SOCKET = "TEKUTOKO_CHAOS_SOCKET"
_LONGEST_BYTES = 107  # of a Unix socket's path on Linux
_OPEN_FILES = Path("/proc/self/fd")


class Refused(Exception):  # noqa: N818 - an answer, not a defect
    """The harness refused, or the stack could not do it."""


@contextlib.contextmanager
def reached(path: Path) -> Iterator[str]:
    """A name of the socket ``path`` that the system takes: a longer one goes by its folder's open file."""
    if len(os.fsencode(path)) <= _LONGEST_BYTES or not _OPEN_FILES.exists():
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield str(_OPEN_FILES / str(folder) / path.name)
    finally:
        os.close(folder)


def _of_the_stack() -> Path:
    """Return the socket of the only ``stack up`` there is. Raises ``Refused``."""
    found = [record.with_name("chaos") / "sock" for record in runs_folder().glob("*/stack.json")]
    if len(found) != 1:
        raise Refused(
            f"one stack is wanted, and {len(found)} are up: python3 -m harness stack up --detach begins one; of several"
            f" {SOCKET} names the socket: {', '.join(map(str, found))}"
        )
    return found[0]


def ask(call: str, **arguments: Any) -> Any:
    """What the harness answers to ``call``, however long that takes: the harness ends Chaos Toolkit in time. Raises
    ``Refused`` with its words, ``OSError`` when it is gone."""
    with socket.socket(socket.AF_UNIX) as line:
        with reached(Path(os.environ.get(SOCKET) or _of_the_stack())) as name:
            line.connect(name)
        line.sendall(json.dumps({"call": call, "arguments": arguments}).encode() + b"\n")
        answer = json.loads(line.makefile("rb").readline() or b'{"error": "the harness hung up"}')
    if "error" in answer:
        raise Refused(answer["error"])
    return answer["result"]
