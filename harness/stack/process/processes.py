"""Child processes: each in a session of its own, with a log file, its end noticed without a thread or a poll."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections import deque
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.base.clock import Clock
from harness.base.errors import PartDied, RehearsalError, StackNotStarted, of_full_disk
from harness.base.home import IN_USE
from harness.base.typed import PROGRAM
from harness.model.evidence import MEASUREMENT_ERROR, EventRow, SampleRow, happened
from harness.model.message import Message, Told, message
from harness.stack.state import RunState
from harness.stack.state.processes import signal_group

# What the stack tells of itself: events and samples in order, for any number of readers, bounded.

KEPT_ROWS = 50_000  # a reader that falls behind by more loses the oldest, and is told


def endpoints_told(pods: Sequence[str]) -> Message:
    """The pods behind the service, as an event says them."""
    return message("endpoints: {pods}", pods=", ".join(pods)) if pods else message("endpoints: none")


class Feed:
    """Rows from the stack's first moment on; a reader that comes late sees them all."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: deque[EventRow | SampleRow] = deque(maxlen=KEPT_ROWS)
        self._published = 0
        self._news = asyncio.Event()
        self._closed = False
        self.error: RehearsalError | None = None

    def event(self, kind: str, subject: str, message: str | Message | Told, **data: Any) -> None:
        """Publishes an event that happened now."""
        self.publish(happened(self._clock.now_ns(), kind, subject, message, data))

    def publish(self, row: EventRow | SampleRow) -> None:
        """Appends a row and wakes the readers."""
        self._rows.append(row)
        self._published += 1
        self._wake()

    def fail(self, error: RehearsalError) -> None:
        """Readers get ``error`` after the rows before it. The first error stands."""
        self.error = self.error or error
        self._wake()

    def fail_with(self, error: BaseException) -> None:
        """``fail`` for an error of any kind. One that is not ours, nor of a full disk, is said to be an error of the
        harness."""
        if isinstance(error, RehearsalError):
            self.fail(error)
        elif (full := of_full_disk(error)) is not None:
            self.fail(full)
        else:
            self.fail(
                RehearsalError(
                    message("the stack failed inside: {error}", error=repr(error)), remedy="please report this"
                )
            )

    def close(self) -> None:
        """Readers end after the last row."""
        self._closed = True
        self._wake()

    async def follow(self) -> AsyncIterator[EventRow | SampleRow]:
        """All rows, as they come. Raises the error given to ``fail``."""
        seen = 0
        while True:
            news = self._news
            while seen < self._published:
                first = self._published - len(self._rows)
                if seen < first:
                    yield self._lost(first - seen)
                    seen = first
                    continue
                row = self._rows[seen - first]
                seen += 1
                yield row
            if news is not self._news:
                continue
            if self.error is not None:
                raise self.error
            if self._closed:
                return
            await news.wait()

    def _lost(self, count: int) -> EventRow:
        said = message("{count} rows of the stack's own were lost before they were read", count=f"{count:,}")
        return happened(self._clock.now_ns(), MEASUREMENT_ERROR, "stack", said, {})

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


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
                "{what}\n{log}", what=message("{part} died: {why}", part=self.part, why=self.died()), log=tail(self.log)
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
