"""Progress for people: a line an event and, on a terminal, what is under way below the lines (``harness.base.screen``).

Without a terminal no stretch of a command is silent: ``Heartbeat`` says what is under way, whatever the command does.
Standard library only, as all that comes before the locked environment.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from harness.base.phase import Detail, Phase, PhaseLanguage, PhaseLine, PhaseRow, Said, english
from harness.base.ticks import NS, MachineTicks, Ticks

if TYPE_CHECKING:
    from harness.base.screen import Screen

#: How long a command may be silent where there is no terminal, and how often that is looked at; of a terminal, how
#: often what is under way is drawn.
SILENT_S, LOOK_S = 20.0, 0.5
_DUMB = ("", "dumb", "unknown")


class Progress:
    """Writes to standard error, so that standard output stays free for ``--json``.

    Without a terminal ``live`` prints a plain line at most every ``plain_every_s`` of the run's own time. Where
    ``detail`` is the decision alone, nothing is said but the ``closing``.
    """

    def __init__(self, clock: Ticks, stream: TextIO | None = None, plain_every_s: float = 10.0) -> None:
        self._clock = clock
        self._stream = stream or sys.stderr
        self.terminal = self._stream.isatty() and os.environ.get("TERM", "") not in _DUMB
        self._start_ns = clock.now_ns()
        self._plain_every_ns = int(plain_every_s * NS)
        self._last_plain_ns = -self._plain_every_ns
        self._screen: Screen | None = None
        self._lock = threading.RLock()  # the heartbeat is a thread of its own
        self.say: PhaseLanguage = english
        self.detail: Detail = "usual"
        self.phase: Phase | None = None
        self._beat = Heartbeat.current
        if self._beat is not None:
            self._beat.of(self)

    def __call__(self, said: Said | str) -> None:
        """A line that stays, with the seconds since the start before it; what is no sentence is told as it is."""
        self._line(self._words(said), f"[{(self._clock.now_ns() - self._start_ns) / NS:6.1f} s] ")

    def plain(self, said: Said | str) -> None:
        """A line without the time."""
        self._line(self._words(said))

    def begin(self, said: Said | str, *, lasts_s: float = 0.0, of: int = 0) -> None:
        """A phase begins, with a line that stays: it is what is under way until the next, or until ``end``."""
        text = self._words(said)
        with self._lock:
            self.phase = Phase(text, self._clock.now_ns(), lasts_s=lasts_s, of=of)
            if self.terminal and self._screen is None and self.detail != "decision":
                from harness.base.screen import Screen  # rich loads here, after the first lines

                self._screen = Screen(self._stream, self._clock, lambda: (self.phase, self.say))
            self(text)

    def live(self, said: Said | str, rows: Sequence[PhaseRow] = (), *, done: int = 0, of: int = 0) -> None:
        """How the phase stands: ``rows`` below it on a terminal, else a note; ``done`` of its steps, of which there
        are ``of``."""
        note = self._words(said)
        now_ns = self._clock.now_ns()
        phase = self.phase or Phase(note, now_ns)
        self.phase = replace(phase, note=note, rows=rows, done=done, of=of or phase.of)
        if self.terminal and rows and not phase.rows:
            self.draw()  # a table is there at once: in simulated time a phase may be over before the next look
        if not self.terminal and now_ns - self._last_plain_ns >= self._plain_every_ns:
            self._last_plain_ns = now_ns
            self.still()

    def end(self) -> None:
        """Nothing is under way any more: what was drawn of it goes."""
        with self._lock:
            screen, self._screen, self.phase = self._screen, None, None
            if screen is not None:
                screen.close()

    def closing(self, lines: Iterable[PhaseLine]) -> None:
        """The end of what was under way, and the lines that tell of it."""
        self.end()
        if self.terminal:
            from harness.base.screen import closing

            closing(self._stream, lines)
        else:
            self._write("".join(f"{line}\n" for line in lines))

    def draw(self) -> None:
        """Draws what is under way again."""
        with self._lock:
            if self._screen is not None:
                self._screen.draw()

    @property
    def drawn(self) -> bool:
        """Whether what is under way stands below the lines of a terminal."""
        return self._screen is not None

    def still(self, name: str = "") -> None:
        """Says how what is under way stands, in a line: the phase, or without one ``name``, the command."""
        phase, now_ns = self.phase, self._clock.now_ns()
        if phase is None:
            self(self.say("still at work: {what}", what=name))
            return
        counted, left = phase.counted(now_ns, self.say), phase.left(now_ns, self.say)
        counted = self.say("{first}, {rest}", first=counted, rest=left) if left else counted
        self(f"{phase.text}: {counted}" + (f" | {phase.note}" if phase.note else ""))

    def _words(self, said: Said | str) -> str:
        return said if isinstance(said, str) else self.say(said.text, **said.values)

    def _line(self, text: str, head: str = "") -> None:
        with self._lock:
            if self._beat is not None:
                self._beat.heard()
            if self.detail == "decision":
                return
            if self._screen is not None:
                self._screen.above(head, text)
            else:
                self._write(f"{head}{text}\n")

    def _write(self, text: str) -> None:
        # A closed pipe (``| head``), a lost terminal (EIO) or a full disk must not end a run that holds a stack. A disk
        # may get space again: only what is closed for good is left.
        try:
            self._stream.write(text)
            self._stream.flush()
        except (BrokenPipeError, ValueError):
            self._stream = io.StringIO()  # read by nobody
        except OSError:
            return


class Heartbeat:
    """While a command is within it, no ``silent_s`` pass without a line on standard error, whatever the command does:
    a thread looks. On a terminal the thread draws what is under way. ``wait`` returns true once nobody waits any more.

    The command line has one around each command (``harness.cli.main``), and the installer one of its own.
    """

    current: Heartbeat | None = None

    def __init__(
        self,
        name: str,
        *,
        clock: Ticks | None = None,
        wait: Callable[[float], bool] | None = None,
        silent_s: float = SILENT_S,
    ) -> None:
        self._clock = clock or MachineTicks()
        self._ended = threading.Event()
        self._wait = wait or self._ended.wait
        self._silent_ns = int(silent_s * NS)
        self._name = name
        self._around: Heartbeat | None = None  # the command's, of an installation that it needs
        self._progress = Progress(self._clock)  # until the command has its own
        self._heard_ns = self._clock.now_ns()
        self._thread = threading.Thread(target=self._look, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._around, Heartbeat.current = Heartbeat.current, self
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        Heartbeat.current = self._around
        self._ended.set()
        self._thread.join()
        self._progress.end()  # whatever ended the command: nothing half drawn stays on the terminal

    def of(self, progress: Progress) -> None:
        """``progress`` is what the command tells by from now on."""
        self._progress = progress

    def heard(self) -> None:
        """A line was written."""
        self._heard_ns = self._clock.now_ns()

    def _look(self) -> None:
        while not self._wait(LOOK_S):
            if self._progress.drawn:
                self._progress.draw()
            elif self._clock.now_ns() - self._heard_ns >= self._silent_ns:
                self.heard()
                self._progress.still(self._name)
