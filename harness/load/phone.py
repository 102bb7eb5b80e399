"""One user's phone: acts when the schedule says, on the side that its flag says.

The flag is fetched in the background, as the app does: when the minimum fetch interval has passed by the time of the
next request, the phone begins the fetch ``FETCH_LEAD_NS`` before it is due, and the request goes out on time with the
value held then. A fetch is never part of a request's latency; a slow one takes effect at the next request. Nor is
signing in again, done after a request when the token nears its end.

Locations that a side has not confirmed go with the walk's next PUT (``memory``); a walk that is over is sent once more
after a request that was answered, as a request of its own that is not in the schedule (its operation id ends in
``-again-`` and a number). The digest in the evidence stays that of the operation's own content, as planned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from harness.base.clock import unix_ns
from harness.base.errors import MeasurementFailed
from harness.load.api_side import ApiSide
from harness.load.auth import Token, renew
from harness.load.firestore_side import FirestoreSide
from harness.load.flag import FETCH_TIMEOUT_S, fetch_flag, remote_config
from harness.load.known import KnownWalks
from harness.load.memory import WalkMemory
from harness.load.plan import LoadPlan
from harness.load.population.accounts import Account
from harness.load.population.marks import Population
from harness.load.population.schedule import Planned
from harness.load.population.walk import Status, WalkUpdate, moment
from harness.load.recorder import Recorder
from harness.load.result import Result
from harness.load.runtime import Background, runtime
from harness.load.storage_side import StorageSide
from harness.load.time import NS, gevent_wait_until, now_ns
from harness.model.evidence import Operation, Outcome, Side
from harness.model.message import message, of_error
from harness.stack.firebase.fetch import FlagCache

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
        plan: Iterator[Planned],
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
        population = Population(shared.plan.seed, shared.plan.population.users)
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
            if gevent_wait_until(due_ns - FETCH_LEAD_NS, self._shared.ended):
                return
        if self._cache.due(due_ns):
            self._begin_fetch()
        if gevent_wait_until(due_ns, self._shared.ended):
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

    def _with_thumbnail(self, planned: Planned, body: WalkUpdate) -> Planned:
        url = self._storage.uploaded(planned.walk_id) if body.status is Status.COMPLETED else None
        if url is None:
            return planned
        return msgspec.structs.replace(planned, body=msgspec.structs.replace(body, thumbnail_image_url=url))

    def _is_offline(self, at_ns: int) -> bool:
        at_s = (at_ns - self._shared.origin_ns) / NS
        return any(each.from_s <= at_s < each.to_s for each in self._offline)

    def _request(self, planned: Planned, operation_id: str, due_ns: int) -> bool:
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

    def _execute(self, planned: Planned, side: Side) -> Result:
        missing_expected = self._known.missing_expected(side, planned.walk_id)
        if side is Side.API:
            return self._api.execute(planned, self.token.id_token, missing_expected=missing_expected)
        walk = self._memory.whole(planned.walk_id)
        return self._firestore.execute(planned, walk, self._moment(planned), missing_expected=missing_expected)

    def _moment(self, planned: Planned) -> datetime:
        """When it is due, by the server's clock: by one behind it a document would look older than the walk that the
        API wrote before it."""
        return moment(unix_ns(self._shared.plan.anchor, self._shared.origin_ns + planned.due_offset_ns))

    def _record(
        self, planned: Planned, operation_id: str, side: Side, result: Result, times: Mapping[str, int], *, on: bool
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
