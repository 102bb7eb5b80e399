"""One phone's connection, against a real socket that behaves as scripted."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from harness.load.connection import IDLE_NS, PhoneConnection
from harness.load.http1 import MOST_BYTES, NoAnswer, PhoneAnswer, over_socket
from harness.load.rest import runtime
from harness.model.evidence import Outcome, Wire
from harness.model.stack import Address
from tests.ports import free_address

pytestmark = pytest.mark.process

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Pod-Name: pod-9\r\n\r\nhi"


def answers(*payloads: bytes) -> Callable[[socket.socket], None]:
    def serve(peer: socket.socket) -> None:
        for payload in payloads:
            if not peer.recv(65536):
                return
            peer.sendall(payload)

    return serve


def reads_then_closes(peer: socket.socket) -> None:
    peer.recv(65536)


def resets(peer: socket.socket) -> None:
    peer.recv(65536)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextmanager
def scripted(*script: Callable[[socket.socket], None]) -> Iterator[tuple[PhoneConnection, list[int]]]:
    """A server that serves its n-th connection with the n-th function, then closes it."""
    served: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def run() -> None:
            for number, serve in enumerate(script):
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                with peer, suppress(OSError):  # the phone may hang up first
                    served.append(number)
                    serve(peer)

        thread = threading.Thread(target=run)
        thread.start()
        connection = PhoneConnection(Address(host="127.0.0.1", port=server.getsockname()[1]), runtime())
        try:
            yield connection, served
        finally:
            connection.close()
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            assert not thread.is_alive()


def ends_in(connection: PhoneConnection, outcome: Outcome, method: str = "GET", timeout_s: float = 5.0) -> NoAnswer:
    with pytest.raises(NoAnswer) as caught:
        connection.exchange(method, "/", "t", b"", timeout_s)
    assert caught.value.outcome is outcome
    return caught.value


def test_one_connection_is_kept() -> None:
    with scripted(answers(OK, OK, OK)) as (connection, served):
        for _ in range(3):
            answer = connection.exchange("GET", "/", "t", b"", 5)
            assert (answer.status, answer.body, answer.pod, answer.retried) == (200, b"hi", "pod-9", False)
        assert served == [0]


def ended(connection: PhoneConnection) -> None:
    """Returns once the server's end of the connection was seen."""
    until_s = time.monotonic() + 10
    while connection._is_open():
        assert time.monotonic() < until_s, "the server's end of the connection was never seen"
        time.sleep(0.001)


def test_a_connection_closed_while_idle_is_opened_again_without_a_retry() -> None:
    with scripted(answers(OK), answers(OK)) as (connection, served):
        connection.exchange("POST", "/", "t", b"{}", 5)
        ended(connection)
        assert not connection.exchange("POST", "/", "t", b"{}", 5).retried
        assert served == [0, 1]


def late(peer: socket.socket) -> None:
    peer.recv(65536)
    time.sleep(0.06)


@pytest.mark.parametrize(
    ("method", "idle_ns", "end", "again"),
    [
        ("GET", IDLE_NS, reads_then_closes, True),
        ("PUT", IDLE_NS, resets, True),
        ("DELETE", IDLE_NS, reads_then_closes, True),
        ("POST", IDLE_NS, reads_then_closes, False),  # it may have been carried out
        ("GET", 0, reads_then_closes, False),  # nobody was closing it for idleness
        ("PUT", 0, resets, False),
        ("GET", IDLE_NS, late, False),  # it had begun to work on it
        ("GET", IDLE_NS, answers(OK[:10]), False),
    ],
)
def test_only_what_a_server_may_always_do_is_tried_once_more(
    method: str, idle_ns: int, end: Callable[[socket.socket], None], again: bool
) -> None:
    def first(peer: socket.socket) -> None:
        answers(OK)(peer)
        end(peer)

    with scripted(first, answers(OK)) as (connection, served):
        assert not connection.exchange("GET", "/", "t", b"", 5).retried
        connection._used_ns -= idle_ns
        if again:
            assert connection.exchange(method, "/", "t", b"", 5).retried
        else:
            ends_in(connection, Outcome.BROKEN, method)
        assert served == [0, 1][: 1 + again]


def test_a_retry_happens_once() -> None:
    def first(peer: socket.socket) -> None:
        answers(OK)(peer)
        reads_then_closes(peer)

    with scripted(first, reads_then_closes, answers(OK)) as (connection, served):
        connection.exchange("GET", "/", "t", b"", 5)
        connection._used_ns -= IDLE_NS
        assert ends_in(connection, Outcome.BROKEN).retried
        assert served == [0, 1]


@pytest.mark.parametrize("end", [reads_then_closes, resets])
def test_a_new_connection_that_ends_is_broken_and_not_tried_again(end: Callable[[socket.socket], None]) -> None:
    with scripted(end, answers(OK)) as (connection, served):
        ends_in(connection, Outcome.BROKEN)
        assert served == [0]


