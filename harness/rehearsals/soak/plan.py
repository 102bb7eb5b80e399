"""The plan of a soak, what a run of it leaves, and its command."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.base.errors import BadInput
from harness.model.message import Message, gettext_noop, message
from harness.model.scenario import Scenario
from harness.run.arguments import Paced, Staged
from harness.run.command import Duration, below, option
from harness.run.resuming import Resumable

if TYPE_CHECKING:
    from harness.model.result import Child

MOST_SEGMENT_S = 2700.0
_LOOKS, _LEAST_LOOK_S, _MOST_LOOK_S = 300, 2.0, 60.0


class SoakSegment(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the soak."""

    name: str
    seconds: float
    claims: tuple[str, ...] = ()


class SoakPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The load of ``scenario`` for ``for_s``, in segments of equal length of at most ``segment_s``. The first
    ``settle_s`` after a stack came up count for no growth: a program fills its pools and caches then. ``words`` are the
    command line's, for a resume."""

    name: str = "soak"
    title: str = gettext_noop("A soak")
    scenario: Scenario
    for_s: float
    segment_s: float
    settle_s: float = 60.0
    words: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[SoakSegment, ...]:
        """The segments."""
        count = max(1, math.ceil(self.for_s / self.segment_s))
        return tuple(SoakSegment(name=f"segment{number + 1}", seconds=self.for_s / count) for number in range(count))

    @property
    def look_s(self) -> float:
        """How often is looked at what grows, so that a soak of any length has about as many looks."""
        return min(_MOST_LOOK_S, max(_LEAST_LOOK_S, self.for_s / _LOOKS))


class SoakSample(msgspec.Struct, frozen=True, kw_only=True):
    """What was there ``at_s`` seconds into a segment, by the names of ``facts.WHAT``."""

    at_s: float
    values: dict[str, float]


class SegmentSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A segment that was measured whole. ``stack`` numbers the stacks of the soak from 1: each resume has its own.
    ``up_s`` is for how long that stack had been up when it began. Of the requests to the API that were due ``failed``
    were not answered well and ``missing`` are not in evidence; p95 has its 95 % interval."""

    number: int
    stack: int
    up_s: float
    seconds: float
    due: int
    failed: int
    missing: int
    p95_ms: float | None
    p95_low_ms: float | None
    p95_high_ms: float | None
    looks: tuple[SoakSample, ...]


class SoakDetails(msgspec.Struct, kw_only=True):
    """``soak`` is its id, for a resume; ``stacks`` how many were brought up."""

    soak: str = ""
    stacks: int = 0
    segments: tuple[SegmentSeen, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SoakCommand(Staged, Paced, Resumable):
    """A week's load for hours: what leaks, and what grows.

    The 500 users of week 4 in segments of at most 45 minutes on one stack. Each is judged when it ends. Memory,
    descriptors, connections, disk and the users' p95 are followed over the whole. A soak that was cut goes on by
    `--resume` with the segment that was cut, on a new stack.
    """

    name = "soak"
    example = "--for 8h --segment 45min"

    for_: Duration = option(
        "how long the load lasts in all", Duration, default=Duration("8h"), metavar="TIME", less=below("28800s"),
        dest="for_",
    )  # fmt: skip
    segment: Duration = option(
        "how long a segment lasts at most, up to 45min", Duration, default=Duration("45min"), metavar="TIME"
    )

    def planned(self) -> SoakPlan:
        """Week 4's load for that long."""
        if not 0 < self.segment.seconds <= MOST_SEGMENT_S:
            told = message("a segment of {given} is longer than 45 minutes", given=str(self.segment))
            raise BadInput(told, where="--segment", remedy="for example --segment 45min")
        return SoakPlan(
            scenario=self.scenario_of(), for_s=self.for_.seconds, segment_s=self.segment.seconds, words=self.as_typed()
        )

    def goes_on(self, plan: SoakPlan, details: SoakDetails, folder: Path) -> tuple[Any, tuple[Child, ...]]:
        """With the segments that it has. Raises ``BadInput`` where it has all."""
        if len(details.segments) == len(plan.parts):
            told = message("every segment of {soak} is measured", soak=folder.name)
            raise BadInput(told, remedy="begin a new soak")
        return details, ()

    def said(self, plan: SoakPlan) -> Iterable[Message]:
        """How many segments there are."""
        count, seconds = str(len(plan.parts)), f"{plan.parts[0].seconds:g}"
        yield message("{count} segments of {seconds} s each on one stack", count=count, seconds=seconds)
