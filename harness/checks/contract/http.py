"""One HTTP/1.1 request on a connection of its own, kept whole: its raw bytes, a curl line, and what came back."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import h11
import msgspec

from harness.base.http1 import AnswerReader, read_answer
from harness.base.theirs import read_json
from harness.model.stack import Address

TIMEOUT_S = 10.0
_SILENT = "not"  # how ``broken`` begins when the connection was open all the time
MAX_ANSWER_BYTES = 16 * 1024 * 1024
_SHOWN = 300  # characters of a body in a message
_Opening = Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
_Read = tuple[int, dict[str, str], bytes, bytes]  # status, headers and body of an answer, and what came behind it
#: Opens a connection to the target. Raises ``OSError``.
Connect = Callable[[Address], _Opening]
#: Headers as they are sent: a name may come more than once, and a value need be no legal one.
Headers = Mapping[str, str] | Sequence[tuple[str, str]]
_CURL_BODY = 2000  # bytes of a body in a curl line; a longer one is read from the file of raw bytes


class HttpExchange(msgspec.Struct, frozen=True, kw_only=True):
    """A request and its answer. ``status`` is 0 when there was no whole answer; ``broken`` then says why. ``hidden``
    are texts of the request that nobody is shown, and what is shown instead: a token, and its kind. ``more`` is what
    came behind the answer, where that was waited for.
    """

    method: str
    path: str
    sent_headers: tuple[tuple[str, str], ...]
    sent_body: bytes
    raw: bytes
    status: int
    headers: dict[str, str] = {}  # names in lower case
    body: bytes = b""
    broken: str = ""
    hidden: tuple[tuple[str, str], ...] = ()
    more: bytes = b""

    @property
    def kept(self) -> bytes:
        """The request's bytes as they may be kept: those of ``raw`` but for what is hidden."""
        found = self.raw
        for text, kind in self.hidden:
            found = found.replace(encoded(text), encoded(kind))
        return found

    @property
    def silent(self) -> bool:
        """Whether the connection neither gave an answer nor ended."""
        return not self.status and self.broken.startswith(_SILENT)

    @property
    def shown(self) -> str:
        """The answer for people, on one line."""
        if not self.status:
            return f"no answer: {self.broken}"
        text = self._without_hidden(" ".join(self.body[: 4 * _SHOWN].decode(errors="backslashreplace").split()))
        return f"status {self.status}" + (f", body {text[:_SHOWN]}" if text else ", no body")

    @property
    def curl(self) -> str:
        """The request as a curl line; ``$API`` stands for the target's address."""
        words = ["curl", "-i", "-X", self.method]
        for name, value in self.sent_headers:
            words += ["-H", shlex.quote(self._without_hidden(f"{name}: {value}"))]
        if self.sent_body:
            words += ["--data-binary", _shell(self.sent_body)]
        return " ".join([*words, f'"$API{_in_double_quotes(self._without_hidden(self.path))}"'])

    def _without_hidden(self, text: str) -> str:
        for each, kind in self.hidden:
            text = text.replace(each, kind)
        return text

    def json(self) -> Any:
        """The body read as JSON, ``None`` when it is none."""
        return read_json(self.body, object)


async def over_tcp(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """As ``Connect``, by a socket."""
    return await asyncio.open_connection(address.host, address.port)


async def send(
    address: Address,
    method: str,
    path: str,
    *,
    headers: Headers,
    body: bytes = b"",
    timeout_s: float = TIMEOUT_S,
    connect: Connect = over_tcp,
    hidden: tuple[tuple[str, str], ...] = (),
) -> HttpExchange:
    """Sends it. Never raises for what the other side does: a refused or broken connection is an answer too."""
    sent = tuple(headers.items() if isinstance(headers, Mapping) else headers)
    framing = [("Host", str(address)), ("Connection", "close")]
    if body or method in ("POST", "PUT"):
        framing.append(("Content-Length", str(len(body))))
    head = "".join(f"{name}: {value}\r\n" for name, value in (*framing, *sent))
    raw = encoded(f"{method} {path} HTTP/1.1\r\n{head}\r\n") + body
    exchange = await send_raw(
        address, raw, method=method, path=path, timeout_s=timeout_s, connect=connect, hidden=hidden
    )
    return msgspec.structs.replace(exchange, sent_headers=sent, sent_body=body)


def encoded(text: str) -> bytes:
    """As it goes over the wire: UTF-8, a lone surrogate as the byte that it stands for (``surrogateescape``)."""
    return text.encode(errors="surrogateescape")


async def send_raw(
    address: Address,
    raw: bytes,
    *,
    method: str,
    path: str,
    timeout_s: float = TIMEOUT_S,
    connect: Connect = over_tcp,
    hidden: tuple[tuple[str, str], ...] = (),
    more_s: float = 0.0,
) -> HttpExchange:
    """Sends ``raw`` as it is, be it HTTP or not, and reads one answer, and ``more_s`` long what comes behind it.
    ``method`` and ``path`` name it for people.
    """
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=256 * 1024)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", str(address))]))
    connection.send(h11.EndOfMessage())
    reading = _exchange(connect(address), connection, raw, more_s)
    status, answered, content, more, broken = await _tried(reading, timeout_s)
    return HttpExchange(
        method=method,
        path=path,
        sent_headers=(),
        sent_body=b"",
        raw=raw,
        status=status,
        headers=answered,
        body=content,
        broken=broken,
        hidden=hidden,
        more=more,
    )


async def _tried(reading: Awaitable[_Read], timeout_s: float) -> tuple[int, dict[str, str], bytes, bytes, str]:
    """The answer, and why there is none."""
    try:
        async with asyncio.timeout(timeout_s):
            return *await reading, ""
    except TimeoutError:
        return 0, {}, b"", b"", f"{_SILENT} within {timeout_s:g} s"
    except (OSError, h11.RemoteProtocolError, EOFError) as error:
        return 0, {}, b"", b"", f"{type(error).__name__}: {error}"


async def _exchange(opening: _Opening, connection: h11.Connection, raw: bytes, more_s: float) -> _Read:
    reader, writer = await opening
    try:
        writer.write(raw)
        # No drain: a server may answer, and close, before it has read a body that is too large.
        answer = await read_answer(AnswerReader(connection, MAX_ANSWER_BYTES), reader)
        more = answer.behind
        if more_s and not more:
            with contextlib.suppress(OSError):  # TimeoutError too
                more = await asyncio.wait_for(reader.read(_SHOWN), more_s)
        return answer.status, answer.headers, answer.body, more
    finally:
        writer.close()


def _shell(body: bytes) -> str:
    """``body`` as one word of bash; a long one by name of the file that the report keeps."""
    if len(body) > _CURL_BODY:
        return "@body.bin"
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if text and text.isprintable():
        return shlex.quote(text)
    escaped = "".join(chr(b) if 32 <= b < 127 and b not in (39, 92) else f"\\x{b:02x}" for b in body)
    # bash cannot hold a NUL in a word, printf can write one.
    return f"@<(printf '{escaped.replace('%', '%%')}')" if b"\x00" in body else f"$'{escaped}'"


def _in_double_quotes(text: str) -> str:
    return "".join(f"\\{c}" if c in '"$`\\' else c for c in text)
