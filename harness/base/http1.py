"""One HTTP/1.1 exchange on asyncio streams; h11 knows the protocol. Shared by every client of ours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

import h11
import msgspec

BLOCK_BYTES = 65_536
#: For how long bytes behind an answer are awaited on a connection that ends with it.
BEHIND_S = 0.05
MOST_PIECES = 20_000  # of one answer, be they chunks or interim answers: each takes h11 some 25 µs


class TooLong(EOFError):  # noqa: N818 - an outcome, not an error
    """The answer is larger than its reader takes, head and trailers too: that is the server's fault."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer; header names are in lower case.

    ``head`` is the reason and every header as they came, trailers and those of interim answers too; ``behind`` is what
    followed the answer on the connection, which belongs to nothing.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    head: bytes = b""
    behind: bytes = b""


class AnswerReader:
    """One answer to what ``connection`` has sent, made of the bytes that arrive: no more of them than ``most_bytes``,
    in no more than ``MOST_PIECES``, and no head larger than h11 takes (16 KiB unless ``connection`` says otherwise).
    """

    def __init__(self, connection: h11.Connection, most_bytes: int) -> None:
        self._connection = connection
        self._most_bytes = most_bytes
        self._status, self._headers = 0, dict[str, str]()
        self._head, self._body = bytearray(), bytearray()
        self._pieces = 0
        self.received = 0

    @property
    def seen(self) -> bytes:
        """What arrived of an answer that is not whole."""
        return b"\n".join((self._head, self._body, self._connection.trailing_data[0]))

    @property
    def reusable(self) -> bool:
        """Whether the connection may carry another exchange."""
        return self._connection.states == {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}

    def add(self, data: bytes) -> Answer | None:
        """Take what arrived, b"" for the end of the connection, and return the answer once it is whole.

        Raises ``TooLong``, ``EOFError`` where the connection ended before, or ``h11.RemoteProtocolError``.
        """
        self.received += len(data)
        self._connection.receive_data(data)
        try:
            return self._answer()
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == 431:  # h11's word for a head or a trailer beyond its bound
                raise TooLong("the head of the answer is too large") from error
            if not data:
                raise EOFError(str(error)) from error
            raise

    def _answer(self) -> Answer | None:
        while (event := self._connection.next_event()) is not h11.NEED_DATA:
            self._pieces += 1
            if isinstance(event, h11.ConnectionClosed):
                raise EOFError("the connection ended before the whole answer")  # noqa: TRY004 - of the server
            if isinstance(event, h11.Data):
                self._body += event.data
            else:
                assert isinstance(event, h11.InformationalResponse | h11.Response | h11.EndOfMessage)
                self._head += b"" if isinstance(event, h11.EndOfMessage) else event.reason + b"\n"
                self._head += b"".join(name + b": " + value + b"\n" for name, value in event.headers)
            if isinstance(event, h11.Response):
                self._status = event.status_code
                self._headers = {name.decode("ascii"): value.decode("latin-1") for name, value in event.headers}
            elif isinstance(event, h11.EndOfMessage):
                body, head, behind = bytes(self._body), bytes(self._head), self._connection.trailing_data[0]
                return Answer(status=self._status, headers=self._headers, body=body, head=head, behind=behind)
            if self._pieces > MOST_PIECES:
                raise TooLong(f"the answer came in more than {MOST_PIECES} pieces")
        if self.received > self._most_bytes:
            raise TooLong(f"the answer is larger than {self._most_bytes} bytes")
        return None


def asking(
    method: str,
    target: str,
    *,
    host: str,
    token: str = "",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    most_bytes: int,
) -> tuple[bytes, AnswerReader]:
    """A request as it is sent, and what reads its answer. An empty ``token`` is not sent; a body is JSON where
    ``headers`` do not say what else it is, and the connection is to end behind the answer.
    """
    sent = {"Host": host, "Connection": "close"}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    if body:
        sent |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    sent |= headers or {}
    connection = h11.Connection(h11.CLIENT)
    head = h11.Request(method=method, target=target, headers=list(sent.items()))
    events = (head, h11.Data(data=body), h11.EndOfMessage())
    return b"".join(connection.send(event) or b"" for event in events), AnswerReader(connection, most_bytes)


async def exchange(
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], asked: tuple[bytes, AnswerReader]
) -> Answer:
    """One request, as ``asking`` gives it, on a new connection, which it closes, and its answer."""
    reader, writer = streams
    sending, reading = asked
    try:
        # No drain: a server may answer, and close, before it has read a body that is too large.
        writer.write(sending)
        answer = await read_answer(reading, reader)
        if answer.behind or reading.reusable:
            return answer
        with contextlib.suppress(OSError):  # a time-out is one; a right server ends at once
            async with asyncio.timeout(BEHIND_S):
                answer = msgspec.structs.replace(answer, behind=await reader.read(BLOCK_BYTES))
        return answer
    finally:
        writer.close()


async def read_answer(reading: AnswerReader, reader: asyncio.StreamReader) -> Answer:
    """Read until the answer is whole. Bounded in time by the caller.

    Raises what ``AnswerReader.add`` does, or ``OSError``.
    """
    while (answer := reading.add(await reader.read(BLOCK_BYTES))) is None:
        pass
    return answer
