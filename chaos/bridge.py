"""The line to the harness: one JSON object a line over a Unix socket, a request and its answer at a time."""

from __future__ import annotations

import json
import os
import socket
from typing import Any

#: Names the socket in the environment of ``chaos.toolkit``.
SOCKET = "TEKUTOKO_CHAOS_SOCKET"
LIMIT_S = 600.0


class Refused(Exception):  # noqa: N818 - an answer, not a defect
    """The harness refused, or the stack could not do it."""


def ask(call: str, **arguments: Any) -> Any:
    """What the harness answers to ``call``. Raises ``Refused`` with its words, ``OSError`` when it is gone."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(LIMIT_S)
        line.connect(os.environ[SOCKET])
        line.sendall(json.dumps({"call": call, "arguments": arguments}).encode() + b"\n")
        answer = json.loads(line.makefile("rb").readline() or b'{"error": "the harness hung up"}')
    if "error" in answer:
        raise Refused(answer["error"])
    return answer["result"]
