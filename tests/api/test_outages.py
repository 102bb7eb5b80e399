"""What PostgreSQL says when it cannot serve: 503, which a client tries again, not the 500 of a defect."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest
from msgspec import structs

from api.clock import SystemClock
from api.postgres import PostgresDatabase
from api.settings import DatabaseSettings
from tests.api import world
from tests.api.test_contract import assert_error
from tests.api.test_postgres import _connect, _fresh
from tests.api.world import new_id


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InvalidPasswordError,
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InvalidCatalogNameError,
        asyncpg.ReadOnlySQLTransactionError,
        asyncpg.SerializationError,
        asyncpg.DeadlockDetectedError,
        asyncpg.LockNotAvailableError,
        asyncpg.IdleInTransactionSessionTimeoutError,
        asyncpg.TransactionTimeoutError,
        asyncpg.QueryCanceledError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
        asyncpg.CannotConnectNowError,
        asyncpg.TooManyConnectionsError,
        asyncpg.DiskFullError,
        asyncpg.PostgresIOError,
        ConnectionResetError,
        TimeoutError,
    ],
)
async def test_every_outage_is_a_503(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    async def query(*_: Any) -> Any:
        raise error("as the server says it")

    database = PostgresDatabase(DatabaseSettings(), SystemClock())
    monkeypatch.setattr(database, "_query", query)
    async with world.running(database) as api, api.as_user() as client:
        for method, path in (("GET", "/v1/walks"), ("PUT", f"/v1/walks/{new_id()}"), ("GET", "/ready")):
            assert_error(await client.request(method, path, json={}), 503, "INTERNAL_ERROR")


@pytest.mark.parametrize(
    "error", [asyncpg.UndefinedTableError, asyncpg.PostgresSyntaxError, asyncpg.InternalServerError]
)
async def test_a_defect_stays_a_500(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    async def query(*_: Any) -> Any:
        raise error("as the server says it")

    database = PostgresDatabase(DatabaseSettings(), SystemClock())
    monkeypatch.setattr(database, "_query", query)
    async with world.running(database) as api, api.as_user() as client:
        assert_error(await client.get("/v1/walks"), 500, "INTERNAL_ERROR")


@pytest.mark.process
async def test_a_database_set_read_only_dropped_or_of_another_role(migrated: DatabaseSettings) -> None:
    """As PostgreSQL itself says it: after a failover to a standby, while a restore goes on, after a rotation."""
    fresh = await _fresh(migrated)
    assert "0001_walks" in world.migrate(fresh)
    for wrong in ({"name": f"none_{new_id()}"}, {"user": "nobody_here"}):
        database = PostgresDatabase(structs.replace(fresh, **wrong), SystemClock())
        async with world.running(database) as api, api.as_user() as client:
            assert_error(await client.get("/v1/walks"), 503, "INTERNAL_ERROR")
    operator = await _connect(migrated)
    await operator.execute(f"ALTER DATABASE {fresh.name} SET default_transaction_read_only = on")
    await operator.close()
    async with world.running(PostgresDatabase(fresh, SystemClock())) as api, api.as_user() as client:
        assert_error(await client.put(f"/v1/walks/{new_id()}", json={}), 503, "INTERNAL_ERROR")


@pytest.mark.process
async def test_a_statement_that_nobody_waits_for_ends_in_the_server(
    migrated: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.postgres.COMMAND_TIMEOUT_S", 1.0)
    database = PostgresDatabase(migrated, SystemClock())
    await database.open()
    async with database._pool.acquire() as connection:
        assert await connection.fetchval("SHOW statement_timeout") == "1s"
        with pytest.raises(asyncpg.QueryCanceledError):
            await connection.fetchval("SELECT pg_sleep(3)", timeout=5)
    await database.close()


@pytest.mark.process
async def test_who_asks_whether_it_is_ready_shares_the_answer(migrated: DatabaseSettings) -> None:
    """Anybody may ask, without a token: a hundred at once must not take the pool from the users."""
    database = PostgresDatabase(structs.replace(migrated, pool_max=2), SystemClock())
    async with world.running(database) as api, api.anonymous() as client:
        answers = await asyncio.gather(*(client.get("/ready") for _ in range(100)))
        assert {answer.status_code for answer in answers} == {200}
        assert database.pool().size == 1
        first = asyncio.create_task(database.ready())
        second = asyncio.create_task(database.ready())
        await asyncio.sleep(0)
        first.cancel()  # who goes away takes nobody's answer along
        assert await second is True
