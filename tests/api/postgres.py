"""A PostgreSQL server of its own for the API's tests, the local rung's version: on loopback, without sockets or shared memory."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from api.settings import DatabaseSettings
from harness.stack.local import postgres_programs
from tests.ports import free_port

READY = "database system is ready to accept connections"
STARTED_WITHIN_S = 20.0


def _identity() -> dict[str, Any]:
    """PostgreSQL refuses to run as root; ``nobody`` is everywhere."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


class Server:
    """One server; may be stopped and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.log = folder / "log"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        postgres_programs.install(print)
        self._programs = postgres_programs.server()
        self._run("initdb", "-D", str(self.data), "-U", "tekutoko", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")

    @property
    def settings(self) -> DatabaseSettings:
        return DatabaseSettings(port=self.port, name="postgres")

    def start(self) -> None:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "dynamic_shared_memory_type": "mmap",
            "fsync": "off",
            "max_connections": 50,
            "shared_buffers": "16MB",
        }
        flags = [flag for name, value in options.items() for flag in ("-c", f"{name}={value}")]
        said = len(self.log.read_text()) if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs.path("postgres"), "-D", str(self.data), *flags],
                stdout=log,
                stderr=log,
                cwd="/",
                **_identity(),
            )
        ends = time.monotonic() + STARTED_WITHIN_S
        while time.monotonic() < ends:
            if self._process.poll() is not None:
                break
            if READY in self.log.read_text()[said:]:
                return
            time.sleep(0.05)
        raise RuntimeError(f"PostgreSQL did not start:\n{self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # "fast": connections are cut
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait(10)
            self._process = None

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs.path(program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            **_identity(),
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")


@contextlib.contextmanager
def running() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="walk-api-test-", dir="/var/tmp"))
    try:
        folder.chmod(0o755)
        identity = _identity()
        if identity:
            os.chown(folder, identity["user"], identity["group"])
        server = Server(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
