"""The step under way in one worker: who of its users sends what when. On gevent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gevent.event import Event
from gevent.queue import Queue

from harness.base.ticks import NS
from harness.load.population.arrivals import offsets_ns
from harness.load.rest import now_ns, runtime
from harness.load.stages.plan import StepCommand, WorkerPlan
from harness.model.scenario import Arrivals


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
