"""The API as the stack runs it: a process with the environment contract, and a Firestore emulator beside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from api.settings import DatabaseSettings
from harness.model.stack import Address
from harness.stack.firebase import commands
from tests.api.world import PROJECT, ROOT, database_environment, unsigned_token
from tests.ports import free_port

UP_WITHIN_S = 60.0  # as long as a run gives it; beside other tests two processors are few

# In a process of its own: gRPC's threads stay out of the tests'.
_READ = """
import json, sys
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

walks = firestore.Client(project=sys.argv[1], credentials=AnonymousCredentials()).collection("walks")
documents = [walks.document(name).get().to_dict() for name in sys.argv[2:]]
print(json.dumps(documents, default=lambda value: {type(value).__name__: value.isoformat()}))
"""


class Pod:
    """One process. ``stop`` sends SIGTERM and returns the exit status and how long it took."""

    def __init__(self, folder: Path, database: DatabaseSettings, firestore: int, **environment: str) -> None:
        self.port, self.metrics_port = free_port(), free_port()
        self.log = folder / f"pod-{self.port}.log"
        contract = {
            "PORT": str(self.port),
            "METRICS_PORT": str(self.metrics_port),
            "HOST": "127.0.0.1",
            "ENVIRONMENT": "rehearsal",
            "FIREBASE_PROJECT_ID": PROJECT,
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "FIREBASE_AUTH_EMULATOR_HOST": "127.0.0.1:1",
            "FIRESTORE_EMULATOR_HOST": f"127.0.0.1:{firestore}",
            "POD_NAME": "tekutoko-api-test",
            "DB_SSLMODE": "disable",
            "LOG_LEVEL": "info",
            "LOG_FORMAT": "json",
            "PATH": os.environ.get("PATH", ""),
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api"],
                cwd=ROOT,
                env=contract | database_environment(database) | environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.started = time.monotonic()

    def client(self, uid: str = "uid-1") -> httpx.Client:
        headers = {"Authorization": f"Bearer {unsigned_token(uid)}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=10, trust_env=False)

    def metrics(self) -> str:
        return httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10, trust_env=False).text

    def wait_until_ready(self, path: str = "/ready") -> float:
        """Seconds from the start of the process to its first 200."""
        with self.client() as client:
            while time.monotonic() - self.started < UP_WITHIN_S:
                assert self.process.poll() is None, self.log.read_text()
                with contextlib.suppress(httpx.TransportError):
                    if client.get(path).status_code == 200:
                        return time.monotonic() - self.started
                time.sleep(0.02)
        raise AssertionError(self.log.read_text())

    def stop(self) -> tuple[int, float]:
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20), time.monotonic() - began

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def __enter__(self) -> Pod:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


class Firestore:
    """The emulator; may be paused, as one that hangs."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        address = Address(host="127.0.0.1", port=self.port)
        command = commands.firestore_command(commands.ensure(lambda _: None), PROJECT, address)
        with (folder / "firestore.log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        ends = time.monotonic() + UP_WITHIN_S
        while not asyncio.run(commands.firestore_ready(address)):
            assert time.monotonic() < ends, (folder / "firestore.log").read_text()
            time.sleep(0.1)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def documents(self, *walk_ids: str) -> list[Any]:
        """The documents as Google's own client reads them, ``None`` where there is none."""
        done = subprocess.run(
            [sys.executable, "-c", _READ, PROJECT, *(walk_id.upper() for walk_id in walk_ids)],
            env={"FIRESTORE_EMULATOR_HOST": f"127.0.0.1:{self.port}"},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        documents: list[Any] = json.loads(done.stdout)
        return documents

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(10)
