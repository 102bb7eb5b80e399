"""Answers without end, and the server that gives them."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

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


@contextlib.contextmanager
def endless_server() -> Iterator[int]:
    """The port of a server that answers each connection until its client hangs up."""

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
