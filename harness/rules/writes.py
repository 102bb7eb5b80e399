"""What the evidence says of walks: which the API was told to delete, which the app wrote past the API. Pure."""

from __future__ import annotations

from harness.model.evidence import WRITES, Operation, RequestRow, Row, Side


class Writes:
    """Grows with the evidence. Walk ids in lower case; each with its user."""

    def __init__(self) -> None:
        self.deleted: dict[Side, dict[str, str]] = {side: {} for side in Side}
        self.kept: dict[Side, dict[str, str]] = {side: {} for side in Side}
        #: Written or deleted straight in Firestore, or perhaps so: the mirror alone no longer decides their documents.
        #: That of a walk deleted by the API since then is the mirror's again, unless a write to it may still arrive.
        self.direct: set[str] = set()
        #: Those that ever were: a target that mirrors nothing leaves their documents as they are.
        self.ever_direct: set[str] = set()
        self._may_arrive: set[str] = set()
        #: Deleted straight in Firestore, and sent to neither side since.
        self.gone: set[str] = set()
        #: Whose last PUT no side has confirmed: once such a walk is over, its phone sends it again, out of schedule.
        self.unconfirmed: set[str] = set()

    def add(self, row: Row) -> None:
        """Takes note of a request; any other row is none of ours."""
        if not isinstance(row, RequestRow) or row.operation not in WRITES:
            return
        walk_id = row.walk_id.lower()
        if row.side is Side.FIRESTORE:
            self.direct.add(walk_id)
            self.ever_direct.add(walk_id)
            if not row.acknowledged:
                self._may_arrive.add(walk_id)
        self.gone.discard(walk_id)
        self.unconfirmed.discard(walk_id)
        if not row.acknowledged:
            if row.operation is Operation.PUT_WALK:
                self.unconfirmed.add(walk_id)
            return
        deleted, kept = self.deleted[row.side], self.kept[row.side]
        if row.operation is Operation.DELETE_WALK:
            kept.pop(walk_id, None)
            deleted[walk_id] = row.user
            if row.side is Side.FIRESTORE:
                self.gone.add(walk_id)
            elif not row.retried and walk_id not in self._may_arrive:  # a 404 to the second of two counts as deleted
                self.direct.discard(walk_id)
        else:
            deleted.pop(walk_id, None)
            kept[walk_id] = row.user
