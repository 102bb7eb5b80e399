"""One user's phone: acts when the schedule says, on the side that its flag says.

The flag is fetched in the background, as the app does: when the minimum fetch interval has passed by the time of the
next request, the phone begins the fetch ``FETCH_LEAD_NS`` before it is due, and the request goes out on time with the
value held then. A fetch is never part of a request's latency; a slow one takes effect at the next request. Nor is
signing in again, done after a request when the token nears its end.

Locations that a side has not confirmed go with the walk's next PUT (``memory``); a walk that is over is sent once more
after a request that was answered, as a request of its own that is not in the schedule (its operation id ends in
``-again-`` and a number). The digest in the evidence stays that of the operation's own content, as planned.

What a phone keeps of its walks: all their locations, and how many of them each side has confirmed.

A location that a side did not confirm goes there again with the walk's next PUT. So a failed PUT, a stretch without
network and a change of sides in mid-walk lose nothing, however the flag flips: the API is told all that it has not
confirmed, Firestore is always told the whole walk. The app under the document would send only what is new; what that
loses is ``harness.rehearsals.flag_proof``'s to show.
What the app does with Storage itself, on either side of the flag: uploads a walk's thumbnail, deletes it.

Never part of a request's latency, and never a failure of the target: what did not succeed is told as an event, and the
walk is written without its picture, as the app does it.
"""

from __future__ import annotations

import http.client
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.api_core.retry import Retry, if_exception_type
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from harness.base.clock import NS, unix_ns
from harness.base.errors import MeasurementFailed
from harness.load.api_side import ApiSide
from harness.load.auth import Token, renew
from harness.load.flag import FETCH_TIMEOUT_S, fetch_flag, remote_config
from harness.load.known import KnownWalks
from harness.load.plan import LoadPlan
from harness.load.population import thumbnail
from harness.load.population.content import Content, fingerprint
from harness.load.population.firestore_document import document, document_id, location
from harness.load.population.schedule import Account, PlannedRequest, population_of
from harness.load.population.walk import PAGE_WALKS, Location, Status, WalkUpdate, moment
from harness.load.protocol import Background, TimedOut
from harness.load.recorder import Recorder
from harness.load.rest import now_ns, runtime
from harness.load.result import CallResult
from harness.model.evidence import WRITES, Operation, Outcome, Side
from harness.model.message import message, of_error
from harness.model.shown import Shown, ShownWalk, text
from harness.model.stack import COLLECTION, Address
from harness.stack.firebase.rest import FlagCache

# A planned request made to Firestore, as the old app does it (flag off), with the official client under gevent.
# The client's own retries are off: a request is sent once, and what comes back is recorded.
# What Firestore's answer shows, for the row of its request (``harness.model.shown``). Never raises for what came.


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


#: The walk under way, the side walk, and walks whose end nobody has confirmed yet. Beyond it the oldest is forgotten.
MOST_WALKS = 20


class _Walk(msgspec.Struct):
    began: datetime
    latest: PlannedRequest
    locations: list[Location]
    confirmed: dict[Side, int]  # so many locations from the first

    @property
    def unsent(self) -> bool:
        """Whether no side has confirmed all of it."""
        return max(self.confirmed.values(), default=0) < len(self.locations)


