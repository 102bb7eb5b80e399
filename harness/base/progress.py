"""Progress for people: a line an event; with a terminal, one live line below them that is rewritten in place."""

from __future__ import annotations

import sys
from typing import TextIO

from harness.base.clock import NS, Clock


class Progress:
    """Writes to standard error, so that standard output stays free for ``--json``.

    Without a terminal ``live`` prints a plain line at most every ``plain_every_s``.
    """

    def __init__(self, clock: Clock, stream: TextIO | None = None, plain_every_s: float = 10.0) -> None:
        self._clock = clock
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._start_ns = clock.now_ns()
        self._plain_every_ns = int(plain_every_s * NS)
        self._last_plain_ns = -self._plain_every_ns
        self._shown = False

    def __call__(self, text: str) -> None:
        """A line that stays, with the seconds since the start before it."""
        self._clear()
        elapsed_s = (self._clock.now_ns() - self._start_ns) / NS
        self._write(f"[{elapsed_s:6.1f} s] {text}\n")

    def plain(self, text: str) -> None:
        """A line without the time."""
        self._clear()
        self._write(text + "\n")

    def live(self, text: str) -> None:
        """The current state; replaces the last live line on a terminal."""
        now_ns = self._clock.now_ns()
        if self._terminal:
            self._clear()
            self._write(text[:200])
            self._shown = True
        elif now_ns - self._last_plain_ns >= self._plain_every_ns:
            self._last_plain_ns = now_ns
            self(text)

    def _clear(self) -> None:
        if self._shown:
            self._write("\r\x1b[2K")
            self._shown = False

    def _write(self, text: str) -> None:
        # A closed pipe (``| head``), a lost terminal (EIO) or a full disk must not end a run that holds a stack. A disk
        # may get space again: only what is closed for good is left.
        try:
            self._stream.write(text)
            self._stream.flush()
        except (BrokenPipeError, ValueError):
            self._stream = _NOWHERE
        except OSError:
            return


class _Nowhere:
    def write(self, _text: str) -> int:
        return 0

    def flush(self) -> None:
        return None


_NOWHERE: TextIO = _Nowhere()  # type: ignore[assignment]  # the two methods that Progress calls
