"""The fault proxy: which requests it hits, and that it changes nothing else of HTTP/1.1."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from fractions import Fraction

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.free_port import any_free_port
from harness.model.stack import Address
from harness.stack.faults.fault_proxy_process import HOST, FaultsInForce, ProxyFault, ProxyServer
from tests.stack.rungs import Answer, ask, exchange

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 500))
def test_after_n_requests_n_times_the_share_were_hit_to_within_one(one: int, other: int, count: int) -> None:
    share = Fraction(min(one, other), max(one, other))
    fault = ProxyFault("errors", share.numerator, share.denominator)
    assert sum(fault.hits() for _ in range(count)) - count * share // 1 in (0, 1)


def test_12_percent_is_3_of_each_25_one_in_each_stretch_and_the_same_every_time() -> None:
    fault, again = ProxyFault("errors", 3, 25), ProxyFault("errors", 3, 25)
    hits = [fault.hits() for _ in range(2500)]
    assert hits == [again.hits() for _ in range(2500)]
    assert {sum(hits[start : start + 25]) for start in range(0, 2500, 25)} == {3}
    assert {sum(hits[start : start + 8]) for start in range(0, 2500, 25)} == {1}
    assert len({n % 25 for n, hit in enumerate(hits) if hit}) == 25, "every place is hit at some time"


@pytest.mark.parametrize("share", [Fraction(3, 25), Fraction(6, 100), Fraction(1, 100), Fraction(1, 2)])
def test_two_streams_that_alternate_strictly_both_get_their_share(share: Fraction) -> None:
    fault = ProxyFault("errors", share.numerator, share.denominator)
    hits = [fault.hits() for _ in range(8000)]
    for stream in (hits[::2], hits[1::2]):
        assert abs(sum(stream) - 4000 * share) < 5 * (4000 * share * (1 - share)) ** 0.5


def test_two_faults_count_on_their_own_and_add_up() -> None:
    faults = FaultsInForce(
        {
            1: ProxyFault("errors", 1, 2),
            2: ProxyFault("latency", 1, 3, delay_s=0.5),
            3: ProxyFault("latency", 1, 1, 0.1),
        }
    )
    verdicts = [faults.judge() for _ in range(6)]
    assert sum(verdict.error for verdict in verdicts) == 3
    assert sorted(round(verdict.delay_s, 3) for verdict in verdicts) == [0.1, 0.1, 0.1, 0.1, 0.6, 0.6]
    assert not faults.closed


class Line:
    """A fault proxy in front of one made-up pod."""

    def __init__(self) -> None:
        self.fault_proxy = ProxyServer()
        self.seen: list[bytes] = []

    async def open(self, handler: Handler) -> None:
        self.pod = await asyncio.start_server(handler, HOST, 0)
        self.pod_port = self.pod.sockets[0].getsockname()[1]
        self.address = Address(host=HOST, port=any_free_port())
        await self.fault_proxy.command({"do": "listen", "port": self.address.port, "pod_port": self.pod_port})

    async def answering(self, raw: bytes, *, close: bool = False) -> None:
        """A pod that answers every request with ``raw``."""

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            http = h11.Connection(h11.SERVER)
            try:
                while data := await reader.read(65536):
                    self.seen.append(data)
                    http.receive_data(data)
                    while (event := http.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                        if isinstance(event, h11.EndOfMessage):
                            writer.write(raw)
                            http = h11.Connection(h11.SERVER)
                            break
                    if close:
                        return
            except ConnectionError:
                return
            finally:
                writer.close()

        await self.open(handler)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    made = Line()
    yield made
    made.pod.close()
    for listener in made.fault_proxy.listeners.values():
        listener.close()
    await asyncio.sleep(0.05)  # the handlers see their ends


CLOSED = {"connection": "close"}  # h11 echoes what the client asked for
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.process
async def test_many_requests_on_one_connection_are_counted_each(line: Line) -> None:
    await line.answering(OK)
    await line.fault_proxy.command({"do": "fault", "id": 1, "kind": "errors", "numerator": 1, "denominator": 2})
    reader, writer = await asyncio.open_connection(line.address.host, line.address.port)
    http = h11.Connection(h11.CLIENT)
    statuses = []
    for _ in range(6):
        statuses.append((await exchange(reader, writer, http, "/", "PUT", b"body")).status)
        http.start_next_cycle()
    writer.close()
    assert [sorted(statuses[n : n + 2]) for n in (0, 2, 4)] == [[200, 500]] * 3


@pytest.mark.process
async def test_chunked_and_unframed_answers_pass(line: Line) -> None:
    await line.answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert await ask(line.address) == Answer(200, b"abcde", {"transfer-encoding": "chunked", **CLOSED})


@pytest.mark.process
async def test_an_answer_that_ends_with_its_connection_passes(line: Line) -> None:
    await line.answering(b"HTTP/1.1 200 OK\r\n\r\nall of it", close=True)
    answer = await ask(line.address)
    assert (answer.status, answer.body) == (200, b"all of it")


@pytest.mark.process
async def test_an_answer_cut_in_the_middle_is_cut_for_the_client_too(line: Line) -> None:
    await line.answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", close=True)
    assert (await ask(line.address)).status == 0


@pytest.mark.process
async def test_statuses_headers_and_bodies_pass_unchanged(line: Line) -> None:
    raw = b'HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 3\r\n\r\n{"}'
    await line.answering(raw)
    answer = await ask(line.address, "/v1/walks?page=2", method="PUT", body=bytes(200_000))
    assert answer == Answer(429, b'{"}', {"retry-after": "7", "content-length": "3", **CLOSED})
    sent = b"".join(line.seen)
    assert sent.startswith(b"PUT /v1/walks?page=2 HTTP/1.1\r\n") and sent.endswith(bytes(200_000))


@pytest.mark.process
async def test_a_client_that_waits_for_100_continue_gets_it(line: Line) -> None:
    await line.answering(OK)
    reader, writer = await asyncio.open_connection(line.address.host, line.address.port)
    writer.write(b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    assert await asyncio.wait_for(reader.readline(), 2) == b"HTTP/1.1 100 \r\n"
    await reader.readline()
    writer.write(b"body")
    assert await asyncio.wait_for(reader.readline(), 2) == b"HTTP/1.1 200 OK\r\n"
    writer.close()
    assert b"100-continue" not in b"".join(line.seen)


@pytest.mark.process
async def test_an_idle_connection_that_the_pod_ends_is_ended(line: Line) -> None:
    await line.answering(OK, close=True)
    reader, writer = await asyncio.open_connection(line.address.host, line.address.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 2)).endswith(b"ok")  # to the end, which is no timeout
    writer.close()


@pytest.mark.process
async def test_a_pod_that_refuses_is_cut_for_the_client(line: Line) -> None:
    await line.answering(OK)
    line.pod.close()
    await line.pod.wait_closed()
    assert (await ask(line.address, limit_s=2)).status == 0


@pytest.mark.process
async def test_what_is_no_http_is_cut(line: Line) -> None:
    await line.answering(OK)
    reader, writer = await asyncio.open_connection(line.address.host, line.address.port)
    writer.write(b"\x16\x03\x01 hello\r\n\r\n")
    assert await asyncio.wait_for(reader.read(), 2) == b""
    writer.close()
    assert line.seen == []


@pytest.mark.process
async def test_unavailable_refuses_and_ends_kept_connections_until_undone(line: Line) -> None:
    await line.answering(OK)
    await line.fault_proxy.command({"do": "listen", "port": (port := any_free_port()), "pod_port": line.pod_port})
    reader, writer = await asyncio.open_connection(HOST, port)
    http = h11.Connection(h11.CLIENT)
    assert (await exchange(reader, writer, http, "/")).status == 200
    whole, part = (
        {"do": "fault", "id": id_, "kind": "unavailable", "numerator": 1, "denominator": id_} for id_ in (1, 2)
    )
    await line.fault_proxy.command(whole)
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 2) == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, port)
    await line.fault_proxy.command({"do": "undo", "id": 1})
    await line.fault_proxy.command(part)  # a share is no refusal: one of each two requests is reset
    statuses = [(await ask(Address(host=HOST, port=port))).status for _ in range(4)]
    assert [sorted(statuses[:2]), sorted(statuses[2:])] == [[0, 200], [0, 200]]
    await line.fault_proxy.command({"do": "unlisten", "port": port})
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, port)


@pytest.mark.process
async def test_a_pod_that_comes_while_all_is_unavailable_is_refused_too(line: Line) -> None:
    await line.answering(OK)
    await line.fault_proxy.command({"do": "fault", "id": 1, "kind": "unavailable", "numerator": 1, "denominator": 1})
    await line.fault_proxy.command({"do": "listen", "port": (port := any_free_port()), "pod_port": line.pod_port})
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, port)
    await line.fault_proxy.command({"do": "undo", "id": 1})
    assert (await ask(Address(host=HOST, port=port))).status == 200


async def test_an_order_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown order 'dance'"):
        await ProxyServer().command({"do": "dance"})
