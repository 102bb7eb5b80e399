"""What the page of a stepwise stop shows besides its judgements. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.mirror_steps import sections as of_steps
from harness.judge.difference import Ratio, Single
from harness.model.section import Section
from harness.rehearsal.rehearsal import Figure
from harness.rehearsals.mirror_stop.types import MirrorStopDetails


def sections(details: MirrorStopDetails) -> Iterator[Section]:
    """What each step leaves, and what each user would lose after it."""
    yield from of_steps(details.steps)


def figures(details: MirrorStopDetails, shares: tuple[int, ...]) -> Iterator[Figure]:
    """The share mirrored and the locations lost after each step, and what the killed pod lost."""
    pod, by_share = details.killed_pod, {step.share_percent: step for step in details.steps}
    yield Figure("walks lost by a killed pod", "walks", "worse", Single(None if pod is None else pod.lost))
    for share in shares:
        step = by_share.get(share)
        mirrored = Ratio(0, 0) if step is None else Ratio(step.mirrored, step.written)
        yield Figure(f"mirrored at {share} %", "ratio", "", mirrored, gates=True)
        lost = Single(None if step is None else step.lost_locations)
        yield Figure(f"locations lost after {share} %", "locations", "worse", lost)
