"""Makes one request for an account and records it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from harness.load.api_side import ApiSide
from harness.load.auth import Token
from harness.load.known import KnownWalks
from harness.load.population.schedule import Account, PlannedRequest
from harness.load.recorder import Recorder
from harness.load.rest import now_ns
from harness.model.evidence import Side


class SenderIdentity(msgspec.Struct, kw_only=True):
    """An account, its token, and what it does next. One request of it is under way at a time in an open loop."""

    account: Account
    token: Token
    plan: Iterator[PlannedRequest]
    known: KnownWalks


class Sender:
    """One kept connection to the service; not shared between greenlets."""

    def __init__(self, api: ApiSide, recorder: Recorder) -> None:
        self._api = api
        self._recorder = recorder

    def send(self, due_ns: int, identity: SenderIdentity) -> None:
        """Raises ``EvidenceNotWritten``; never for what the target does."""
        planned = next(identity.plan)
        missing_expected = identity.known.missing_expected(Side.API, planned.walk_id)
        sent_ns = now_ns()
        result = self._api.execute(planned, identity.token.id_token, missing_expected=missing_expected)
        done_ns = now_ns()
        identity.known.record(Side.API, planned.operation, result.walk_id, acknowledged=result.acknowledged)
        times = {"due_ns": due_ns, "sent_ns": sent_ns, "done_ns": done_ns}
        own = planned.operation_id
        self._recorder.write(result.row(planned, identity.account, Side.API, operation_id=own, **times, flag=True))

    def reopen(self) -> None:
        """Another connection, at once."""
        self._api.reopen()

    def close(self) -> None:
        """Idempotent."""
        self._api.close()
