"""Whether the API and the twin answer alike: status, headers, body to the byte, but for times that differ by nature."""

from __future__ import annotations

import asyncio
import re

import h11
import msgspec

_TIMES = re.compile(rb'"(updated_at|created_at)":"[^"]*"')
_OF_THE_MOMENT = frozenset({b"date"})
TIMEOUT_S = 10.0


class Answer(msgspec.Struct, frozen=True):
    """What is compared."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A request; ``same_times`` when even the times must agree (a read)."""

    name: str
    request: bytes
    status: int
    same_times: bool = False


async def asked(port: int, request: bytes) -> Answer:
    """The whole answer on a connection of its own."""
    async with asyncio.timeout(TIMEOUT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            wire = h11.Connection(h11.CLIENT)
            wire.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
            wire.send(h11.EndOfMessage())
            return await _answer(wire, reader)
        finally:
            writer.close()


async def _answer(wire: h11.Connection, reader: asyncio.StreamReader) -> Answer:
    status, headers, body = 0, [], b""
    while True:
        event = wire.next_event()
        if event is h11.NEED_DATA:
            wire.receive_data(await reader.read(65_536))
        elif isinstance(event, h11.Response):
            status = event.status_code
            headers = [(bytes(n), bytes(v)) for n, v in event.headers if bytes(n) not in _OF_THE_MOMENT]
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return Answer(status, tuple(sorted(headers)), body)
        else:
            raise EOFError("the answer was cut off")


async def differences(one: int, other: int, cases: list[Case]) -> list[str]:
    """A line for each case in which the two ports answer differently, or not with the status foreseen."""
    found = []
    for case in cases:
        answers = [await asked(port, case.request) for port in (one, other)]
        if not case.same_times:
            answers = [without_times(answer) for answer in answers]
        if answers[0] != answers[1]:
            found.append(f"{case.name}: {answers[0]} is not {answers[1]}")
        elif answers[0].status != case.status:
            found.append(f"{case.name}: both answer {answers[0].status}, not {case.status}")
    return found


def without_times(answer: Answer) -> Answer:
    """The same without times, whose text also differs in length: PostgreSQL drops no zeros, JSON's encoder does."""
    body = _TIMES.sub(rb'"\1":"-"', answer.body)
    headers = tuple((n, b"-" if n == b"content-length" else v) for n, v in answer.headers)
    return msgspec.structs.replace(answer, body=body, headers=headers)
