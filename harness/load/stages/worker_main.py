"""A stage worker: ``python -m harness.load.stages.worker_main PLAN.json``. Locust executes its users, on one core.

Admits its accounts, writes the event ``phase``/``admitted`` once every user waits for its first step, and acts in each
step that it is told on its standard input, a ``StepCommand`` a line, until that ends. After a step it writes
``phase``/``step_done`` with the step's name.
"""

from __future__ import annotations

# isort: off
from harness.model.message import message
from harness.load.patched import locust  # before all else: it patches the standard library
# isort: on

import contextlib
import gc
import http.client
import os
import sys
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import gevent
import msgspec
from gevent.event import Event
from gevent.pool import Pool
from gevent.queue import Queue
from locust.env import Environment

from harness.base.errors import MeasurementFailed
from harness.base.ticks import NS
from harness.load.api_side import ApiSide
from harness.load.auth import Token, create_accounts, signed_in
from harness.load.child import run
from harness.load.greenlets import flush_always, lines_of_input, renew_always, tell_of_every_greenlet
from harness.load.known import KnownWalks
from harness.load.population.arrivals import offsets_ns
from harness.load.population.schedule import Account, PlannedRequest, Population, accounts, slots, user_schedule
from harness.load.recorder import Recorder
from harness.load.rest import JsonClient, now_ns, runtime
from harness.load.stages.plan import StepCommand, WorkerPlan, population
from harness.model.evidence import Side
from harness.model.scenario import MOST_DURATION_S, Arrivals

# The step under way in one worker: who of its users sends what when. On gevent.


class Board:
    """Users are numbered 0.. within the worker; ``identities`` are the accounts that take turns in a closed loop."""

    def __init__(self, plan: WorkerPlan, identities: list[Any], done: Callable[[str], None]) -> None:
        self._plan = plan
        self._identities = identities
        self._done = done
        self._turns: Queue = Queue()
        self._begun = Event()
        self._offsets: list[int] = []
        self._left = 0
        self._command: StepCommand | None = None
        self.steps = 0
        self.ended = Event()

    def begin(self, command: StepCommand) -> None:
        """Lets every user begin the step."""
        self._command = command
        self._offsets = offsets_ns(command.step, self._plan.seed)
        self._turns = Queue()
        for identity in self._identities[: self._share(command.step.users)]:
            self._turns.put(identity)
        self._left = len(self._identities)
        self.steps += 1
        begun, self._begun = self._begun, Event()
        begun.set()

    def end(self) -> None:
        """Ends all waiting; what is being sent is let finish."""
        self.ended.set()
        self._begun.set()

    def await_step(self, seen: int) -> int:
        """Returns the number of the step to act in, once it is another than ``seen``."""
        while self.steps == seen and not self.ended.is_set():
            self._begun.wait()
        return self.steps

    @property
    def new_connections(self) -> bool:
        """Whether each request of this step opens a connection."""
        return self._command is not None and self._command.step.new_connections

    @property
    def reopen(self) -> bool:
        """Whether each user opens its connection anew before this step."""
        return self._command is not None and self._command.step.reopen

    def requests(self, user: int) -> Iterator[tuple[int, Any]]:
        """The due times of ``user`` in this step, each with the account to act for, when it is due; then accounts for
        the user's end of the step."""
        command = self._command
        assert command is not None
        try:
            if command.step.arrivals is Arrivals.CLOSED:
                yield from self._closed(command, user)
            else:
                yield from self._open(command, user)
        finally:
            self._left -= 1
            if self._left == 0:
                self._done(command.step.name)

    def _open(self, command: StepCommand, user: int) -> Iterator[tuple[int, Any]]:
        number = user * self._plan.workers + self._plan.worker
        if number >= command.step.users:
            return
        for offset_ns in self._offsets[number :: command.step.users]:
            due_ns = command.origin_ns + offset_ns
            if runtime().wait_until(due_ns, self.ended):
                return
            yield due_ns, self._identities[user]

    def _closed(self, command: StepCommand, user: int) -> Iterator[tuple[int, Any]]:
        if user >= self._share(command.step.in_flight):
            return
        end_ns = command.origin_ns + round(command.step.seconds * NS)
        if runtime().wait_until(command.origin_ns, self.ended):
            return
        # One look at the clock for both: between two looks the step could end, and no step would count the request.
        while (due_ns := now_ns()) < end_ns and not self.ended.is_set():
            identity = self._turns.get()
            yield due_ns, identity
            self._turns.put(identity)

    def _share(self, count: int) -> int:
        """How many of ``count`` dealt out in turn fall to this worker."""
        return len(range(self._plan.worker, count, self._plan.workers))


