"""A planned request made to Firestore, as the old app does it (flag off), with the official client under gevent.

The client's own retries are off: a request is sent once, and what comes back is recorded.

What Firestore's answer shows, for the row of its request (``harness.model.shown``). Never raises for what came.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.api_core.retry import Retry, if_exception_type
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from harness.load.population.content import Content, fingerprint
from harness.load.population.firestore_document import document, document_id, location
from harness.load.population.schedule import PlannedRequest
from harness.load.population.walk import PAGE_WALKS, Location
from harness.load.protocol import TimedOut
from harness.load.rest import runtime
from harness.load.result import CallResult
from harness.model.evidence import WRITES, Operation, Outcome
from harness.model.shown import Shown, ShownWalk, text
from harness.model.stack import COLLECTION, Address


def of_documents(snapshots: Iterable[Any]) -> str:
    """Of the official client's snapshots. Locations are not counted: the app writes a document whole."""
    return text(Shown(tuple(_document(each) for each in snapshots)))


def _document(snapshot: Any) -> ShownWalk:
    fields = {}
    for name in Content.__struct_fields__:
        try:
            fields[name] = snapshot.get(name)  # not the whole: copying all locations costs more than all else
        except KeyError:  # the app leaves out what is nil
            continue
    try:
        plain = {name: _plain(value) for name, value in fields.items()}
        return ShownWalk(str(snapshot.id).lower(), fingerprint(msgspec.convert(plain, Content)))
    except (msgspec.ValidationError, ValueError, OverflowError):
        return ShownWalk(str(snapshot.id).lower(), "")


def _plain(value: Any) -> Any:
    """Firestore's own class of time is none that msgspec takes."""
    return datetime.fromtimestamp(value.timestamp(), tz=UTC) if isinstance(value, datetime) else value


_NOT_FOUND, _UNKNOWN = 5, 2
_SLACK_S = 0.5  # over the client's own deadline, should that not hold
_OUTCOME = {
    4: Outcome.TIMEOUT,  # DEADLINE_EXCEEDED
    8: Outcome.RATE_LIMITED,  # RESOURCE_EXHAUSTED
    2: Outcome.SERVER_ERROR,  # UNKNOWN
    12: Outcome.SERVER_ERROR,  # UNIMPLEMENTED
    13: Outcome.SERVER_ERROR,  # INTERNAL
    15: Outcome.SERVER_ERROR,  # DATA_LOSS
}


#: Each call once. ``None`` says the same, but a stream that breaks then asks it what to do, and fails.
NO_RETRY = Retry(predicate=if_exception_type())


class PhoneWalk(msgspec.Struct, frozen=True, kw_only=True):
    """What the phone holds of a walk: all of it, whichever side has seen it."""

    began: datetime
    locations: Sequence[Location]


def connect(address: Address, project_id: str) -> firestore.Client:
    """A client of the emulator; gevent must have been set up for gRPC before."""
    os.environ["FIRESTORE_EMULATOR_HOST"] = str(address)  # the client's only way to be told of an emulator
    return firestore.Client(project=project_id, credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]


class FirestoreSide:
    """Firestore for one user; the client's channel is shared by all."""

    def __init__(self, client: firestore.Client, timeout_s: float) -> None:
        self._walks = client.collection(COLLECTION)
        self._timeout_s = timeout_s

    def execute(
        self, planned: PlannedRequest, walk: PhoneWalk | None, now: datetime, *, missing_expected: bool
    ) -> CallResult:
        """Never raises for what Firestore does. ``status`` is the gRPC code."""
        try:
            with runtime().timeout(self._timeout_s + _SLACK_S, TimedOut()):
                found = self._call(planned, walk, now)
        except TimedOut:
            return self._failed(planned, 0, Outcome.TIMEOUT)
        except RetryError:
            return self._failed(planned, 4, Outcome.TIMEOUT)
        except GoogleAPICallError as error:
            code = _code(error)
            return self._failed(planned, code, _outcome(code, str(error)))
        if found is None:
            outcome = Outcome.OK if missing_expected else Outcome.UNEXPECTED_4XX
            return self._failed(planned, _NOT_FOUND, outcome)
        acknowledged = planned.operation in WRITES
        return CallResult(status=0, outcome=Outcome.OK, acknowledged=acknowledged, walk_id=planned.walk_id, shown=found)

    def _call(self, planned: PlannedRequest, walk: PhoneWalk | None, now: datetime) -> str | None:
        """What is shown, "" by a write; ``None`` when what was asked for is not there."""
        options: dict[str, Any] = {"retry": NO_RETRY, "timeout": self._timeout_s}
        if planned.operation is Operation.LIST_WALKS:
            mine = self._walks.where(filter=FieldFilter("user_id", "==", planned.user))
            newest = mine.order_by("created_at", direction=firestore.Query.DESCENDING).limit(PAGE_WALKS)
            return of_documents(newest.stream(**options))
        reference = self._walks.document(document_id(planned.walk_id))
        if planned.operation is Operation.GET_WALK:
            held = reference.get(**options)
            return of_documents([held]) if held.exists else None
        if planned.operation is Operation.DELETE_WALK:
            reference.delete(**options)
            return ""
        assert planned.body is not None
        points = [location(point) for point in walk.locations] if walk else []
        began = walk.began if walk else now
        content = document(planned.walk_id, planned.user, planned.body, points, created_at=began, updated_at=now)
        reference.set(content, **options)
        return ""

    def _failed(self, planned: PlannedRequest, status: int, outcome: Outcome) -> CallResult:
        return CallResult(status=status, outcome=outcome, acknowledged=False, walk_id=planned.walk_id)


def _code(error: GoogleAPICallError) -> int:
    code = error.grpc_status_code
    return int(code.value[0]) if code is not None else _UNKNOWN


def _outcome(code: int, message: str) -> Outcome:
    if code == 14:  # UNAVAILABLE: gRPC does not tell a refused connection from a broken one but in its words
        return Outcome.REFUSED if "onnection refused" in message else Outcome.BROKEN
    return _OUTCOME.get(code, Outcome.UNEXPECTED_4XX)
