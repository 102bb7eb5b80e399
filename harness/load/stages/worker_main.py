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
import os
import sys
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import gevent
import msgspec
from gevent.pool import Pool
from locust.env import Environment

from harness.base.errors import MeasurementFailed
from harness.load.api_side import ApiSide
from harness.load.auth import create_accounts, signed_in
from harness.load.child import run
from harness.load.greenlets import flush_always, lines_of_input, renew_always, tell_of_every_greenlet
from harness.load.known import KnownWalks
from harness.load.population.schedule import Population, accounts, slots, user_schedule
from harness.load.recorder import Recorder
from harness.load.rest import JsonClient
from harness.load.stages.board import Board
from harness.load.stages.photos import PhotoUploads
from harness.load.stages.plan import StepCommand, WorkerPlan, population
from harness.load.stages.sender import Sender, SenderIdentity
from harness.model.scenario import MOST_DURATION_S

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