class WalkMemory:
    """One user's. ``remember`` each PUT when it is due, ``confirm`` what was acknowledged."""

    def __init__(self) -> None:
        self._walks: dict[str, _Walk] = {}

    def remember(self, planned: PlannedRequest, began: datetime) -> None:
        """The phone has recorded these locations, whether or not they can be sent. Forgets walks that are over."""
        if planned.operation is Operation.DELETE_WALK:
            self._walks.pop(planned.walk_id, None)  # the user wants it gone: it is not sent again
        if not isinstance(planned.body, WalkUpdate):
            return
        walk = self._walks.pop(planned.walk_id, None)
        if walk is None:
            walk = _Walk(began=began, latest=planned, locations=[], confirmed={})
        walk.latest = planned
        walk.locations += planned.body.locations
        self._walks[planned.walk_id] = walk
        self._forget()

    def to_send(self, planned: PlannedRequest, side: Side) -> PlannedRequest:
        """``planned`` with all locations that ``side`` has not confirmed; as it is when there are no others."""
        walk = self._walks.get(planned.walk_id)
        if walk is None or side is Side.FIRESTORE or not isinstance(planned.body, WalkUpdate):
            return planned
        locations = tuple(walk.locations[walk.confirmed.get(side, 0) :])
        if locations == planned.body.locations:
            return planned
        return msgspec.structs.replace(planned, body=msgspec.structs.replace(planned.body, locations=locations))

    def confirm(self, planned: PlannedRequest, side: Side) -> None:
        """``side`` acknowledged ``planned``."""
        if isinstance(planned.body, WalkUpdate) and (walk := self._walks.get(planned.walk_id)) is not None:
            walk.confirmed[side] = len(walk.locations)

    def left_behind(self, current: PlannedRequest) -> PlannedRequest | None:
        """The last PUT of a walk that is over and that no side has confirmed whole; ``None`` when there is none."""
        for walk_id, walk in self._walks.items():
            if walk.unsent and walk_id != current.walk_id and walk is not self._newest():
                return walk.latest
        return None

    def whole(self, walk_id: str) -> PhoneWalk | None:
        """The walk as Firestore is told."""
        walk = self._walks.get(walk_id)
        return None if walk is None else PhoneWalk(began=walk.began, locations=tuple(walk.locations))

    def _newest(self) -> _Walk | None:
        return next(reversed(self._walks.values()), None)

    def _forget(self) -> None:
        over = [walk_id for walk_id, walk in list(self._walks.items())[:-2] if not walk.unsent]
        for walk_id in over:
            del self._walks[walk_id]
        while len(self._walks) > MOST_WALKS:
            del self._walks[next(iter(self._walks))]


STORAGE_TIMEOUT_S = 5.0


class StorageSide:
    """One user's thumbnails. Without Storage in the plan it keeps none. Used by one greenlet, beside its own."""

    def __init__(self, plan: LoadPlan, recorder: Recorder, user: str) -> None:
        self._plan = plan
        self._recorder = recorder
        self._user = user
        self._bucket = plan.endpoints.storage_bucket
        self._upload: tuple[str, Background] | None = None
        self._deletes: list[Background] = []

    @property
    def there(self) -> bool:
        """Whether the stack has Storage."""
        return self._plan.endpoints.storage is not None

    def begin_upload(self, walk_id: str) -> None:
        """Begins to upload the walk's thumbnail, once."""
        if self.there and (self._upload is None or self._upload[0] != walk_id):
            self._upload = (walk_id, runtime().spawn(self._put, walk_id))

    def uploaded(self, walk_id: str) -> str | None:
        """The download URL when the upload has succeeded by now; one that has not is given up."""
        if self._upload is None or self._upload[0] != walk_id:
            return None
        greenlet, self._upload = self._upload[1], None
        if greenlet.dead and greenlet.value:
            return thumbnail.url(self._bucket, self._user, walk_id)
        if not greenlet.dead:
            greenlet.kill(block=False)
            self._recorder.event("storage", walk_id, message("thumbnail not uploaded: {why}", why=message("too late")))
        return None

    def begin_delete(self, walk_id: str) -> None:
        """Begins to delete the walk's thumbnail."""
        if self.there:
            self._deletes = [each for each in self._deletes if not each.dead]
            self._deletes.append(runtime().spawn(self._delete, walk_id))

    def close(self) -> None:
        """Gives up an upload under way and lets deletes finish, bounded by their own timeout; idempotent."""
        if self._upload is not None:
            self._upload[1].kill(block=False)
        runtime().join(self._deletes, STORAGE_TIMEOUT_S)

    def _put(self, walk_id: str) -> bool:
        name = quote(thumbnail.object_name(self._user, walk_id), safe="")
        path = f"/upload/storage/v1/b/{self._bucket}/o?uploadType=media&name={name}"
        return self._call("POST", path, (200,), walk_id, thumbnail.image(self._plan.seed, walk_id))

    def _delete(self, walk_id: str) -> bool:
        name = quote(thumbnail.object_name(self._user, walk_id), safe="")
        return self._call("DELETE", f"/storage/v1/b/{self._bucket}/o/{name}", (200, 204, 404), walk_id, b"")

    def _call(self, method: str, path: str, good: tuple[int, ...], walk_id: str, body: bytes) -> bool:
        address = self._plan.endpoints.storage
        assert address is not None
        connection = runtime().http(address, STORAGE_TIMEOUT_S)
        try:
            connection.request(method, path, body, {"Content-Type": thumbnail.CONTENT_TYPE} if body else {})
            with connection.getresponse() as response:
                response.read()
                if response.status in good:
                    return True
                why = f"status {response.status}"
        except (OSError, http.client.HTTPException) as error:
            why = f"{type(error).__name__}: {error}"
        finally:
            connection.close()
        uploading = method == "POST"
        told = (
            message("thumbnail not uploaded: {why}", why=why)
            if uploading
            else message("thumbnail not deleted: {why}", why=why)
        )
        self._recorder.event("storage", walk_id, told)
        return False


