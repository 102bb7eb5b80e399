"""A plan in parts, and what became of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from harness.model.message import Message


class PartOfPlan(Protocol):
    """A part of a plan, whatever it does. ``needs`` are names of capabilities."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def claims(self) -> tuple[str, ...]: ...
    @property
    def needs(self) -> tuple[str, ...]: ...


class PartRun(msgspec.Struct, kw_only=True):
    """When a part was run, in monotonic ns (``end_ns`` is ``None`` when it broke off), or what the environment lacked
    for it; then it was not run.
    """

    start_ns: int = 0
    end_ns: int | None = None
    lacking: tuple[str, ...] = ()


Runs = dict[str, PartRun]


def titled(title: str) -> Message:
    """A plan's title."""
    return Message(text=title)


def title_of(part: PartOfPlan) -> Message:
    """The part's title."""
    return titled(part.title)


P = TypeVar("P", bound=PartOfPlan)


def ended(parts: Sequence[P], runs: Mapping[str, PartRun]) -> Iterator[tuple[P, int, int]]:
    """Each part that was carried through, with its begin and end in ns."""
    for part in parts:
        run = runs.get(part.name)
        if run is not None and run.end_ns is not None:
            yield part, run.start_ns, run.end_ns
