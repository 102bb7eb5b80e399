"""What a lost terminal, a closed pipe or a full disk may do to a command: nothing but what Ctrl-C would.

``install`` is called first of all by each command of the command line. Standard library only: it comes before the
locked environment is entered.
"""

from __future__ import annotations

import errno
import io
import os
import select
import signal
import stat
import sys
from types import FrameType
from typing import TextIO, cast

#: Where the reader of a pipe or the terminal has gone away: nobody misses what is written then.
_NO_READER = frozenset({errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO})
_STANDARD = (0, 1, 2)


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


def forgiving(descriptor: int, before: TextIO | None, *, by_line: bool) -> TextIO:
    """A text stream on ``descriptor`` as ``before`` was, that raises neither for what cannot be written nor for what
    its encoding lacks."""
    return io.TextIOWrapper(
        io.BufferedWriter(cast(io.RawIOBase, Lossy(descriptor))),
        encoding=before.encoding if before is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=by_line,
    )


def install() -> None:
    """Standard output and error that cannot fail, and SIGHUP and SIGTERM that end a command as Ctrl-C does."""
    _fill_standard_descriptors()
    sys.stdout = forgiving(1, sys.stdout, by_line=os.isatty(1))
    sys.stderr = forgiving(2, sys.stderr, by_line=True)
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


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    """What Ctrl-C would do now. Further signals of the kind are ignored: a terminal that closes sends SIGHUP twice,
    once by the shell and once by the kernel, and a second Ctrl-C would cut the ending short."""
    signal.signal(number, signal.SIG_IGN)
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):  # a shell's job in the background ignores SIGINT
        raise KeyboardInterrupt
    handler(signal.SIGINT, frame)


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
