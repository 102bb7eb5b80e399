"""A soak made by hand: ten minutes in four segments, cut twice."""

from __future__ import annotations

from harness.rehearsals.soak.plan import SegmentSeen, SoakDetails, SoakPlan, SoakSample
from harness.run.scenarios.load import load

PLAN = SoakPlan(scenario=load("rollout_week4"), for_s=600, segment_s=180, settle_s=0)
SECONDS = 150.0
STACKS = (1, 2, 2, 3)
STEADY = {
    "memory.harness": 180.0, "memory.target": 120.0, "descriptors.harness": 60, "descriptors.target": 40,
    "connections.harness": 4, "connections.target": 20, "disk.run": 200.0, "disk.free": 50_000, "p95.users": 30.0,
}  # fmt: skip


def values(minutes: float, grows: dict[str, float]) -> dict[str, float]:
    """What a look sees after so many minutes on one stack, where some ``grows`` by so much a minute. Every other look
    sees a little more, as of a collector of garbage."""
    odd = round(minutes * 12) % 2
    return {what: at + grows.get(what, 0.0) * minutes + (at * 0.002 * odd) for what, at in STEADY.items()}


def segment(number: int, stack: int, up_s: float, grows: dict[str, float]) -> SegmentSeen:
    """One whose users met nothing."""
    looks = tuple(SoakSample(at_s=at, values=values((up_s + at) / 60, grows)) for at in range(0, int(SECONDS), 5))
    return SegmentSeen(
        number=number, stack=stack, up_s=up_s, seconds=SECONDS, due=1500, failed=0, missing=0, p95_ms=30.0,
        p95_low_ms=25.0, p95_high_ms=40.0, looks=looks,
    )  # fmt: skip


def details(stacks: tuple[int, ...] = STACKS, **grows: float) -> SoakDetails:
    """Of as many segments as there are ``stacks``; ``grows`` names what grows, with a _ for the dot."""
    named = {what.replace("_", "."): by for what, by in grows.items()}
    made = [
        segment(number + 1, stack, SECONDS * stacks[:number].count(stack), named) for number, stack in enumerate(stacks)
    ]
    return SoakDetails(soak="made", stacks=max(stacks, default=0), segments=tuple(made))
