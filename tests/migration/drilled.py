"""What a good drill leaves, made by hand."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.model.evidence import Operation, Outcome, RequestRow, Side
from harness.rehearsals.migration_drill.types import (
    ComparedStores,
    DrillDetails,
    DrillPlan,
    MigratorAttempt,
    OddDocument,
    Race,
)

PLAN = DrillPlan(kills=1)
replace = msgspec.structs.replace


def details(**changes: Any) -> DrillDetails:
    good = DrillDetails(
        planted=3,
        attempts=[
            MigratorAttempt(seconds=1.0, walks=10, killed=True, status=-9),
            MigratorAttempt(seconds=2.0, walks=30, killed=False, status=10),
        ],
        odd=[
            OddDocument(name="moved", refused=False, there=True, named=False),
            OddDocument(name="refused", refused=True, there=False, named=True),
        ],
        compared=ComparedStores(documents=30, walks=31, equal=29, later=1, missing=0, older=0, different=0, alone=1),
        race=Race(walks=40, written=80),
        users_missing=(),
        consents=5,
        consents_missing=(),
        consents_different=(),
    )
    return replace(good, **changes)


def requests(count: int = 400, failed: int = 0) -> list[RequestRow]:
    return [
        RequestRow(
            operation_id=f"u-{number}", user="u", audience="general", side=Side.FIRESTORE,
            operation=Operation.PUT_WALK, due_ns=number, sent_ns=number, done_ns=number + 1, status=0,
            outcome=Outcome.TIMEOUT if number < failed else Outcome.OK, acknowledged=number >= failed,
            payload_digest="", flag=False,
        )
        for number in range(count)
    ]  # fmt: skip
