"""What PostgreSQL says when it cannot serve: 503, which a client tries again, not the 500 of a defect."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest
from msgspec import structs

from api.clock import SystemClock
from api.postgres import PUT_ATTEMPTS, PostgresDatabase
from api.settings import DatabaseSettings
from tests.api import world
from tests.api.contract import assert_error
from tests.api.test_postgres import _connect, _fresh
from tests.api.world import new_id, new_user
from tests.ports import free_port


def failing(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> PostgresDatabase:
    """A database whose every statement ends in that error."""

    async def query(*_: Any) -> Any:
        raise error("as the server says it")

    database = PostgresDatabase(DatabaseSettings(), SystemClock())
    monkeypatch.setattr(database, "_query", query)
    return database


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
    async with world.running(failing(error, monkeypatch)) as api, api.as_user() as client:
        for method, path in (("GET", "/v1/walks"), ("PUT", f"/v1/walks/{new_id()}"), ("GET", "/ready")):
            assert_error(await client.request(method, path, json={}), 503, "INTERNAL_ERROR")


@pytest.mark.parametrize(
    "error", [asyncpg.UndefinedTableError, asyncpg.PostgresSyntaxError, asyncpg.InternalServerError]
)
async def test_a_defect_stays_a_500(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    async with world.running(failing(error, monkeypatch)) as api, api.as_user() as client:
        assert_error(await client.get("/v1/walks"), 500, "INTERNAL_ERROR")


class Pool:
    """Each statement gets the next of ``steps``: what refuses its connection, its rows, or what breaks it when sent."""

    def __init__(self, *steps: tuple[str, Exception | None]) -> None:
        self.steps = list(steps)
        self.given = 0

    async def acquire(self) -> Pool:
        place, error = self.steps[0]
        if place == "connect" and error is not None:
            raise error
        self.given += 1
        return self

    async def fetch(self, *_: object) -> list[Any]:
        _place, error = self.steps.pop(0)
        if error is not None:
            raise error
        return []

    async def release(self, connection: Pool, *, timeout: float) -> None:  # noqa: ASYNC109 - asyncpg's
        assert connection is self and timeout
        self.given -= 1

    async def close(self) -> None:
        assert not self.given


REFUSED, RESET = ConnectionRefusedError("refused"), ConnectionResetError("reset")
NO_ROW = ("send", None)


@pytest.mark.parametrize(
    ("steps", "noted"),
    [
        ([("connect", REFUSED)], 0),
        ([("connect", TimeoutError())], 0),  # none was free in time
        ([("connect", asyncpg.TooManyConnectionsError("full"))], 0),
        ([("connect", asyncpg.CannotConnectNowError("starting up"))], 0),
        ([NO_ROW, ("connect", REFUSED)], 0),  # overtaken, so nothing was written, and then no connection
        ([NO_ROW] * 2 * PUT_ATTEMPTS, 0),  # overtaken each time
        ([("send", RESET)], 1),
        ([("send", TimeoutError())], 1),
        ([NO_ROW, NO_ROW, ("send", RESET)], 1),
    ],
)
async def test_the_outcome_is_unknown_of_what_was_sent_alone(
    steps: list[tuple[str, Exception | None]], noted: int
) -> None:
    """In a plain outage each retry of a POST has a new id: noted, they would push out the write that is unknown."""
    database, uid = PostgresDatabase(DatabaseSettings(), SystemClock()), new_user()
    async with world.running(database) as api, api.as_user(uid) as client:
        database._known[uid] = None
        database._pool = Pool(*steps)
        assert_error(await client.put(f"/v1/walks/{new_id()}", json={"title": "t"}), 503, "INTERNAL_ERROR")
        assert api.service.unsettled.stats.noted == noted
        database._pool.steps = [("connect", REFUSED)]


@pytest.mark.process
async def test_an_outage_however_long_keeps_the_places_of_the_unknown_writes() -> None:
    database, uid = PostgresDatabase(DatabaseSettings(port=free_port()), SystemClock()), new_user()
    async with world.running(database) as api, api.as_user(uid) as client:
        database._known[uid] = None
        for method, path in (
            ("POST", "/v1/walks"),
            ("PUT", f"/v1/walks/{new_id()}"),
            ("DELETE", f"/v1/walks/{new_id()}"),
        ):
            assert_error(await client.request(method, path, json={"title": "t"}), 503, "INTERNAL_ERROR")
        assert api.service.unsettled.stats.noted == 0


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
async def test_who_asks_whether_it_is_ready_shares_the_answer(
    migrated: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may ask, without a token: a hundred at once must not take the pool from the users."""
    monkeypatch.setattr("api.postgres.READY_TIMEOUT_S", 5.0)
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
