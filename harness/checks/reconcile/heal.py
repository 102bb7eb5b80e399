"""Reads both stores, says what differs, and heals in the stated direction. Idempotent; bounded in walks."""

from __future__ import annotations

from collections.abc import Collection

import asyncpg

from harness.base.errors import PartDied
from harness.checks.dual_write import document_id, expected
from harness.checks.healing import Healing, healing
from harness.checks.stores import read_walks
from harness.model.direction import Direction
from harness.model.judgement import Judgement, Kind
from harness.model.message import message
from harness.model.stack import Endpoints
from harness.model.verdict import Verdict
from harness.stack.firebase.copy_walks import copy_walks
from harness.stack.firebase.document_writes import plain_fields
from harness.stack.firebase.documents import Documents, Fields

RECONCILE = "reconcile"
_SQL_TIMEOUT_S = 10.0


async def heal(
    endpoints: Endpoints,
    direction: Direction,
    *,
    apply: bool,
    deleted: Collection[str] = (),
    own: Collection[str] = (),
) -> Healing:
    """What there was to do, and with ``apply`` is done. ``deleted`` and ``own`` as ``healing`` takes them.

    Raises ``PartDied`` when a store does not answer, ``TooManyWalks`` when there are more walks than are read.
    """
    documents = Documents(endpoints.firestore, endpoints.project_id)
    try:
        walks = await read_walks(endpoints)
        held = await documents.all()
        plan = healing(walks, held, deleted, direction, own)
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


def healed(done: Healing, left: Healing) -> Judgement:
    """What a healing changed, and whether a second one finds nothing more to do, and nothing that was left alone.

    What is left alone is not known to be the app's own, and may be a loss that this direction cannot heal.
    """
    again = message(
        "a second time: {changes} changes, {named} left alone", changes=str(left.changes), named=str(len(left.named))
    )
    return Judgement(
        id=RECONCILE,
        kind=Kind.CHECK,
        verdict=Verdict.FAIL if left.changes else Verdict.INCONCLUSIVE if left.named else Verdict.PASS,
        told=(done.told, again),
        examples=left.named[:5],
    )


async def _to_postgresql(endpoints: Endpoints, held: dict[str, Fields], plan: Healing) -> None:
    """An older walk is taken out and copied anew, so that its ``updated_at`` is the document's, not the trigger's."""
    if not held:
        return
    try:
        connection = await asyncpg.connect(**endpoints.login, timeout=_SQL_TIMEOUT_S)
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
