"""A target's endless answer, whatever of it is endless, costs the load little memory and is bad."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

MOST_MIB = 64
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BLOCK = b"x" * 65_536
#: By path: how an answer begins, and what comes then without end.
ENDLESS = {
    "body": (HEAD + b"\r\n", BLOCK),
    "length": (HEAD + b"Content-Length: 999999999999\r\n\r\n", BLOCK),
    "chunks": (CHUNKED, b"10000\r\n" + BLOCK + b"\r\n"),
    "small_chunks": (CHUNKED, b"1\r\nx\r\n" * 10_000),
    "chunk_size": (CHUNKED + b"1;", BLOCK),
    "headers": (HEAD, b"a: b\r\n" * 10_000),
    "header": (HEAD + b"a: ", BLOCK),
    "status": (b"HTTP/1.1 200 ", BLOCK),
    "interim": (b"", b"HTTP/1.1 100 Continue\r\na: b\r\n\r\n" * 2_000),
    "trailers": (CHUNKED + b"0\r\n", b"a: b\r\n" * 10_000),
    "behind": (HEAD + b"Content-Length: 2\r\n\r\nhi", BLOCK),
}
#: Prints of each path how many KiB more the process had at its highest, and what came of the exchange.
CLIENT = """
import asyncio, json, sys
import gevent
from harness.load.connection import PhoneConnection
from harness.load.http1 import NoAnswer, over_socket
from harness.model.stack import Address

address = Address(host="127.0.0.1", port=int(sys.argv[1]))

def phone(path):
    try:
        connection = PhoneConnection(address)
        return len(connection.exchange("GET", path, "t", b"", 10).behind)
    except NoAnswer as ended:
        return ended.outcome, ended.wire

def probe(path):
    try:
        return len(asyncio.run(asyncio.wait_for(over_socket(address, "GET", path, "t", b""), 10)).behind)
    except NoAnswer as ended:
        return ended.outcome, ended.wire

def status(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

for ask in (phone, probe):
    ask("/whole")
    for path in sys.argv[2:]:
        open("/proc/self/clear_refs", "w").write("5")  # the highest begins anew
        before = status("VmRSS")
        came = ask("/" + path)
        print(json.dumps([ask.__name__, path, status("VmHWM") - before, came]), flush=True)
"""


@pytest.fixture
def port() -> Iterator[int]:
    """A server that answers each connection until its client hangs up."""

    def serve(peer: socket.socket) -> None:
        with peer:
            path = peer.recv(65_536).split(b" ")[1][1:].decode()
            begin, more = ENDLESS.get(path, (HEAD + b"Content-Length: 0\r\n\r\n", b""))
            peer.settimeout(10)
            try:
                peer.sendall(begin)
                while more:
                    peer.sendall(more)
            except OSError:
                pass

    def run() -> None:
        while True:
            try:
                peer, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=[peer]).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        accepting = threading.Thread(target=run)
        accepting.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        accepting.join(10)


def test_an_endless_answer_costs_the_load_less_than_64_mib(port: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, str(port), *ENDLESS],
        cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == 2 * len(ENDLESS), done.stderr
    for who, path, more_kib, came in told:
        assert more_kib < MOST_MIB * 1024, (who, path, more_kib)
        if path == "behind":
            assert came > 0 or who == "probe"
        else:
            assert came == ["bad_answer", "too_long"], (who, path, came)
