"""What a perfect API would hold after a few users' schedules: rows of evidence and stored walks, made from the plan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import msgspec

from harness.checks.dual_write import StoredWalk
from harness.checks.sent import Sent, sent
from harness.load.population.schedule import PlannedRequest, accounts, slots, user_schedule
from harness.load.population.walk import WalkUpdate, digest
from harness.model.evidence import WRITES, Operation, Outcome, RequestRow, Side
from harness.model.scenario import AudiencePlan, PopulationPlan

SEED, ANCHOR, BUCKET = 7, 1_760_000_000_000_000_000, "demo.appspot.com"
PLAN = PopulationPlan(audiences=(AudiencePlan(name="all", users=3, flag_on=3),), pace_s=50.0, fetch_interval_s=30.0)
USERS = accounts(PLAN, SEED)
NOON = datetime(2025, 10, 20, 12, tzinfo=UTC)


def planned(user: str, count: int = 25) -> list[PlannedRequest]:
    slot = slots(PLAN, USERS, SEED)[user]
    return list(islice(user_schedule(user, slot, PLAN, SEED, ANCHOR), count))


def row(each: PlannedRequest, *, ok: bool = True, later_ns: int = 0) -> RequestRow:
    """The row of its request; ``ok``: answered as the contract says."""
    return RequestRow(
        operation_id=each.operation_id,
        user=each.user,
        audience="all",
        side=Side.API,
        operation=each.operation,
        due_ns=each.due_offset_ns,
        sent_ns=each.due_offset_ns + later_ns,
        done_ns=each.due_offset_ns + later_ns + 1_000_000,
        status=200 if ok else 0,
        outcome=Outcome.OK if ok else Outcome.BROKEN,
        acknowledged=ok and each.operation in WRITES,
        payload_digest=digest(each.body),
        flag=True,
        walk_id=each.walk_id,
    )


def rows_of(*users: str) -> list[RequestRow]:
    return [row(each) for user in users for each in planned(user) if each.operation in WRITES]


def as_sent(rows: Sequence[RequestRow]) -> Sent:
    return sent(rows, PLAN, USERS, seed=SEED, anchor_unix_ns=ANCHOR, bucket=BUCKET)


def held(rows: Sequence[RequestRow]) -> dict[str, StoredWalk]:
    """What PostgreSQL holds when exactly the acknowledged ``rows`` were applied, each once and in order."""
    plans = {each.operation_id: each for user in {row.user for row in rows} for each in planned(user)}
    stored: dict[str, StoredWalk] = {}
    for each in rows:
        if not each.acknowledged:
            continue
        plan = plans[each.operation_id]
        if each.operation is Operation.DELETE_WALK:
            stored.pop(each.walk_id, None)
            continue
        assert plan.body is not None
        before = stored.get(each.walk_id)
        columns: dict[str, Any] = dict(before.columns) if before else _fresh(each.user)
        columns |= {name: value for name, value in msgspec.structs.asdict(plan.body).items() if value is not None}
        columns.pop("locations", None)
        points = list(before.locations) if before else []
        if isinstance(plan.body, WalkUpdate):
            points = [*points, *(msgspec.structs.asdict(location) for location in plan.body.locations)]
        stored[each.walk_id] = StoredWalk(id=each.walk_id, columns=columns, locations=points)
    return stored


def _fresh(user: str) -> dict[str, Any]:
    empty = dict.fromkeys(("end_time", "thumbnail_image_url", "paused_at", "polyline_data", "start_time"))
    return {**empty, "user_id": user, "description": "", "updated_at": NOON}
