"""What one request came to, on either side."""

from __future__ import annotations

import msgspec

from harness.load.population.schedule import Account, PlannedRequest
from harness.load.population.walk import digest
from harness.model.evidence import Operation, Outcome, RequestRow, Side, Wire


class CallResult(msgspec.Struct, frozen=True, kw_only=True):
    """``walk_id`` is the walk's id on that side: the server's own for a created one.

    ``retried``: it was sent twice, so a write may be carried out twice. ``shown`` is ``harness.model.shown``.
    """

    status: int
    outcome: Outcome
    acknowledged: bool
    walk_id: str
    pod: str = ""
    retried: bool = False
    shown: str = ""
    wire: Wire = Wire.CLEAN

    def row(
        self,
        planned: PlannedRequest,
        account: Account,
        side: Side,
        *,
        operation_id: str,
        due_ns: int,
        sent_ns: int,
        done_ns: int,
        flag: bool,
    ) -> RequestRow:
        """As evidence."""
        return RequestRow(
            operation_id=operation_id,
            user=account.user,
            audience=account.audience,
            side=side,
            operation=planned.operation,
            due_ns=due_ns,
            sent_ns=sent_ns,
            done_ns=done_ns,
            status=self.status,
            outcome=self.outcome,
            acknowledged=self.acknowledged,
            payload_digest=digest(planned.body),
            flag=flag,
            walk_id=self.walk_id if planned.operation is not Operation.LIST_WALKS else "",
            pod=self.pod,
            retried=self.retried,
            shown=self.shown,
            wire=self.wire,
        )
