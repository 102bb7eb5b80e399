"""One HTTP/1.1 exchange on a connection of its own, in an event loop, and how any exchange of the load may end."""

from __future__ import annotations

import asyncio

import h11
import msgspec

from harness.base import http1
from harness.load.errors import of_this_machine
from harness.model.evidence import Outcome, Wire
from harness.model.stack import Address

MOST_BYTES = 4_000_000  # of one answer: a page of the longest walks that the load makes is shorter

#: What phones and probes say of themselves, alike, so that no target tells probes from users by it.
OF_THE_APP = {"Accept": "application/json", "User-Agent": "TekuToko/2.1 CFNetwork/1568.200.51 Darwin/24.1.0"}


class PhoneAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer; ``head`` and ``behind`` as in ``harness.base.http1``. ``retried``: to the second sending."""

    status: int
    body: bytes
    pod: str
    head: bytes = b""
    behind: bytes = b""
    retried: bool = False


class NoAnswer(EOFError):  # noqa: N818 - an outcome, not an error
    """The exchange ended without a whole answer. ``seen`` is what came; ``retried`` when it had been sent twice."""

    status, pod = 0, ""

    def __init__(
        self, outcome: Outcome, why: str, *, wire: Wire = Wire.CLEAN, seen: bytes = b"", retried: bool = False
    ) -> None:
        super().__init__(why)
        self.outcome = outcome
        self.wire = wire
        self.seen = seen
        self.retried = retried


class ConnectionRefused(NoAnswer):
    """No connection was made."""

    def __init__(self, why: str) -> None:
        super().__init__(Outcome.REFUSED, why)


#: What an exchange that began may raise.
BROKEN = (OSError, EOFError, h11.RemoteProtocolError)


def broken(error: Exception, reading: http1.AnswerReader) -> NoAnswer:
    """How an exchange ended by ``error``, one of ``BROKEN``. An answer beyond the bound is bad: it is there."""
    wire = Wire.CUT if reading.received else Wire.CLOSED
    if isinstance(error, h11.RemoteProtocolError):
        wire = Wire.GARBLED
    outcome = Outcome.BROKEN
    if isinstance(error, http1.TooLong):
        outcome, wire = Outcome.BAD_ANSWER, Wire.TOO_LONG
    return NoAnswer(outcome, f"{type(error).__name__}: {error}", wire=wire, seen=reading.seen)


def whole(answer: http1.Answer) -> PhoneAnswer:
    """The answer with the pod that it names."""
    pod = answer.headers.get("x-pod-name", "")
    return PhoneAnswer(status=answer.status, body=answer.body, pod=pod, head=answer.head, behind=answer.behind)


async def over_socket(address: Address, method: str, path: str, token: str, body: bytes) -> PhoneAnswer:
    """The answer; an empty ``token`` is not sent.

    Raises ``NoAnswer``, and ``MeasurementFailed`` where this machine has no room for a connection.
    Bounded in time by the caller, who may cancel it at any moment.
    """
    asked = http1.asking(
        method, path, host=str(address), token=token, headers=OF_THE_APP, body=body, most_bytes=MOST_BYTES
    )
    try:
        streams = await asyncio.open_connection(address.host, address.port)
    except OSError as error:
        raise of_this_machine(error) or ConnectionRefused(str(error)) from error
    try:
        return whole(await http1.exchange(streams, asked))
    except asyncio.CancelledError as cancelled:
        cancelled.args = (asked[1].seen,)  # for whoever limits the time: what came of an answer that is not whole
        raise
    except BROKEN as error:
        raise broken(error, asked[1]) from error
