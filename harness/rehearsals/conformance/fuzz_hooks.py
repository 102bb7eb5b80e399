"""Read by schemathesis itself (``SCHEMATHESIS_HOOKS``): each request in the name of the next of many users.

With one user the contract's limit of 100 requests a minute would answer 429 before a case could show anything.
schemathesis' client reads and keeps whatever comes: here an answer has a bound, and one line of ``ANSWERS``.
"""

from __future__ import annotations

import http.client
import itertools
import os
import socket
import sys
from pathlib import Path
from typing import Any

import msgspec
import requests
import schemathesis
import urllib3

TOKENS_VARIABLE = "REHEARSAL_FUZZ_TOKENS"  # the file with one ID token a line
ANSWERS = "fuzz.answers"  # where schemathesis was started
MOST_BYTES, MOST_HEAD = 4_000_000, 32_768  # of one answer, as of the load's; its head with 8 KiB behind
KEPT = 4_000  # of a body, in schemathesis' memory and files; its checks see the whole
_tokens = itertools.cycle(Path(os.environ[TOKENS_VARIABLE]).read_text().split())
_answers = Path(ANSWERS).open("ab", buffering=0)  # noqa: SIM115 - as long as schemathesis lives


class AnswerTooLong(OSError):  # noqa: N818 - an outcome, not an error
    """The answer is larger than its reader takes."""


class _Received(socket.SocketIO):
    """What comes of one answer."""

    received = 0

    def readinto(self, buffer: Any) -> int | None:
        read = super().readinto(buffer)
        self.received += read or 0
        if self.received > MOST_BYTES:
            raise AnswerTooLong(f"the answer is larger than {MOST_BYTES} bytes")
        return read


class _Answer(http.client.HTTPResponse):
    def begin(self) -> None:
        super().begin()
        if isinstance(raw := getattr(self.fp, "raw", None), _Received) and raw.received > MOST_HEAD:
            raise AnswerTooLong("the head of the answer is too large")


class _Response(requests.Response):
    @property
    def content(self) -> bytes:
        try:
            return super().content
        except requests.RequestException as error:
            error.request = self.request  # else schemathesis counts no such request
            raise


requests.adapters.Response = _Response  # type: ignore[misc]
socket.SocketIO = _Received  # type: ignore[misc]
urllib3.connection.HTTPConnection.response_class = _Answer
urllib3.HTTPResponse.CONTENT_DECODERS = []  # what is unpacked has no bound, and nobody asks for packed answers


@schemathesis.hook
def after_load_schema(context: schemathesis.HookContext, schema: Any) -> None:  # noqa: ARG001 - the hook's signature
    """Bounds what is kept of a body."""
    schema.config.output.truncation.max_recorded_payload_size = KEPT


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:  # noqa: ARG001 - the hook's signature
    """Signs the request in."""
    case.headers["Authorization"] = f"Bearer {next(_tokens)}"
    case.headers["Accept-Encoding"] = "identity"


def _told(request: requests.PreparedRequest, status: int, body: str, *, endless: bool = False) -> None:
    line = {"method": request.method, "url": request.url, "status": status, "body": body[:300], "endless": endless}
    _answers.write(msgspec.json.encode(line) + b"\n")


@schemathesis.hook
def after_call(
    context: schemathesis.HookContext,  # noqa: ARG001 - the hook's signature
    case: schemathesis.Case[Any],  # noqa: ARG001 - the hook's signature
    response: schemathesis.Response,
) -> None:
    """Tells an answer."""
    _told(response.request, response.status_code, (response.content or b"")[:300].decode(errors="replace"))


@schemathesis.hook
def after_network_error(
    context: schemathesis.HookContext,  # noqa: ARG001 - the hook's signature
    case: schemathesis.Case[Any],  # noqa: ARG001 - the hook's signature
    request: requests.PreparedRequest,
) -> None:
    """Tells why there is none."""
    why = repr(sys.exc_info()[1])
    _told(request, 0, why, endless="TooLong" in why)  # a line of the head beyond http.client's bound, too
