"""Reads both stores, says what differs, and heals in the stated direction. Idempotent; bounded in walks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC

from harness.base.errors import PartDied
from harness.checks.dual_write import StoredWalk, document_id, expected
from harness.checks.stores import NotAsNamed, TooManyWalks, read_ids, read_walks
from harness.checks.tables import WALKS
from harness.migration.convert import WalkRows, version_of, walk_rows
from harness.migration.healing import Healing, decided, healed, healing, overtaken, unreconciled, vanished, without
from harness.migration.load import move
from harness.model.direction import Direction
from harness.model.evidence import Side
from harness.model.judgement import Judgement
from harness.model.message import message, of_error
from harness.model.stack import Endpoints
from harness.rules.writes import Writes
from harness.stack.firebase.documents import Documents, StoredDocument, plain_fields

#: So many documents are written at the same time: each is a commit of its own, and most of it is waiting.
AT_ONCE = 8


async def heal(
    endpoints: Endpoints,
    direction: Direction,
    *,
    apply: bool,
    deleted: Collection[str] = (),
    own: Collection[str] = (),
    settled: Callable[[], Awaitable[None]] | None = None,
) -> Healing:
    """What there was to do, and with ``apply`` is done. ``deleted`` and ``own`` as ``healing`` takes them.

    While the app goes on in Firestore: ``settled`` is awaited once the stores are read, and returns when ``deleted``
    and ``own`` hold all that was sent until then; a document that is no longer as it was read is left alone and named.
    Raises ``PartDied`` when a store does not answer, ``TooManyWalks`` when there are more walks than are read.
    """
    documents = Documents(endpoints.firestore, endpoints.project_id)
    try:
        walks = await read_walks(endpoints)
        held = await documents.held()
        if settled is not None:
            await settled()
        fields = {name: document.fields for name, document in held.items()}
        plan = healing(walks, fields, deleted, direction, own)
        behind = [
            name for walk in walks if (name := document_id(walk.id)) in plan.write and _behind(walk, held.get(name))
        ]
        left = [
            message("{walk}: written to Firestore later, by a clock that is behind", walk=n.lower()) for n in behind
        ]
        plan = overtaken(plan, behind, left)
        if apply:
            plan = overtaken(plan, await _apply(plan, walks, held, documents))
            plan = vanished(plan, await _vanished(plan, endpoints, documents))
        rows = {name: _rows(name, held[name]) for name in (*plan.replace, *plan.copy)}
        return decided(plan, await move(endpoints, rows, dry=not apply)) if rows else plan
    finally:
        await documents.close()


def _rows(name: str, document: StoredDocument) -> WalkRows:
    return walk_rows(name, plain_fields(document.fields), updated=document.version and document.version.ToDatetime(UTC))


def _behind(walk: StoredWalk, document: StoredDocument | None) -> bool:
    """Whether Firestore says that the document was written after the walk, and the app's clock that it was before."""
    if document is None or document.version is None or walk.updated_at is None:
        return False
    version = version_of(plain_fields(document.fields))
    return version is not None and version < walk.updated_at < document.version.ToDatetime(UTC)


async def _vanished(plan: Healing, endpoints: Endpoints, documents: Documents) -> list[str]:
    """What would make a walk anew that its user deleted since all was read: one to be replaced that PostgreSQL has no
    more, or one to be copied whose document is gone."""
    if not (plan.copy or plan.replace):
        return []
    there = await documents.get_many([*plan.copy, *plan.replace])
    stored = await read_ids(endpoints, WALKS) if plan.replace else frozenset()
    gone = [name for name in plan.replace if name.lower() not in stored]
    return gone + [name for name in (*plan.copy, *plan.replace) if name not in there and name not in gone]


async def _apply(
    plan: Healing, walks: Collection[StoredWalk], held: Mapping[str, StoredDocument], documents: Documents
) -> list[str]:
    """Writes documents by ``plan``, then deletes some; those that were no longer as ``held``."""
    by_name = {document_id(walk.id): walk for walk in walks}

    def write(name: str) -> Awaitable[bool]:
        return documents.put_over(name, expected(by_name[name]), held.get(name))

    missed = await _missed(plan.write, write)
    return missed + await _missed(plan.delete, lambda name: documents.delete_seen(name, held[name]))


async def _missed(names: Sequence[str], act: Callable[[str], Awaitable[bool]]) -> list[str]:
    """Those of ``names``, which are all different, of which ``act`` says that it was not done, in their order.

    ``AT_ONCE`` are under way at most. What one raises is raised, and no further one begins; however it ends, none goes
    on behind it.
    """
    waiting, missed = iter(names), set[str]()

    async def work() -> None:
        for name in waiting:
            if not await act(name):
                missed.add(name)

    tasks = [asyncio.create_task(work()) for _ in range(min(AT_ONCE, len(names)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [name for name in names if name in missed]


async def twice(
    endpoints: Endpoints,
    direction: Direction,
    writes: Writes,
    settled: Callable[[], Awaitable[None]] | None = None,
    beside: Callable[[], Collection[str]] = tuple,
) -> tuple[Healing, Judgement]:
    """Heals, and looks a second time; what was done, and the word on it. ``settled`` as ``heal`` takes it: then the
    second time nothing is written, and of the walks ``beside`` (ids in lower case, asked for once all was read), which
    are written meanwhile, nothing is said. Raises as ``heal`` the first time; a second one that fails is told."""
    deleted, own = writes.deleted[Side.API], writes.direct
    live = settled is not None
    done = await heal(endpoints, direction, apply=True, deleted=deleted, own=own, settled=settled)
    try:
        left = await heal(endpoints, direction, apply=not live, deleted=deleted, own=own, settled=settled)
    except (PartDied, NotAsNamed, TooManyWalks) as error:  # what the evidence refuses ends the run
        return done, unreconciled(done.told, of_error(error))
    return done, healed(done, without(left, beside()))
