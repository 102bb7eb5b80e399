"""PostgreSQL once a session; each test of the contract runs over the memory ports and over PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest

from api.clock import SystemClock
from api.postgres import PostgresDatabase
from api.settings import DatabaseSettings
from tests.api import postgres, world


@pytest.fixture(scope="package", autouse=True)
def no_stray_emulators() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        for name in list(os.environ):
            if name.endswith("_EMULATOR_HOST"):
                environment.delenv(name)
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    with postgres.running() as server:
        yield server


@pytest.fixture(scope="session")
def migrated(postgres_server: postgres.Server) -> DatabaseSettings:
    """A migrated database that all tests share: each uses users of its own."""
    assert world.migrate(postgres_server.settings) == "applied 0001_walks\napplied 0002_walk_size\n"
    return postgres_server.settings


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.process)])
async def api(request: pytest.FixtureRequest) -> AsyncIterator[world.World]:
    database = None
    if request.param == "postgres":
        database = PostgresDatabase(request.getfixturevalue("migrated"), SystemClock())
    async with world.running(database) as running:
        yield running


@pytest.fixture
async def real(migrated: DatabaseSettings) -> AsyncIterator[world.World]:
    """Over PostgreSQL alone."""
    async with world.running(PostgresDatabase(migrated, SystemClock())) as running:
        yield running
