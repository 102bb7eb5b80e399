"""Whether a part that is no pod answers, asked at its own protocol."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

import asyncpg

from harness.model.stack import Address
from harness.stack.firebase import commands
from harness.stack.waiting import http_status


async def secrets_served(address: Address) -> bool:
    """Whether the stand-in for Secret Manager answers."""
    return await http_status(address, "/healthz") == 200


#: The Firebase parts, by name.
CHECKS: dict[str, Callable[[Address], Awaitable[bool]]] = {
    "auth": commands.auth_ready,
    "firestore": commands.firestore_ready,
    "remote_config": commands.remote_config_ready,
    "storage": commands.storage_ready,
}


async def logs_in(address: Address, user: str, database: str, password: str) -> bool:
    """Whether the application's role can log in to PostgreSQL."""
    try:
        connection = await asyncpg.connect(
            host=address.host,
            port=address.port,
            user=user,
            database=database,
            password=password,
            ssl=False,
            timeout=2,
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    with contextlib.suppress(TimeoutError):  # it has let us in; a busy machine is slow to say goodbye
        await connection.close(timeout=2)
    return True
