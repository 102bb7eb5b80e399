"""Resets a PostgreSQL server that an earlier run has used, and proves it as empty as its template.

Only the superuser can: it drops every database but the three that PostgreSQL itself makes, every role but its own, and
every setting that was changed, then makes the application's role and database again, as the template has them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from harness.base.errors import PartDied
from harness.model.stack import Endpoints
from harness.stack.local.postgres_template import DATABASE, ROLES, USER

_TIMEOUT_S = 5.0
_SUPERUSER = "postgres"
_OURS = "rehearsal-reset"  # the application name of this module's own connections
_ROLES = r"SELECT rolname FROM pg_roles WHERE rolname <> 'postgres' AND rolname NOT LIKE 'pg\_%'"
_DATABASES = "SELECT datname FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')"
# 16384 is PostgreSQL's FirstNormalObjectId: whatever a running server was asked to make has this oid or more.
#: What there may be nothing of, by what it is called to a person. Of the whole server.
_SERVER = {
    "settings": "SELECT (SELECT count(*) FROM pg_db_role_setting) + (SELECT count(*) FROM pg_file_settings"
    " WHERE sourcefile LIKE '%postgresql.auto.conf')",
    "replication slots": "SELECT count(*) FROM pg_replication_slots",
    "prepared transactions": "SELECT count(*) FROM pg_prepared_xacts",
    "tablespaces": "SELECT count(*) FROM pg_tablespace WHERE oid >= 16384",
    "clients": "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    " AND application_name <> 'rehearsal-reset'",
}
#: Of each database.
_EACH = {
    "relations": "SELECT count(*) FROM pg_class WHERE oid >= 16384",
    "types": "SELECT count(*) FROM pg_type WHERE oid >= 16384",
    "functions": "SELECT count(*) FROM pg_proc WHERE oid >= 16384",
    "schemas": "SELECT count(*) FROM pg_namespace WHERE oid >= 16384",
    "extensions": "SELECT count(*) FROM pg_extension WHERE oid >= 16384",
}


async def reset(endpoints: Endpoints) -> None:
    """As the template. Raises ``PartDied`` when the server does not answer, or refuses."""
    async with _connected(endpoints, _SUPERUSER) as server:
        await server.execute(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
            " WHERE backend_type IN ('client backend', 'walsender') AND pid <> pg_backend_pid()"
        )
        for name in await _names(server, "SELECT gid FROM pg_prepared_xacts"):
            await server.execute(f"ROLLBACK PREPARED '{name}'")
        for name in await _names(server, "SELECT slot_name FROM pg_replication_slots"):
            await server.execute("SELECT pg_drop_replication_slot($1)", name)
        for name in await _names(server, _DATABASES):
            await server.execute(f"DROP DATABASE {_quoted(name)} WITH (FORCE)")
        for name in await _names(server, _ROLES):
            await server.execute(f"DROP ROLE {_quoted(name)}")
        await server.execute("ALTER SYSTEM RESET ALL")
        await server.execute("SELECT pg_reload_conf()")
        for statement in ROLES.format(user=USER, password=endpoints.database_password, database=DATABASE).splitlines():
            await server.execute(statement)


async def left(endpoints: Endpoints) -> list[str]:
    """One line for each kind of thing the template does not have; asked of every database. Raises ``PartDied``."""
    lines = []
    async with _connected(endpoints, _SUPERUSER) as server:
        for what, query, ours in (("roles", _ROLES, USER), ("databases", _DATABASES, DATABASE)):
            others = [name for name in await _names(server, query) if name != ours]
            lines += [f"postgres holds {len(others)} other {what}"] if others else []
        for what, query in _SERVER.items():
            if count := await server.fetchval(query):
                lines.append(f"postgres holds {count} {what}")
    for database in ("postgres", "template1", DATABASE):
        async with _connected(endpoints, database) as connection:
            for what, query in _EACH.items():
                if count := await connection.fetchval(query):
                    lines.append(f"postgres holds {count} {what} in {database}")
    return lines


async def _names(server: Any, query: str) -> list[str]:
    return [row[0] for row in await server.fetch(query)]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@asynccontextmanager
async def _connected(endpoints: Endpoints, database: str) -> AsyncIterator[Any]:
    """A connection as the superuser, whose password the template gives it, the same as the application's."""
    address = endpoints.database
    where = f"PostgreSQL on {address}"
    connection = None
    try:
        connection = await asyncpg.connect(
            host=address.host,
            port=address.port,
            user=_SUPERUSER,
            database=database,
            password=endpoints.database_password,
            ssl=False,
            timeout=_TIMEOUT_S,
            command_timeout=_TIMEOUT_S,
            server_settings={"application_name": _OURS},
        )
        yield connection
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise PartDied(f"{where}: {error or type(error).__name__}", where=where) from error
    finally:
        if connection is not None:
            connection.terminate()
