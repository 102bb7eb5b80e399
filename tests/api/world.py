"""An API in this process over chosen ports, a client for it, and hand-made tokens."""

from __future__ import annotations

import base64
import contextlib
import json
import random
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from api import metrics_port
from api.app import build_app
from api.clock import SystemClock
from api.logs import Log
from api.memory import MemoryDatabase, MemoryMirror, MemoryTokens, SeededIds
from api.ports import Clock, Database, MirrorSink, Ports, Storage
from api.service import Service
from api.settings import DatabaseSettings, Settings

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "demo-walks"


def settings(**changes: Any) -> Settings:
    given: dict[str, Any] = {"project_id": PROJECT, "log_level": "debug", "pod_name": "pod-1"}
    return Settings(**(given | {"rate_limit_per_minute": 100_000} | changes))


def unsigned_token(uid: str, **changes: Any) -> str:
    """A token as the Auth emulator makes it; a claim changed to ``None`` is left out."""
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": f"https://securetoken.google.com/{PROJECT}",
        "aud": PROJECT,
        "auth_time": now,
        "user_id": uid,
        "sub": uid,
        "iat": now,
        "exp": now + 3600,
        "firebase": {"identities": {}, "sign_in_provider": "password"},
    }
    claims = {name: value for name, value in (claims | changes).items() if value is not None}
    return ".".join(_part(part) for part in ({"alg": "none", "typ": "JWT"}, claims)) + "."


def _part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


class World:
    """One running API. ``as_user`` gives a client that signs its requests."""

    def __init__(self, app: Any, lines: list[bytes], mirror: MirrorSink | None) -> None:
        self.app = app
        self.service: Service = app.state.service
        self._lines = lines
        self.mirror = mirror
        # An exception that leaves the application is a failure of the test, not an answer.
        self.transport = httpx.ASGITransport(app, raise_app_exceptions=True)

    @property
    def logs(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._lines]

    def as_user(self, token: str | None = None) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {token or new_user()}"}
        return httpx.AsyncClient(transport=self.transport, base_url="http://api", headers=headers)

    async def metrics(self) -> httpx.Response:
        """The page of the metrics' own port."""
        transport = httpx.ASGITransport(metrics_port.page(self.service))
        async with httpx.AsyncClient(transport=transport, base_url="http://metrics") as client:
            return await client.get("/metrics")

    def anonymous(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=self.transport, base_url="http://api")


def database_environment(database: DatabaseSettings) -> dict[str, str]:
    return {"DB_HOST": database.host, "DB_PORT": str(database.port), "DB_USER": database.user, "DB_NAME": database.name}


def migrate(database: DatabaseSettings) -> str:
    """Runs the command, as the stack does; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "api", "migrate"],
        cwd=ROOT,
        env=database_environment(database),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def new_user() -> str:
    return f"user-{uuid.uuid4().hex[:12]}"


def new_id() -> str:
    return str(uuid.uuid4())


@contextlib.asynccontextmanager
async def running(
    database: Database | None = None,
    mirror: MirrorSink | None = None,
    clock: Clock | None = None,
    storage: Storage | None = None,
    **changes: Any,
) -> AsyncIterator[World]:
    clock = clock or SystemClock()
    lines: list[bytes] = []
    mirror = mirror if mirror is not None else MemoryMirror()
    ports = Ports(
        database=database or MemoryDatabase(clock),
        tokens=MemoryTokens(),
        clock=clock,
        ids=SeededIds(random.Random(uuid.uuid4().int)),
        storage=storage,
        mirror=mirror,
    )
    chosen = settings(**changes)
    log = Log(clock, pod_name=chosen.pod_name, level=chosen.log_level, form=chosen.log_format, write=lines.append)
    app = build_app(chosen, ports, log)
    async with app.router.lifespan_context(app):
        yield World(app, lines, mirror)
