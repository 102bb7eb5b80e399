"""Leases through any sequence of beginnings, deaths, endings and sweeps: a sweep takes the dead runs and nothing else.

In process, with processes that are played: a run's owner and parts have made-up process ids, live as long as the machine
says, and hold real locks on real files, as the kernel sees them. Two spaces of process ids share the folder, as two
containers do.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from harness.base.errors import StackNotStarted
from harness.base.home import ENVIRONMENT_VARIABLE, runs_folder
from harness.stack.state import lease, processes, shared_memory, sweeping
from harness.stack.state.lease import LeaseCondition, RunState, condition
from harness.stack.state.processes import ProcessIdentity
from harness.stack.state.sweeping import dead_runs, end_run, sweep
from tests.session.examples import examples

HERE, THERE = "pid:[1]", "pid:[2]"
NAMES = ("one", "two", "three")
names = st.sampled_from(NAMES)
spaces = st.sampled_from([HERE, THERE])


class Part:
    """A process of a run: it holds the lock that it was handed, until it ends."""

    def __init__(self, pid: int, state: RunState) -> None:
        self.pid = pid
        self.lock: int | None = os.dup(state.handed_to_parts[0])

    def end(self) -> None:
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None


class Run:
    """What the machine knows of a run."""

    def __init__(self, state: RunState, space: str) -> None:
        self.state, self.space = state, space
        self.lives = True
        self.readable = True
        self.parts: list[Part] = []

    @property
    def parts_live(self) -> bool:
        return any(part.lock is not None for part in self.parts)

    def expected(self, seen_from: str) -> LeaseCondition:
        if self.lives:
            return LeaseCondition.LIVES
        elsewhere = not self.readable or self.space != seen_from  # who cannot tell takes nothing for dead
        return LeaseCondition.ELSEWHERE if self.parts_live and elsewhere else LeaseCondition.ABANDONED


class Leases(RuleBasedStateMachine):
    """Runs of two spaces in one folder; ``self.seen_from`` is where the code under test runs at the moment."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="leases-"))
        self.runs: dict[str, Run] = {}
        self.seen_from = HERE
        self.pid = 10_000_000  # beyond what any system gives
        self.patch = pytest.MonkeyPatch()
        self.patch.setenv(ENVIRONMENT_VARIABLE, str(self.folder))
        for module in (processes, sweeping, lease):
            self.patch.setattr(module, "identify", self._identify)
        self.patch.setattr(lease, "sees_itself", lambda: True)
        self.patch.setattr(processes, "this_space", lambda: self.seen_from)
        self.patch.setattr(ProcessIdentity, "alive", lambda identity: self._alive(identity))  # noqa: PLW0108 - a method
        self.patch.setattr(sweeping, "marked", self._marked)
        self.patch.setattr(sweeping, "_send", self._send)
        self.patch.setattr(sweeping, "wait_gone", lambda identities, _: [each for each in identities if each.alive()])
        self.patch.setattr(sweeping, "_KILL_S", 0.02)
        self.patch.setattr(sweeping, "_POLL_S", 0.01)
        self.patch.setattr(processes, "remove_ownerless", list)
        self.patch.setattr(processes, "of_run", lambda _: [])
        self.patch.setattr(shared_memory, "made_by", lambda _: [])

    @rule(name=names, space=spaces)
    def begins(self, name: str, space: str) -> None:
        self.seen_from = space
        if name in self.runs:
            with pytest.raises(StackNotStarted, match="under way, or was killed"):
                RunState.begin(name)
        else:
            self.runs[name] = Run(RunState.begin(name), space)

    @rule(name=names)
    def starts_a_part(self, name: str) -> None:
        run = self.runs.get(name)
        if run is not None and run.lives:
            self.seen_from = run.space
            self.pid += 1
            run.parts.append(Part(self.pid, run.state))
            if run.readable:
                run.state.record("envoy", self.pid)

    @rule(name=names)
    def dies(self, name: str) -> None:
        """kill -9 of the harness; its parts run on."""
        run = self.runs.get(name)
        if run is not None and run.lives:
            run.lives = False
            run.state._give_up()

    @rule(name=names)
    def a_part_ends(self, name: str) -> None:
        if (run := self.runs.get(name)) is not None and run.parts:
            run.parts.pop().end()

    @rule(name=names)
    def ends(self, name: str) -> None:
        run = self.runs.get(name)
        if run is not None and run.lives:
            for part in run.parts:
                part.end()
            run.state.end()
            run.state.end()
            del self.runs[name]

    @rule(name=names)
    def its_lease_is_spoiled(self, name: str) -> None:
        """By an older or newer version, a full disk, a hand."""
        if (run := self.runs.get(name)) is not None and run.readable:
            run.readable = False
            (run.state.folder / "lease.json").write_bytes(b'{"run_id": 7')

    @rule(space=spaces)
    def is_swept(self, space: str) -> None:
        self.seen_from = space
        before = {name: run.expected(space) for name, run in self.runs.items()}
        living = {name: [part for part in run.parts if part.lock is not None] for name, run in self.runs.items()}
        here = {name: self._can_be_ended(run, space) for name, run in self.runs.items()}
        sweep(lambda _: None)
        for name, found in before.items():
            taken = found in (LeaseCondition.ABANDONED, LeaseCondition.ELSEWHERE) and here[name]
            assert (runs_folder() / name).exists() != taken, f"{name} seen from {space}: {found}"
            ended = [part for part in living[name] if part.lock is None]
            assert ended == (living[name] if taken else []), "a part was ended that is not a dead run's, or was not"
            if taken:
                del self.runs[name]

    @precondition(lambda self: self.runs)
    @rule(name=names)
    def is_taken_down(self, name: str) -> None:
        run = self.runs.get(name)
        if run is not None and not run.lives and run.readable:
            self.seen_from = run.space
            end_run(run.state.folder)
            assert not run.state.folder.exists()
            assert not run.parts_live
            del self.runs[name]

    @invariant()
    def each_is_what_it_is(self) -> None:
        for space in (HERE, THERE):
            self.seen_from = space
            for name, run in self.runs.items():
                assert condition(run.state.folder) is run.expected(space), f"{name} seen from {space}"
                assert lease.lives(name) == run.lives
            abandoned = [name for name, run in self.runs.items() if run.expected(space) is LeaseCondition.ABANDONED]
            assert dead_runs() == sorted(abandoned)

    def teardown(self) -> None:
        for run in self.runs.values():
            run.state._give_up()
            for part in run.parts:
                part.end()
        self.patch.undo()
        shutil.rmtree(self.folder)

    def _can_be_ended(self, run: Run, space: str) -> bool:
        """From here: all that it has left are processes of this space."""
        return not run.parts_live or run.space == space

    def _identify(self, pid: int) -> ProcessIdentity | None:
        if pid == os.getpid():  # the harness that begins: one for each space
            return ProcessIdentity(1, "owner", self.seen_from)
        part = self._part(pid)
        return None if part is None else ProcessIdentity(pid, "part", self.seen_from)

    def _alive(self, identity: ProcessIdentity) -> bool:
        """The owner's process id tells nothing here: the lock alone does."""
        return identity.space == self.seen_from and self._part(identity.pid) is not None

    def _part(self, pid: int) -> Part | None:
        """The living part with that number in this space."""
        found = (
            part
            for run in self.runs.values()
            for part in run.parts
            if run.space == self.seen_from and part.pid == pid and part.lock is not None
        )
        return next(found, None)

    def _marked(self, _: str, values: Iterable[str]) -> Iterator[tuple[Any, dict[str, str]]]:
        for name in values:
            run = self.runs.get(name)
            for part in run.parts if run is not None and run.space == self.seen_from else ():
                if part.lock is not None:
                    yield SimpleNamespace(pid=part.pid), {}

    def _send(self, pid: int, _: int) -> None:
        part = self._part(pid)
        assert part is not None
        part.end()


TestLeases = Leases.TestCase
TestLeases.settings = settings(max_examples=examples(150), stateful_step_count=25, deadline=None)