# Photos uploaded to Storage while a step lasts: up to 5 MB each, beside the requests to the API, never among them.

UPLOAD_LIMIT_S = 20.0
#: Names are used again, so that Storage holds a bounded number of photos.
_NAMES = 20
_MOST_AT_ONCE = 10


class PhotoUploads:
    """This worker's share. ``close`` gives up what is under way."""

    def __init__(self, plan: WorkerPlan, recorder: Recorder) -> None:
        self._plan = plan
        self._recorder = recorder
        self._greenlets: list[gevent.Greenlet] = []
        self._ended = Event()

    def begin(self, command: StepCommand) -> None:
        """Uploads at the step's rate until it ends."""
        if command.step.photos_per_s > 0 and self._plan.endpoints.storage is not None:
            self._greenlets = [each for each in self._greenlets if not each.dead]
            self._greenlets.append(gevent.spawn(self._upload_all, command))

    def close(self) -> None:
        """Idempotent."""
        self._ended.set()
        gevent.killall(self._greenlets, block=False)

    def _upload_all(self, command: StepCommand) -> None:
        step = command.step
        body = bytes(step.photo_bytes)
        uploads: list[gevent.Greenlet] = []
        put_off = 0
        for number in range(self._plan.worker, round(step.photos_per_s * step.seconds), self._plan.workers):
            if runtime().wait_until(command.origin_ns + round(number * NS / step.photos_per_s), self._ended):
                return
            if sum(not upload.dead for upload in uploads) >= _MOST_AT_ONCE:
                put_off += 1
                continue
            uploads.append(gevent.spawn(self._upload, number % _NAMES, body))
        gevent.joinall(uploads, timeout=UPLOAD_LIMIT_S)
        done = [upload.value for upload in uploads if upload.dead and upload.value]
        self._recorder.event(
            "storage",
            "photos",
            f"{len(done)} photos of {step.photo_bytes} bytes uploaded in step {step.name}",
            step=step.name,
            uploaded=len(done),
            failed=len(uploads) - len(done),
            put_off=put_off,
            seconds_each=sum(done) / len(done) if done else 0.0,
        )

    def _upload(self, name: int, body: bytes) -> float:
        """Seconds it took; 0 when it failed."""
        address = self._plan.endpoints.storage
        assert address is not None
        start_ns = now_ns()
        connection = http.client.HTTPConnection(address.host, address.port, timeout=UPLOAD_LIMIT_S)
        path = f"/upload/storage/v1/b/{self._plan.endpoints.storage_bucket}/o?uploadType=media&name=photos%2F{name}"
        try:
            connection.request("POST", path, body, {"Content-Type": "image/jpeg"})
            with connection.getresponse() as response:
                response.read()
                return (now_ns() - start_ns) / NS if response.status == 200 else 0.0
        except (OSError, http.client.HTTPException):
            return 0.0
        finally:
            connection.close()


# Makes one request for an account and records it.


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


_AT_ONCE = 8
_AUTH_TIMEOUT_S = 30.0
_SLACK_S = 1.0
_POLL_S = 0.05
#: Where the system allows it: on a machine that it shares with the stack, the generator has to send on time.
_NICENESS = -10
#: Answers of which one is read whole: about 20, and not a divisor of a walk's 20 requests.
_WHOLE_ONE_IN = 19


