"""The load process: ``python -m harness.load.locust_main PLAN.json``. Locust executes the population.

In a process of its own, because importing locust patches the sockets. It admits the population, writes the event
``phase``/``admitted``, waits for ``go``, and acts until its input ends (``child``). Exit statuses are those of
``errors``.
"""

from __future__ import annotations

# isort: off
from harness.model.message import message
from harness.load.patched import locust  # before all else: it patches the standard library
# isort: on

import gc
import signal
import sys
from collections.abc import Iterator

import gevent
from gevent.event import Event
from locust.env import Environment

from harness.base.errors import MeasurementFailed
from harness.load.admission import admit
from harness.load.child import GO_LIMIT_S, not_told, origin_of, run
from harness.load.greenlets import flush_always, lines_of_input, tell_of_every_greenlet
from harness.load.phone import Phone, Shared, connect
from harness.load.plan import LoadPlan
from harness.load.recorder import Recorder
from harness.load.rest import now_ns
from harness.model.evidence import SessionRow

#: After the phone's own timeout, should that not hold.
_STOP_SLACK_S = 1


class LoadEnding:
    """Why and when the process ends: told once, by whoever comes first."""

    def __init__(self, told: Event) -> None:
        self._told = told
        self.error: BaseException | None = None

    def tell(self, error: BaseException | None = None) -> None:
        """Asks for the end; with ``error`` when the measurement failed, also of what was still under way then."""
        if self.error is None:
            self.error = error
        self._told.set()

    @property
    def asked(self) -> bool:
        """Whether the end was asked for."""
        return bool(self._told.is_set())

    def wait(self, timeout_s: float) -> bool:
        """Whether the end was asked for within ``timeout_s``."""
        return bool(self._told.wait(timeout_s))


def _hear(shared: Shared, ending: LoadEnding, went: Event) -> None:
    """Obeys the standard input until its end, which asks for the end."""
    try:
        for line in lines_of_input():
            shared.origin_ns = origin_of(line)
            went.set()
    except MeasurementFailed as error:
        ending.tell(error)
    ending.tell()
    went.set()


def user_class(phones: Iterator[Phone], ending: LoadEnding) -> type[locust.User]:
    """Locust's user: one phone each. Locust sleeps ``wait_time`` between tasks and ends a sleeping user at once."""

    class PhoneUser(locust.User):
        abstract = False

        def __init__(self, environment: Environment) -> None:
            super().__init__(environment)
            self.phone = next(phones)

        def on_start(self) -> None:
            self.wait()  # type: ignore[no-untyped-call]  # the first request is not due at once

        def on_stop(self) -> None:
            self.phone.close()

        def wait_time(self) -> float:
            return self.phone.seconds_to_wake()

        @locust.task
        def act(self) -> None:
            try:
                self.phone.act()
            except Exception as error:
                ending.tell(error)
                raise locust.exception.StopUser from error

    return PhoneUser


def _execute(shared: Shared, phones: list[Phone], ending: LoadEnding) -> None:
    """Runs the schedule until the end is asked for; requests under way are let finish."""
    users = user_class(iter(phones), ending)
    environment = Environment(
        user_classes=[users], stop_timeout=shared.plan.request_timeout_s + _STOP_SLACK_S, catch_exceptions=False
    )
    runner = environment.create_local_runner()
    runner.start(len(phones), spawn_rate=len(phones))
    if not ending.wait(shared.plan.max_duration_s):
        ending.tell(MeasurementFailed(f"the load ran longer than the {shared.plan.max_duration_s:g} s of its plan"))
    runner.quit()


def _load(plan: LoadPlan, recorder: Recorder) -> None:
    shared = Shared(plan=plan, recorder=recorder, ended=Event())
    ending = LoadEnding(shared.ended)
    tell_of_every_greenlet(ending.tell)
    went = Event()
    helpers = [gevent.spawn(_hear, shared, ending, went), gevent.spawn(flush_always, recorder, ending.tell)]
    gevent.signal_handler(signal.SIGTERM, ending.tell)
    firestore = connect(plan.endpoints.firestore, plan.endpoints.project_id)
    phones = admit(shared, firestore)
    recorder.event(
        "phase", "admitted", message("{count} simulated users signed in", count=str(len(phones))), users=len(phones)
    )
    recorder.flush()
    gc.collect()
    gc.freeze()  # what was admitted stays; collecting it again and again would only delay requests
    if not went.wait(GO_LIMIT_S):
        ending.tell(not_told())
    if not ending.asked:
        _execute(shared, phones, ending)
    for phone in phones:
        account = phone.account
        recorder.write(SessionRow(at_ns=now_ns(), user=account.user, audience=account.audience, live=False))
    gevent.killall(helpers)
    recorder.event(
        "component",
        "load",
        message("ended"),
        requests=shared.requests,
        retried=shared.retried,
        flags_not_fetched=shared.not_fetched,
    )
    if ending.error is not None:
        raise ending.error


if __name__ == "__main__":
    sys.exit(run("load", sys.argv[1:], LoadPlan, _load))
