"""Child processes: each in a session of its own, with a log file, its end noticed without a thread or a poll."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.base.errors import PartDied, StackNotStarted
from harness.base.home import IN_USE
from harness.base.typed import PROGRAM
from harness.model.message import message
from harness.stack.state import RunState
from harness.stack.state.processes import signal_group

TAIL_LINES = 15
KILL_LIMIT_S = 2.0  # SIGKILL takes effect at once but for a process in uninterruptible I/O
_POLL_S = 0.05


class SystemAccount(msgspec.Struct, frozen=True):
    """Another user of the machine that a part runs as."""

    uid: int
    gid: int


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What to start. ``environment`` is whole: nothing is inherited. ``piped``: stdin and stdout are pipes to us."""

    part: str
    command: Sequence[str]
    environment: dict[str, str]
    log: Path
    folder: Path
    account: SystemAccount | None = None
    piped: bool = False


class Process:
    """A process that we started, whose end is noticed."""

    def __init__(self, spec: Spec, popen: subprocess.Popen[bytes]) -> None:
        self.popen = popen
        self.part = spec.part
        self.log = spec.log
        self.pid = popen.pid
        self._loop = asyncio.get_running_loop()
        self._exit: asyncio.Future[int] = self._loop.create_future()
        self._descriptor = -1
        self._watch()

    @property
    def returncode(self) -> int | None:
        """``None`` while it runs; negative for a signal."""
        return self._exit.result() if self._exit.done() and not self._exit.cancelled() else None

    async def wait(self) -> int:
        """The return code, once it ended. Cancelling the wait leaves the process alone."""
        return await asyncio.shield(self._exit)

    def send(self, number: signal.Signals) -> None:
        """Signals the process itself, as a kubelet signals a container's first process."""
        if not self._exit.done():
            # Not Popen.send_signal: it may reap, and the exit would be seen nowhere.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def stop(self, number: signal.Signals, grace_s: float) -> None:
        """Sends ``number``, waits ``grace_s``, then kills the whole group; bounded, idempotent."""
        self.send(number)
        await self.ended_within(grace_s)
        if not self._exit.done():
            signal_group(self.pid, signal.SIGKILL)
            await self.ended_within(KILL_LIMIT_S)

    def died(self) -> str:
        """How it ended, for people."""
        code = self.returncode
        if code is None:
            return "still runs"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"ended by {signal.Signals(-code).name}"
        return f"exit code {code}"

    def not_started(self, what: str) -> StackNotStarted:
        """The error of a part that did not come up, with the last lines of its log."""
        return StackNotStarted(
            f"{self.part}: {what}\n{tail(self.log)}",
            where=str(self.log),
            remedy=message("read the log; `{program} doctor` says what this machine lacks", program=PROGRAM),
        )

    def part_died(self) -> PartDied:
        """The error of a part that ended unplanned, with the last lines of its log."""
        return PartDied(
            message(
                "{what}\n{log}",
                what=message("{part} died: {why}", part=self.part, why=self.died()),
                log=tail(self.log),
            ),
            where=str(self.log),
            remedy="the evidence so far is kept; run again",
        )

    async def ended_within(self, limit_s: float) -> None:
        """Waits at most ``limit_s`` for its end; ``returncode`` tells."""
        if not self._exit.done():
            await asyncio.wait([self._exit], timeout=limit_s)

    def _watch(self) -> None:
        try:
            self._descriptor = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # no pidfd before Linux 5.3 nor elsewhere; or it is gone already
            self._loop.call_later(_POLL_S, self._poll)
            return
        self._loop.add_reader(self._descriptor, self._ended)

    def _unwatch(self) -> None:
        """Idempotent."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _ended(self) -> None:
        self._unwatch()
        # As a container's end kills all in it. Before the wait: until then the zombie keeps its process group's number.
        signal_group(self.pid, signal.SIGKILL)
        code = self.popen.wait()
        if not self._exit.done():
            self._exit.set_result(code)

    def _poll(self) -> None:
        if self._exit.cancelled():
            return
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            self._ended()
        else:
            self._loop.call_later(_POLL_S, self._poll)


def spawn(spec: Spec, state: RunState) -> Process:
    """Starts ``spec`` and writes it into the lease. Raises ``StackNotStarted`` when the command cannot be run."""
    spec.log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**spec.environment, **state.environment(spec.part)}
    pipe = subprocess.PIPE if spec.piped else None
    # A session of its own: Ctrl-C at the terminal reaches the harness alone, which stays in charge of the order.
    with spec.log.open("ab") as log:
        try:
            popen = subprocess.Popen(
                list(spec.command),
                stdin=pipe or subprocess.DEVNULL,
                stdout=pipe or log,
                stderr=log,
                bufsize=0,
                env=environment,
                cwd=spec.folder,
                start_new_session=True,
                user=spec.account.uid if spec.account else None,
                group=spec.account.gid if spec.account else None,
                extra_groups=[] if spec.account else None,
                pass_fds=(*state.handed_to_parts, *IN_USE.values()),
            )
        except OSError as error:
            raise StackNotStarted(
                message(
                    "{part}: {command} cannot be run: {strerror}",
                    part=spec.part,
                    command=spec.command[0],
                    strerror=str(error.strerror),
                ),
                where=message("folder {folder}", folder=str(spec.folder)),
                remedy="check the command and the folder it runs in",
            ) from error
    process = Process(spec, popen)
    state.record(spec.part, popen.pid)
    return process


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, indented; the message says so when it is empty."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            last = deque(file.read().decode(errors="replace").splitlines(), maxlen=lines)
    except OSError:
        last = deque()
    return "\n".join(f"  | {line[:300]}" for line in last) or "  | (its log is empty)"
