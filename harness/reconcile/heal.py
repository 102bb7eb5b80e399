"""Reads both stores, says what differs, and heals in the stated direction. Idempotent; bounded in walks."""

from __future__ import annotations

from collections.abc import Collection

import asyncpg

from harness.checks.dual_write import document_id, expected
from harness.checks.healing import Direction, Healing, healing
from harness.firebase.copy_walks import copy_walks
from harness.firebase.document_writes import plain_fields
from harness.firebase.documents import Documents, Fields
from harness.model.chaos import CheckSummary
from harness.model.errors import BadInput, PartDied
from harness.model.stack import Endpoints
from harness.model.verdict import Verdict
from harness.stores import read_walks

MOST_WALKS = 20_000
_SQL_TIMEOUT_S = 10.0


async def heal(endpoints: Endpoints, direction: Direction, *, apply: bool, deleted: Collection[str] = ()) -> Healing:
    """What there was to do, and with ``apply`` is done. ``deleted`` as ``healing`` takes it.

    Raises ``PartDied`` when a store does not answer, ``BadInput`` when there are more walks than it reads.
    """
    documents = Documents(endpoints.firestore, endpoints.project_id)
    try:
        walks = await read_walks(endpoints, MOST_WALKS)
        held = await documents.all()
        if max(len(walks), len(held)) >= MOST_WALKS:
            raise BadInput(f"there are {MOST_WALKS} walks or more", where=str(endpoints.database))
        plan = healing(walks, held, deleted, direction)
        if apply:
            by_name = {document_id(walk.id): walk for walk in walks}
            for name in plan.write:
                await documents.put(name, expected(by_name[name]))
            for name in plan.delete:
                await documents.delete(name)
            await _to_postgresql(endpoints, {name: held[name] for name in (*plan.replace, *plan.copy)}, plan)
        return plan
    finally:
        await documents.close()


def healed_summary(healed: Healing, left: Healing) -> CheckSummary:
    """What a healing changed, and whether a second one finds nothing more to do."""
    detail = f"{healed.sentence}; a second time: {left.changes} changes"
    verdict = Verdict.FAIL if left.changes else Verdict.PASS
    return CheckSummary(name="reconcile", verdict=verdict, detail=detail, examples=healed.named[:5])


async def _to_postgresql(endpoints: Endpoints, held: dict[str, Fields], plan: Healing) -> None:
    """An older walk is taken out and copied anew, so that its ``updated_at`` is the document's, not the trigger's."""
    if not held:
        return
    try:
        connection = await asyncpg.connect(
            host=endpoints.database.host,
            port=endpoints.database.port,
            user=endpoints.database_user,
            password=endpoints.database_password,
            database=endpoints.database_name,
            timeout=_SQL_TIMEOUT_S,
        )
        try:
            async with connection.transaction():
                for name in plan.replace:
                    await connection.execute("DELETE FROM walks WHERE id = $1::text::uuid", name)
                await copy_walks([plain_fields(fields) for fields in held.values()], connection)
        finally:
            await connection.close(timeout=_SQL_TIMEOUT_S)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise PartDied(
            f"PostgreSQL failed: {error!r}", where=str(endpoints.database), remedy="read postgres.log"
        ) from error
