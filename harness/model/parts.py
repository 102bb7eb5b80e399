"""A plan in parts, and what became of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from harness.model.message import Message, message
from harness.model.result import Part
from harness.model.scenario import Step
from harness.model.stack import Capability


class Titled(Protocol):
    """A part of a plan, as a page lists it."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...


class PartOfPlan(Titled, Protocol):
    """A part of a plan, whatever it does."""

    @property
    def claims(self) -> tuple[str, ...]: ...
    @property
    def needs(self) -> tuple[Capability, ...]: ...


class PartRun(msgspec.Struct, kw_only=True):
    """When a part was run, in monotonic ns; ``end_ns`` is ``None`` when it broke off."""

    start_ns: int
    end_ns: int | None = None


Runs = dict[str, PartRun]


class PartsDetails(msgspec.Struct, kw_only=True):
    """The facts of a run beside its evidence. ``cpu_factor`` is what CPU requests and limits were multiplied by;
    ``did`` says by part what was done when; ``users`` were signed in for the load, 0 without one; ``steps`` are its
    own that were carried through, each with when it began (ns).
    """

    cpu_factor: float = 1.0
    runs: Runs = msgspec.field(default_factory=dict)
    did: dict[str, Any] = msgspec.field(default_factory=dict)
    users: int = 0
    steps: list[tuple[Step, int]] = []


def title_of(part: Titled) -> Message:
    """The part's title."""
    return Message(text=part.title)


def nth(parts: Sequence[Titled], part: Titled) -> Message:
    """Which of how many begins: of one whose length nobody knows."""
    names = [each.name for each in parts]
    which = {"number": str(names.index(part.name) + 1), "all": str(len(names))}
    return message("part {number} of {all}, {part}: {title}", part=part.name, title=title_of(part), **which)


def listed(parts: Iterable[Titled], took_s: Mapping[str, float]) -> list[Part]:
    """``parts`` as a page lists them, each with the seconds that it took, 0 where the run did not come to it, and with
    its ``corrected``, where it may have one."""
    return [
        Part(
            name=part.name,
            title=title_of(part),
            seconds=took_s.get(part.name, 0.0),
            corrected=getattr(part, "corrected", ""),
        )
        for part in parts
    ]


P = TypeVar("P", bound=PartOfPlan)


def ended(parts: Sequence[P], runs: Mapping[str, PartRun]) -> Iterator[tuple[P, int, int]]:
    """Each part that was carried through, with its begin and end in ns."""
    for part in parts:
        run = runs.get(part.name)
        if run is not None and run.end_ns is not None:
            yield part, run.start_ns, run.end_ns
