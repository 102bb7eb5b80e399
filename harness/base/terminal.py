"""What a lost terminal, a closed pipe or a full disk may do to a command: nothing but what Ctrl-C would.

``install`` is called first of all by each command of the command line. Standard library only: it comes before the
locked environment is entered.
"""

from __future__ import annotations

import atexit
import errno
import io
import os
import queue
import select
import signal
import stat
import sys
import threading
from types import FrameType
from typing import TextIO, cast

#: Where the reader of a pipe or the terminal has gone away: nobody misses what is written then.
_NO_READER = frozenset({errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO})
_STANDARD = (0, 1, 2)
#: Of standard error: how much is held for a reader that does not read, and how long a writer, and the end, wait for it.
HELD_WRITES, PATIENCE_S, LAST_S = 1_000, 0.05, 2.0


class Lossy(io.RawIOBase):
    """A file descriptor whose writes never fail: what it does not take is dropped, and ``lost`` keeps the first reason.

    Each write is tried anew, since a disk may get space again.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.lost: OSError | None = None

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal that is still there."""
        return os.isatty(self._descriptor)

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]  # what BufferedWriter gives
        """All of ``data``, written or dropped; its length in bytes."""
        left = memoryview(data)
        try:
            while left:
                try:
                    left = left[os.write(self._descriptor, left) :]
                except BlockingIOError:  # who shares it has made it so; its reader is awaited, as of any other
                    select.select([], [self._descriptor], [])
        except OSError as error:
            self.lost = self.lost or error
        return len(data)


class Unblocked(Lossy):
    """A ``Lossy`` written by a thread, so that nobody waits for a reader that does not read.

    A writer waits for the thread for ``PATIENCE_S``, which keeps the order of lines among those of other streams, and
    not again while it is behind. Beyond ``HELD_WRITES`` all is dropped, and the reader is told.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self._held = queue.Queue[bytes](HELD_WRITES)
        self._behind = False
        self._dropped = 0
        threading.Thread(target=self._hand_over, name="output", daemon=True).start()
        atexit.register(self._is_written, LAST_S)

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]  # what BufferedWriter gives
        """All of ``data``, written, held or dropped; its length in bytes."""
        self._behind = self._behind and self._held.unfinished_tasks > 0
        try:
            self._held.put_nowait(bytes(data))
        except queue.Full:
            self._dropped += 1
        self._behind = self._behind or not self._is_written(PATIENCE_S)
        return len(data)

    def _hand_over(self) -> None:
        while True:
            super().write(self._held.get())
            if self._dropped and self._held.empty():
                dropped, self._dropped = self._dropped, 0
                super().write(b"[%d writes were dropped here, because nobody read them]\n" % dropped)
            self._held.task_done()

    def _is_written(self, limit_s: float) -> bool:
        with self._held.all_tasks_done:
            return self._held.all_tasks_done.wait_for(lambda: not self._held.unfinished_tasks, limit_s)


def forgiving(descriptor: int, before: TextIO | None, *, by_line: bool, raw: type[Lossy] = Lossy) -> TextIO:
    """A text stream on ``descriptor`` as ``before`` was, that raises neither for what cannot be written nor for what
    its encoding lacks."""
    return io.TextIOWrapper(
        io.BufferedWriter(cast(io.RawIOBase, raw(descriptor))),
        encoding=before.encoding if before is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=by_line,
    )


def install() -> None:
    """Standard output and error that cannot fail, and SIGHUP and SIGTERM that end a command as Ctrl-C does.

    SIGINT ends it too where it was ignored when the command began, as by a script that begins it in the background.
    """
    _fill_standard_descriptors()
    sys.stdout = forgiving(1, sys.stdout, by_line=os.isatty(1))
    sys.stderr = forgiving(2, sys.stderr, by_line=True, raw=Unblocked)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in ending_signals():
        if number is not signal.SIGINT and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _as_ctrl_c)


def ending_signals() -> tuple[signal.Signals, ...]:
    """The signals that end a run in order. SIGHUP is not among them where ``nohup`` had it ignored."""
    hung_up = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    return (signal.SIGINT, signal.SIGTERM, *hung_up)


def output_lost() -> OSError | None:
    """Why standard output did not take something although somebody will read it (a full disk); ``None`` when it did."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if not isinstance(raw, Lossy) or raw.lost is None:
        return None
    into_a_file = stat.S_ISREG(os.fstat(raw.fileno()).st_mode)
    return raw.lost if into_a_file or raw.lost.errno not in _NO_READER else None


def _as_ctrl_c(number: int, _frame: FrameType | None) -> None:
    """What Ctrl-C would do now. Further signals of the kind are ignored: a terminal that closes sends SIGHUP twice,
    once by the shell and once by the kernel, and a second Ctrl-C would cut the ending short."""
    signal.signal(number, signal.SIG_IGN)
    signal.raise_signal(signal.SIGINT)


def _fill_standard_descriptors() -> None:
    """Opens /dev/null where a standard descriptor is closed: else the next file opened would get its number, and what
    is written to standard error would go into that file."""
    for descriptor in _STANDARD:
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)
