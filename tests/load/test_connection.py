"""One phone's connection, against a real socket that behaves as scripted."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from harness.load.connection import NoAnswer, PhoneConnection
from harness.model.evidence import Outcome
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
        connection = PhoneConnection(Address(host="127.0.0.1", port=server.getsockname()[1]))
        try:
            yield connection, served
        finally:
            connection.close()
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            assert not thread.is_alive()


def ends_in(connection: PhoneConnection, outcome: Outcome, method: str = "GET", timeout_s: float = 5.0) -> None:
    with pytest.raises(NoAnswer) as caught:
        connection.exchange(method, "/", "t", b"", timeout_s)
    assert caught.value.outcome is outcome


def test_one_connection_is_kept() -> None:
    with scripted(answers(OK, OK, OK)) as (connection, served):
        for _ in range(3):
            answer = connection.exchange("GET", "/", "t", b"", 5)
            assert (answer.status, answer.body, answer.pod, answer.retried) == (200, b"hi", "pod-9", False)
        assert served == [0]


def test_a_connection_closed_while_idle_is_opened_again_without_a_retry() -> None:
    with scripted(answers(OK), answers(OK)) as (connection, served):
        connection.exchange("POST", "/", "t", b"{}", 5)
        until_s = time.monotonic() + 10
        while len(served) < 1 or connection._kept() is not None:
            assert time.monotonic() < until_s, "the server's end of the connection was never seen"
            time.sleep(0.001)
        assert not connection.exchange("POST", "/", "t", b"{}", 5).retried
        assert served == [0, 1]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("end", [reads_then_closes, resets])
def test_a_kept_connection_that_ends_before_a_byte_is_tried_once_more(
    method: str, end: Callable[[socket.socket], None]
) -> None:
    def first(peer: socket.socket) -> None:
        answers(OK)(peer)
        end(peer)

    with scripted(first, answers(OK)) as (connection, served):
        assert not connection.exchange("GET", "/", "t", b"", 5).retried
        assert connection.exchange(method, "/", "t", b"", 5).retried
        assert served == [0, 1]


def test_a_retry_happens_once() -> None:
    def first(peer: socket.socket) -> None:
        answers(OK)(peer)
        reads_then_closes(peer)

    with scripted(first, reads_then_closes, answers(OK)) as (connection, served):
        connection.exchange("GET", "/", "t", b"", 5)
        ends_in(connection, Outcome.BROKEN)
        assert served == [0, 1]


def test_post_is_never_sent_twice() -> None:
    def first(peer: socket.socket) -> None:
        answers(OK)(peer)
        reads_then_closes(peer)

    with scripted(first, answers(OK)) as (connection, served):
        connection.exchange("GET", "/", "t", b"", 5)
        ends_in(connection, Outcome.BROKEN, "POST")
        assert served == [0]


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


@pytest.mark.parametrize("payload", [OK[:10], OK[:40], b"SSH-2.0-x\r\n\r\n"])
def test_half_an_answer_or_none_of_http_is_broken(payload: bytes) -> None:
    with scripted(answers(payload)) as (connection, _):
        ends_in(connection, Outcome.BROKEN)


def test_a_slow_answer_times_out_and_the_connection_is_not_used_again() -> None:
    def slow(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(OK[:20])
        peer.recv(65536)  # until the phone hangs up

    with scripted(slow, answers(OK)) as (connection, served):
        ends_in(connection, Outcome.TIMEOUT, timeout_s=0.2)
        assert connection.exchange("GET", "/", "t", b"", 5).status == 200
        assert served == [0, 1]


def test_a_reopened_connection_is_another_and_opened_at_once() -> None:
    with scripted(answers(OK), answers(OK, OK)) as (connection, served):
        connection.exchange("GET", "/", "t", b"", 5)
        connection.reopen()
        kept = connection._kept()
        assert kept is not None
        assert not connection.exchange("GET", "/", "t", b"", 5).retried
        assert connection._kept() is kept
        assert served == [0, 1]


def test_reopening_where_nobody_listens_leaves_none() -> None:
    connection = PhoneConnection(free_address())
    connection.reopen()
    assert connection._kept() is None


def test_nobody_listening_is_refused() -> None:
    ends_in(PhoneConnection(free_address()), Outcome.REFUSED)


def test_connection_close_is_obeyed() -> None:
    closing = OK.replace(b"X-Pod-Name", b"Connection: close\r\nX-Pod-Name")
    with scripted(answers(closing), answers(OK)) as (connection, served):
        connection.exchange("POST", "/", "t", b"{}", 5)
        connection.exchange("POST", "/", "t", b"{}", 5)
        assert served == [0, 1]
