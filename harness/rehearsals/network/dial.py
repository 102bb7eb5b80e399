"""Runs inside pods, as text handed to their python3: asks addresses, or listens on a port. Standard library alone.

``ask '[TIMEOUT_S, [[NAME, HOST, PORT, HOW], ...]]'`` asks all at once and prints a JSON object of outcomes by name
(``Outcome``). HOW is ``http``, ``postgres``, ``dns_tcp`` or ``dns_udp``. ``listen PORT`` answers each
connection for ever; ``listen PORT SECONDS`` does so from a process of its own, which ends after the time.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import threading

_NAME = b"\x0akubernetes\x07default\x03svc\x07cluster\x05local\x00"
QUERY = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + _NAME + b"\x00\x01\x00\x01"
WORDS = {
    "http": b"GET /health HTTP/1.0\r\nHost: rehearsal\r\n\r\n",
    "postgres": b"\x00\x00\x00\x08\x04\xd2\x16\x2f",  # SSLRequest: answered with one byte
    "dns_tcp": len(QUERY).to_bytes(2, "big") + QUERY,
    "dns_udp": QUERY,
}


def connect(host: str, port: int, how: str, timeout_s: float) -> socket.socket:
    """A connection; a UDP socket is one without a word. Raises ``OSError``."""
    if how != "dns_udp":
        return socket.create_connection((host, port), timeout_s)
    connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    connection.settimeout(timeout_s)
    connection.connect((host, port))
    return connection


def outcome(host: str, port: int, how: str, timeout_s: float) -> str:
    """What came of asking."""
    connected = False
    try:
        with connect(host, port, how, timeout_s) as connection:
            connected = how != "dns_udp"
            connection.sendall(WORDS[how])
            return "answered" if connection.recv(64) else "closed"
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "silent" if connected else "timed_out"
    except OSError:
        return "closed" if connected else "unreachable"


def ask(text: str) -> None:
    """Prints what came of each."""
    timeout_s, wanted = json.loads(text)
    found: dict[str, str] = {}

    def one(name: str, host: str, port: int, how: str) -> None:
        found[name] = outcome(host, port, how, timeout_s)

    threads = [threading.Thread(target=one, args=each) for each in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write(json.dumps(found) + "\n")


def listen(port: int, seconds: int = 0) -> None:
    """Answers each connection, one after the other."""
    server = socket.create_server(("0.0.0.0", port), backlog=64)  # noqa: S104 - a pod's address is not known here
    if seconds:
        if os.fork():
            return
        os.setsid()
        nothing = os.open("/dev/null", os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        signal.alarm(seconds)
    while True:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            connection.settimeout(2)
            connection.recv(64)
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")


if __name__ == "__main__":
    if sys.argv[1] == "ask":
        ask(sys.argv[2])
    else:
        listen(*map(int, sys.argv[2:]))