FETCH_LEAD_NS = NS
UPLOAD_LEAD_NS = 5 * NS  # a thumbnail's upload, before the request that names it


class Shared(msgspec.Struct, kw_only=True):
    """What all phones of the process share. ``origin_ns`` is set once, by ``go``; no request begins after ``ended``."""

    plan: LoadPlan
    recorder: Recorder
    ended: Any  # gevent's Event
    origin_ns: int = 0
    requests: int = 0
    retried: int = 0
    not_fetched: int = 0


class Phone:
    """Used by one greenlet at a time, but for the fetch it begins itself."""

    def __init__(
        self,
        shared: Shared,
        account: Account,
        *,
        plan: Iterator[PlannedRequest],
        token: Token,
        cache: FlagCache,
        firestore: Any,
    ) -> None:
        self.account = account
        self._shared = shared
        self._schedule = plan
        self._next = next(plan)
        self.token = token
        self._cache = cache
        timeout_s = shared.plan.request_timeout_s
        population = population_of(shared.plan.population, shared.plan.probes, shared.plan.seed)
        self._api = ApiSide(shared.plan.endpoints.service, timeout_s, population)
        self._firestore = FirestoreSide(firestore, timeout_s)
        self._storage = StorageSide(shared.plan, shared.recorder, account.user)
        self._known = KnownWalks()
        self._memory = WalkMemory()
        self._offline = tuple(each for each in shared.plan.offline if each.user == account.user)
        self._fetching: Background | None = None

    def seconds_to_wake(self) -> float:
        """How long to sleep until there is something to do."""
        due_ns = self._due_ns()
        lead_ns = FETCH_LEAD_NS if self._cache.due(due_ns) else 0
        lead_ns = UPLOAD_LEAD_NS if self._ends_walk() else lead_ns
        return max(0.0, (due_ns - lead_ns - now_ns()) / NS)

    def act(self) -> None:
        """Makes the next request, when it is due, and records it. Raises ``EvidenceNotWritten``."""
        planned, due_ns = self._next, self._due_ns()
        if self._ends_walk() and not self._is_offline(due_ns):
            self._storage.begin_upload(planned.walk_id)
            if runtime().wait_until(due_ns - FETCH_LEAD_NS, self._shared.ended):
                return
        if self._cache.due(due_ns):
            self._begin_fetch()
        if runtime().wait_until(due_ns, self._shared.ended):
            return
        if isinstance(planned.body, WalkUpdate):
            planned = self._with_thumbnail(planned, planned.body)
        self._memory.remember(planned, self._moment(planned))
        if not self._is_offline(due_ns):
            answered = self._request(planned, planned.operation_id, due_ns)
            left = self._memory.left_behind(planned) if answered else None
            if left is not None:
                self._request(left, f"{left.operation_id}-again-{planned.number:05d}", now_ns())
            renew(self._shared.plan.endpoints.auth, [self])
        self._next = next(self._schedule)

    def write_earlier(self) -> None:
        """Writes the walks of before the run, up to a request that fails: the others are due as the run begins."""
        while self._next.due_offset_ns < 0:
            planned, self._next = self._next, next(self._schedule)
            self._memory.remember(planned, self._moment(planned))
            if not self._request(planned, planned.operation_id, now_ns()):
                return

    def close(self) -> None:
        """Hangs up; idempotent."""
        if self._fetching is not None:
            self._fetching.kill(block=False)
        self._storage.close()
        self._api.close()

    def _due_ns(self) -> int:
        return self._shared.origin_ns + self._next.due_offset_ns

    def _ends_walk(self) -> bool:
        """Whether the next request completes a walk, which then gets its thumbnail."""
        body = self._next.body
        return isinstance(body, WalkUpdate) and body.status is Status.COMPLETED

    def _with_thumbnail(self, planned: PlannedRequest, body: WalkUpdate) -> PlannedRequest:
        url = self._storage.uploaded(planned.walk_id) if body.status is Status.COMPLETED else None
        if url is None:
            return planned
        return msgspec.structs.replace(planned, body=msgspec.structs.replace(body, thumbnail_image_url=url))

    def _is_offline(self, at_ns: int) -> bool:
        at_s = (at_ns - self._shared.origin_ns) / NS
        return any(each.from_s <= at_s < each.to_s for each in self._offline)

    def _request(self, planned: PlannedRequest, operation_id: str, due_ns: int) -> bool:
        """Sends and records it, on the side that the flag says; whether the answer was good."""
        on = self._cache.value(self._shared.plan.flag)
        side = Side.API if on else Side.FIRESTORE
        sent_ns = now_ns()
        result = self._execute(self._memory.to_send(planned, side), side)
        done_ns = now_ns()
        if result.acknowledged:
            self._memory.confirm(planned, side)
        self._known.record(side, planned.operation, result.walk_id, acknowledged=result.acknowledged)
        times = {"due_ns": due_ns, "sent_ns": sent_ns, "done_ns": done_ns}
        self._record(planned, operation_id, side, result, times, on=on)
        if planned.operation is Operation.DELETE_WALK and side is Side.FIRESTORE and result.acknowledged:
            self._storage.begin_delete(planned.walk_id)  # on the other side the API does
        return result.outcome is Outcome.OK

    def _execute(self, planned: PlannedRequest, side: Side) -> CallResult:
        missing_expected = self._known.missing_expected(side, planned.walk_id)
        if side is Side.API:
            return self._api.execute(planned, self.token.id_token, missing_expected=missing_expected)
        walk = self._memory.whole(planned.walk_id)
        return self._firestore.execute(planned, walk, self._moment(planned), missing_expected=missing_expected)

    def _moment(self, planned: PlannedRequest) -> datetime:
        """When it is due, by the server's clock: by one behind it a document would look older than the walk that the
        API wrote before it."""
        at_ns = self._shared.origin_ns + planned.due_offset_ns if planned.due_offset_ns >= 0 else now_ns()
        return moment(unix_ns(self._shared.plan.anchor, at_ns))

    def _record(
        self,
        planned: PlannedRequest,
        operation_id: str,
        side: Side,
        result: CallResult,
        times: Mapping[str, int],
        *,
        on: bool,
    ) -> None:
        self._shared.requests += 1
        self._shared.retried += result.retried
        row = result.row(planned, self.account, side, operation_id=operation_id, **times, flag=on)
        self._shared.recorder.write(row)

    def _begin_fetch(self) -> None:
        if self._fetching is None or self._fetching.dead:
            self._fetching = runtime().spawn(self._fetch)

    def _fetch(self) -> None:
        if self._is_offline(now_ns()):
            self._cache.failed(now_ns())
            return
        plan = self._shared.plan
        client = remote_config(plan)
        try:
            with runtime().timeout(FETCH_TIMEOUT_S, MeasurementFailed("Remote Config did not answer in time")):
                fetch_flag(plan, client, self._shared.recorder, self.account, self._cache)
        except MeasurementFailed as error:
            # The app keeps what it has. It is told, because the switch of clients is measured by it.
            self._cache.failed(now_ns(), error.status)
            self._shared.not_fetched += 1
            self._shared.recorder.event("flag", self.account.user, message("not fetched: {why}", why=of_error(error)))
        finally:
            client.close()
