"""Local receivers that speak what the real ones do: Slack's incoming webhook, PagerDuty's Events API v2, SMTP.

Each checks what the real service checks before it takes a message, and keeps what it got with its time.
"""

from __future__ import annotations

import asyncio
import email
import re
from collections.abc import Awaitable, Callable
from email.message import Message as Mail
from email.policy import default as policy

import h11
import msgspec

from harness.base.clock import Clock
from harness.base.errors import NOT_JSON
from harness.rehearsals.alert_drill.types import Delivery

HOST = "127.0.0.1"
CHANNEL, MAILING_LIST = "#tekutoko-alerts", "team@tekutoko.example"
SLACK_PATH, PAGERDUTY_PATH = "/services/T000/B000/drill", "/v2/enqueue"
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
_BLOCK_BYTES, _LIMIT_BYTES, _LIMIT_S = 65_536, 1_000_000, 30.0
#: How the notification's title names the alert (deploy/monitoring/alertmanager/alertmanager.yaml).
_TITLE = re.compile(r"\[(FIRING|RESOLVED)\] (\w+) objective=(\w*) job=([\w-]*) severity=(\w*)")
Page = Callable[[str, str, bytes], tuple[int, str, bytes]]


class Slack(msgspec.Struct):
    """What the webhook takes of a message."""

    channel: str
    attachments: list[dict[str, object]]


class PagerDutyPayload(msgspec.Struct):
    """PD-CEF, of which these are required."""

    summary: str
    source: str
    severity: str


class PagerDuty(msgspec.Struct):
    """An event of Events API v2."""

    routing_key: str
    event_action: str
    dedup_key: str
    payload: PagerDutyPayload | None = None


async def serve_pages(page: Page, port: int) -> asyncio.Server:
    """An HTTP/1.1 server on loopback: ``page`` answers (method, path, body) with (status, content type, body)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_LIMIT_S):
                while await _exchange(reader, writer, page):
                    pass
        except (OSError, TimeoutError, h11.RemoteProtocolError):
            return
        finally:
            writer.close()

    return await asyncio.start_server(serve, HOST, port)


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, page: Page) -> bool:
    """One request and its answer, on a connection that ends with it; whether another may come."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_BLOCK_BYTES)
    method, path, body = "", "", bytearray()
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_BLOCK_BYTES))
        elif isinstance(event, h11.Request):
            method, path = event.method.decode(), event.target.decode()
        elif isinstance(event, h11.Data) and len(body) < _LIMIT_BYTES:
            body += event.data
        elif isinstance(event, h11.ConnectionClosed):
            return False
    status, kind, content = page(method, path, bytes(body))
    headers = [("content-type", kind), ("content-length", str(len(content))), ("connection", "close")]
    for answer in (h11.Response(status_code=status, headers=headers), h11.Data(data=content), h11.EndOfMessage()):
        writer.write(connection.send(answer) or b"")
    await writer.drain()
    return False


class Receivers:
    """All three, and what they got."""

    def __init__(self, clock: Clock, got: Callable[[Delivery], None]) -> None:
        self._clock = clock
        self._got = got

    def page(self, method: str, path: str, body: bytes) -> tuple[int, str, bytes]:
        """Slack's and PagerDuty's answers to a POST; 404 for all else."""
        if method == "POST" and path == SLACK_PATH:
            return self._slack(body)
        if method == "POST" and path == PAGERDUTY_PATH:
            return self._pagerduty(body)
        return 404, "text/plain", b"no such path"

    def _slack(self, body: bytes) -> tuple[int, str, bytes]:
        try:
            sent = msgspec.json.decode(body, type=Slack)
            title = str(sent.attachments[0].get("title", ""))
        except (*NOT_JSON, LookupError):
            self._keep("slack", "", flaw="invalid_payload")
            return 400, "text/plain", b"invalid_payload"
        self._keep("slack", title, flaw="" if sent.channel == CHANNEL else f"channel {sent.channel}")
        return 200, "text/plain", b"ok"

    def _pagerduty(self, body: bytes) -> tuple[int, str, bytes]:
        try:
            sent = msgspec.json.decode(body, type=PagerDuty)
        except NOT_JSON as error:
            self._keep("pagerduty", "", flaw=str(error))
            return 400, "application/json", b'{"status":"invalid event"}'
        flaw = "" if sent.routing_key == ROUTING_KEY else "another routing key"
        if sent.event_action not in ("trigger", "resolve"):
            flaw = f"event_action {sent.event_action}"
        elif sent.payload is None or sent.payload.severity not in ("critical", "error", "warning", "info"):
            flaw = "no severity that PagerDuty knows"
        self._keep("pagerduty", "" if sent.payload is None else sent.payload.summary, flaw=flaw)
        answer = {"status": "success", "message": "Event processed", "dedup_key": sent.dedup_key}
        return (400 if flaw else 202), "application/json", msgspec.json.encode(answer)

    def mail(self, to: list[str], content: bytes) -> None:
        """A mail that SMTP took."""
        read: Mail = email.message_from_bytes(content, policy=policy)
        flaw = "" if to == [MAILING_LIST] else f"to {', '.join(to)}"
        self._keep("email", str(read["Subject"] or "").replace("\n", ""), flaw=flaw)

    def _keep(self, route: str, title: str, *, flaw: str) -> None:
        found = _TITLE.search(title)
        status, alert, objective, job, severity = found.groups() if found else [""] * 5
        if not found and not flaw:
            flaw = f"names no alert: {title[:80]}"
        self._got(
            Delivery(
                route=route,
                alert=alert,
                objective=objective,
                job=job,
                severity=severity,
                resolved=status == "RESOLVED",
                at_ns=self._clock.now_ns(),
                flaw=flaw,
            )
        )


Took = Callable[[list[str], bytes], None]


async def serve_mail(took: Took, port: int) -> asyncio.Server:
    """An SMTP server on loopback (RFC 5321: the commands that a client without TLS needs)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def answer(line: str) -> None:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()

        try:
            async with asyncio.timeout(_LIMIT_S):
                await _session(reader, answer, took)
        except (OSError, EOFError, TimeoutError, ValueError):
            return
        finally:
            writer.close()

    return await asyncio.start_server(serve, HOST, port)


async def _session(reader: asyncio.StreamReader, answer: Callable[[str], Awaitable[None]], took: Took) -> None:
    to: list[str] = []
    await answer("220 drill ESMTP")
    while line := (await reader.readline()).decode(errors="replace").strip():
        word = line.upper()
        if word.startswith("RCPT TO:"):
            to.append(line.partition(":")[2].strip().strip("<>"))
        if word == "DATA":
            await answer("354 go on")
            lines = []
            while (part := await reader.readuntil(b"\n")).rstrip(b"\r\n") != b".":
                lines.append(part.removeprefix(b".") if part.startswith(b"..") else part)
            took(to, b"".join(lines))
            to = []
            await answer("250 taken")
        elif word.startswith("QUIT"):
            await answer("221 bye")
            return
        else:
            await answer("250 ok")
