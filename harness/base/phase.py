"""What is told of a command under way and of its end, as values: a phase, a row of its table, a line of the end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import Formatter
from typing import Any, Literal, NamedTuple, Protocol

from harness.base.ticks import NS


class PhaseLanguage(Protocol):
    """A language: a message id and what stands in its places become a sentence (``harness.report.language``)."""

    def __call__(self, text: str, /, **values: Any) -> str: ...


class Said(Protocol):
    """A sentence as its parts: a message id and what stands in its places (``harness.model.message``)."""

    @property
    def text(self) -> str:
        """The id."""
        ...

    @property
    def values(self) -> Mapping[str, Any]:
        """By the names of the places."""
        ...


def filled(text: str, values: Mapping[str, object]) -> str:
    """Return ``text`` with its places filled, or ``text`` itself where there are no values. Raises ``ValueError`` for a
    place that is no name, ``KeyError`` for one that nothing stands for."""
    if not values:
        return text
    return "".join(before + ("" if name is None else str(values[name])) for before, name in places_of(text))


@lru_cache(maxsize=4096)
def places_of(text: str) -> tuple[tuple[str, str | None], ...]:
    """Split ``text`` into what stands before each place, and the place's name, ``None`` behind the last one. Raises
    ``ValueError`` for a place that is no name."""
    found = [*Formatter().parse(text)]
    if any(form or conversion or not (name is None or name.isidentifier()) for _, name, form, conversion in found):
        raise ValueError(f"a place is a name in braces and nothing else, unlike in {text[:200]!r}")
    return tuple((before, name) for before, name, _, _ in found)


def english(text: str, /, **values: Any) -> str:
    """The message id itself is the sentence."""
    return filled(text, values)


Tone = Literal["good", "bad", "open", ""]
#: How much a command says: its decision alone, what people need, or all.
Detail = Literal["decision", "usual", "all"]


class PhaseRow(NamedTuple):
    """A line of the table of what is under way: what is asked, what was measured so far, how that stands."""

    what: str
    value: str
    stands: str
    tone: Tone = ""


class PhaseLine(NamedTuple):
    """A line of the end. ``lead``, filled up to the column's width, is the word before ``text``; ``bold`` is for the
    line that says how it ended."""

    text: str
    lead: str = ""
    tone: Tone = ""
    bold: bool = False

    def __str__(self) -> str:
        return f"  {self.lead} {self.text}" if self.lead else self.text


@dataclass(frozen=True)
class Phase:
    """What is under way since ``since_ns``: for ``lasts_s`` seconds, or ``of`` steps, where one of them is known; where
    both are, the seconds are the most that it lasts."""

    text: str
    since_ns: int
    lasts_s: float = 0.0
    done: int = 0
    of: int = 0
    note: str = ""
    rows: Sequence[PhaseRow] = ()

    def counted(self, now_ns: int, say: PhaseLanguage) -> str:
        """How far it is, in words."""
        seconds = (now_ns - self.since_ns) / NS
        if self.of:
            return f"{self.done}/{self.of}"
        passed = f"{seconds:.0f}/{self.lasts_s:.0f}" if self.lasts_s else f"{seconds:.0f}"
        return say("{seconds} s", seconds=passed)

    def left(self, now_ns: int, say: PhaseLanguage) -> str:
        """The time to go, in words; by the mean of the steps that are done where it has steps and of them a tenth is
        done, which says nothing earlier; "" where unknown. Once the length alone is over, by how much."""
        seconds = (now_ns - self.since_ns) / NS
        most_s = max(0.0, self.lasts_s - seconds) if self.lasts_s else math.inf
        if self.of <= self.done * 10 and 0 < self.done < self.of:
            by_steps_s = seconds / self.done * (self.of - self.done)
            return say("about {seconds} s to go", seconds=f"{min(by_steps_s, most_s):.0f}")
        if self.of:
            return say("at most {seconds} s to go", seconds=f"{most_s:.0f}") if self.lasts_s else ""
        if self.lasts_s and (longer_s := seconds - self.lasts_s) >= 3:  # to begin and to end it takes time, too
            return say("{seconds} s longer than planned", seconds=f"{longer_s:.0f}")
        return say("{seconds} s to go", seconds=f"{most_s:.0f}") if self.lasts_s else ""

    def share(self, now_ns: int) -> float | None:
        """How much of it is done, 0 to 1; ``None`` where its end is unknown."""
        if self.of:
            return self.done / self.of
        return min(1.0, (now_ns - self.since_ns) / NS / self.lasts_s) if self.lasts_s else None