def test_an_answer_cut_short_on_a_kept_connection_is_broken_and_not_tried_again() -> None:
    with scripted(answers(OK, OK[:-1]), answers(OK)) as (connection, served):
        connection.exchange("GET", "/", "t", b"", 5)
        ends_in(connection, Outcome.BROKEN)
        assert served == [0]


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("payload", "outcome", "wire"),
    [
        (b"", Outcome.BROKEN, Wire.CLOSED),
        (OK[:10], Outcome.BROKEN, Wire.CUT),
        (OK[:40], Outcome.BROKEN, Wire.CUT),
        (OK[:-1], Outcome.BROKEN, Wire.CUT),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", Outcome.BROKEN, Wire.CUT),
        (b"SSH-2.0-x\r\n\r\n", Outcome.BROKEN, Wire.GARBLED),
        (HEAD + b"Content-Length: x\r\n\r\nhi", Outcome.BROKEN, Wire.GARBLED),
        (HEAD + b"X: y\r\n" * 10_000, Outcome.BAD_ANSWER, Wire.TOO_LONG),
        (HEAD + b"\r\n" + bytes(MOST_BYTES + 1), Outcome.BAD_ANSWER, Wire.TOO_LONG),
    ],
)
def test_an_answer_that_is_not_whole_says_how(payload: bytes, outcome: Outcome, wire: Wire) -> None:
    def serve(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(payload)

    with scripted(serve) as (connection, _):
        assert ends_in(connection, outcome).wire is wire


@pytest.mark.parametrize("together", [True, False])
def test_bytes_behind_an_answer_are_told_at_once_or_with_the_next(together: bool) -> None:
    def serve(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(OK + (b"more" if together else b""))
        if not together:
            time.sleep(0.05)
            peer.sendall(b"more")
        peer.recv(65536)  # until the phone hangs up

    with scripted(serve, answers(OK)) as (connection, served):
        behind = [connection.exchange("GET", "/", "t", b"", 5).behind]
        if not together:
            ended(connection)
        behind.append(connection.exchange("GET", "/", "t", b"", 5).behind)
        assert (behind, served) == ([b"more", b""] if together else [b"", b"more"], [0, 1])


def test_bytes_behind_the_last_answer_of_a_connection_are_awaited_a_moment() -> None:
    """The server says that it ends the connection, and sends more before it does."""
    last = OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)

    def serve(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(last)
        time.sleep(0.01)
        peer.sendall(b"more")

    with scripted(serve) as (connection, _):
        assert connection.exchange("GET", "/", "t", b"", 5).behind == b"more"


def test_a_probe_sees_bytes_that_come_behind_and_what_came_before_its_time_was_up() -> None:
    def late(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(OK)
        time.sleep(0.01)
        peer.sendall(b"more")

    def stuck(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(OK[:-1])
        peer.recv(65536)  # until the probe hangs up

    async def asked(address: Address, limit_s: float) -> PhoneAnswer:
        async with asyncio.timeout(limit_s):
            return await over_socket(address, "GET", "/", "t", b"")

    with scripted(late, stuck) as (connection, _):
        assert asyncio.run(asked(connection._address, 5)).behind == b"more"
        with pytest.raises(TimeoutError) as ended:
            asyncio.run(asked(connection._address, 0.2))
        assert ended.value.__cause__ is not None and b"pod-9" in ended.value.__cause__.args[0]


def test_a_slow_answer_times_out_and_the_connection_is_not_used_again() -> None:
    def slow(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(OK[:20])
        peer.recv(65536)  # until the phone hangs up

    with scripted(slow, answers(OK)) as (connection, served):
        assert b"HTTP/1.1 200" in ends_in(connection, Outcome.TIMEOUT, timeout_s=0.2).seen
        assert connection.exchange("GET", "/", "t", b"", 5).status == 200
        assert served == [0, 1]


def test_a_reopened_connection_is_another_and_opened_at_once() -> None:
    with scripted(answers(OK), answers(OK, OK)) as (connection, served):
        connection.exchange("GET", "/", "t", b"", 5)
        connection.reopen()
        assert connection._is_open()
        assert not connection.exchange("GET", "/", "t", b"", 5).retried
        assert served == [0, 1]


def test_reopening_where_nobody_listens_leaves_none() -> None:
    connection = PhoneConnection(free_address(), runtime())
    connection.reopen()
    assert not connection._is_open()


def test_nobody_listening_is_refused() -> None:
    ends_in(PhoneConnection(free_address(), runtime()), Outcome.REFUSED)


def test_connection_close_is_obeyed() -> None:
    closing = OK.replace(b"X-Pod-Name", b"Connection: close\r\nX-Pod-Name")
    with scripted(answers(closing), answers(OK)) as (connection, served):
        connection.exchange("POST", "/", "t", b"{}", 5)
        connection.exchange("POST", "/", "t", b"{}", 5)
        assert served == [0, 1]