def admit(plan: WorkerPlan) -> list[SenderIdentity]:
    """This worker's accounts, made and signed in. Raises ``MeasurementFailed``."""
    everyone = accounts(population(plan.accounts), plan.seed)
    placed = slots(population(plan.accounts), everyone, plan.seed)
    mine = everyone[plan.worker :: plan.workers]
    client = JsonClient("the Auth emulator", plan.endpoints.auth, _AUTH_TIMEOUT_S)
    create_accounts(client, plan.endpoints.project_id, mine)
    client.close()

    def identity(account: Any) -> SenderIdentity:
        token = signed_in(plan.endpoints.auth, account, _AUTH_TIMEOUT_S)
        schedule = user_schedule(
            account.user, placed[account.user], population(plan.accounts), plan.seed, plan.anchor.unix_ns
        )
        return SenderIdentity(account=account, token=token, plan=schedule, known=KnownWalks())

    return list(Pool(_AT_ONCE).imap(identity, mine))


def user_class(board: Board, senders: Iterator[Sender], failed: Any) -> type[locust.User]:
    """Locust's user: one sender, numbered in the order of spawning."""
    numbers = iter(range(sys.maxsize))

    class StageUser(locust.User):
        abstract = False

        def __init__(self, environment: Environment) -> None:
            super().__init__(environment)
            self.number = next(numbers)
            self.sender = next(senders)
            self.seen = 0

        def on_stop(self) -> None:
            self.sender.close()

        @locust.task
        def act(self) -> None:
            self.seen = board.await_step(self.seen)
            if board.ended.is_set():
                raise locust.exception.StopUser
            if board.reopen:
                self.sender.reopen()
            try:
                for due_ns, identity in board.requests(self.number):
                    self.sender.send(due_ns, identity)
                    if board.new_connections:
                        self.sender.close()
            except Exception as error:
                failed(error)
                raise locust.exception.StopUser from error

    return StageUser


def _hear(board: Board, photos: PhotoUploads) -> None:
    """Begins each step that the standard input tells, until its end."""
    for line in lines_of_input():
        command = msgspec.json.decode(line, type=StepCommand)
        photos.begin(command)
        board.begin(command)
    board.end()


def work(plan: WorkerPlan, recorder: Recorder) -> None:
    """Until the input ends. Raises what went wrong in a user."""
    broken: list[Exception] = []
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
    identities = admit(plan)

    def done(step: str) -> None:
        recorder.event("phase", "step_done", step, worker=plan.worker)
        recorder.flush()

    board = Board(plan, identities, done)

    def failed(error: Exception) -> None:
        broken.append(error)
        board.end()

    tell_of_every_greenlet(failed)
    known = Population(plan.seed, plan.accounts)
    whole = cycle((True, *[False] * (_WHOLE_ONE_IN - 1)))
    sides = (ApiSide(plan.endpoints.service, plan.request_timeout_s, known, whole) for _ in identities)
    senders = (Sender(side, recorder) for side in sides)
    environment = Environment(
        user_classes=[user_class(board, senders, failed)],
        stop_timeout=plan.request_timeout_s + _SLACK_S,
        catch_exceptions=False,
    )
    runner = environment.create_local_runner()
    runner.start(len(identities), spawn_rate=len(identities))
    while runner.user_count < len(identities) and not board.ended.is_set():
        gevent.sleep(_POLL_S)
    photos = PhotoUploads(plan, recorder)
    helpers = [gevent.spawn(_hear, board, photos), gevent.spawn(flush_always, recorder, failed)]
    helpers.append(gevent.spawn(renew_always, plan.endpoints.auth, identities))
    admitted = message("{count} accounts signed in", count=str(len(identities)))
    recorder.event("phase", "admitted", admitted, users=len(identities))
    recorder.flush()
    gc.collect()
    gc.freeze()
    if not board.ended.wait(MOST_DURATION_S):
        failed(MeasurementFailed(f"a worker of the load ran longer than {MOST_DURATION_S:g} s"))
    photos.close()
    gevent.killall(helpers)
    runner.quit()
    if broken:
        raise broken[0]


if __name__ == "__main__":
    sys.exit(run("worker", sys.argv[1:], WorkerPlan, work))
