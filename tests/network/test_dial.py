"""What runs inside the pods, on this machine: it tells an answer from silence, a refusal and a timeout."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from harness.base.free_port import any_free_port
from harness.rehearsals.network.clients import DIAL

pytestmark = pytest.mark.process


def ask(*dials: tuple[str, str, int, str], timeout_s: float = 3.0) -> dict[str, str]:
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", DIAL, "ask", json.dumps([timeout_s, dials])],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    found: dict[str, str] = json.loads(answer.stdout)
    return found


@contextmanager
def server(answer: bytes | None) -> Iterator[int]:
    """Answers each connection with ``answer``; "" hangs up; ``None`` says nothing."""
    listening = socket.create_server(("127.0.0.1", 0))
    held = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            if answer is None:
                held.append(connection)
                continue
            with connection, suppress(OSError):  # who dials may hang up first
                connection.recv(100)
                connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    with listening:
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    for connection in held:
        connection.close()


def test_outcomes() -> None:
    with server(b"HTTP/1.0 200 OK\r\n\r\n") as speaks, server(b"") as hangs_up, server(None) as says_nothing:
        free = any_free_port()
        found = ask(
            ("speaks", "127.0.0.1", speaks, "http"),
            ("hangs up", "127.0.0.1", hangs_up, "postgres"),
            ("nothing", "127.0.0.1", says_nothing, "dns_tcp"),
            ("nobody", "127.0.0.1", free, "http"),
            ("no udp", "127.0.0.1", free, "dns_udp"),
        )
    assert found == {
        "speaks": "answered",
        "hangs up": "closed",
        "nothing": "silent",
        "nobody": "refused",
        "no udp": "refused",
    }


def test_udp_without_an_answer_is_timed_out() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        assert ask(("dns", "127.0.0.1", deaf.getsockname()[1], "dns_udp")) == {"dns": "timed_out"}


def test_a_listener_answers_and_ends_by_itself() -> None:
    port = any_free_port()
    # Returns at once: the listener is a process of its own, which its alarm ends.
    subprocess.run([sys.executable, "-I", "-S", "-c", DIAL, "listen", str(port), "10"], timeout=10, check=True)
    assert ask(("it", "127.0.0.1", port, "http")) == {"it": "answered"}
    for _ in range(300):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) != 0:
                return
        threading.Event().wait(0.1)
    raise AssertionError("the listener is still there")
