"""Brings the database to the newest schema: ``migrations/NNNN_*.sql`` in order, each once, each in one transaction."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import asyncpg

from api.clock import pause
from api.settings import DatabaseSettings

FOLDER = Path(__file__).parent / "migrations"
#: Several pods may migrate at once; the lock's number is any that no other program of the database uses.
LOCK = 7_265_017_025
CONNECT_ATTEMPTS = 40
CONNECT_PAUSE_S = 0.25

_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY, digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
)"""


class MigrationError(RuntimeError):
    """The database could not be brought to the newest schema; the message says why and where."""


async def migrate(settings: DatabaseSettings, folder: Path = FOLDER) -> list[str]:
    """Applies what is missing and returns its names, [] when all was there. Raises ``MigrationError``."""
    files = _read(folder)
    connection = await _connect(settings)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        await connection.execute(_TABLE)
        applied = dict(await connection.fetch("SELECT name, digest FROM schema_migrations"))
        return [name for name, text in files if await _apply(connection, name, text, applied)]
    finally:
        await connection.close()  # and with it the lock


def _read(folder: Path) -> list[tuple[str, str]]:
    """Names and texts in order. Raises ``MigrationError`` when there is none."""
    files = [(path.stem, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.sql"))]
    if not files:
        raise MigrationError(f"no migrations in {folder}")
    return files


async def _apply(connection: Any, name: str, text: str, applied: dict[str, str]) -> bool:
    digest = hashlib.sha256(text.encode()).hexdigest()
    if name in applied:
        if applied[name] != digest:
            raise MigrationError(f"{name} was changed after it was applied; write a new migration instead")
        return False
    try:
        async with connection.transaction():
            await connection.execute(text)
            await connection.execute("INSERT INTO schema_migrations (name, digest) VALUES ($1, $2)", name, digest)
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{name}: {error}") from error
    return True


async def _connect(settings: DatabaseSettings) -> Any:
    """A connection, waited for about 10 s: the migration may run while the database starts."""
    attempt = 1
    while True:
        try:
            return await asyncpg.connect(
                host=settings.host,
                port=settings.port,
                user=settings.user,
                password=settings.password,
                database=settings.name,
                ssl=False if settings.sslmode == "disable" else settings.sslmode,
                timeout=5.0,
            )
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError) as error:
            if attempt == CONNECT_ATTEMPTS:
                raise MigrationError(f"no database at {settings.host}:{settings.port}: {error}") from error
        except asyncpg.PostgresError as error:
            raise MigrationError(f"{settings.host}:{settings.port}: {error}") from error
        attempt += 1
        await pause(CONNECT_PAUSE_S)
