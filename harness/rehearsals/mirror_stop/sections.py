"""What the page of a stepwise stop shows besides its judgements. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.judge.difference import Ratio, Single
from harness.model.message import Message, message
from harness.model.section import Lines, Section, table_of
from harness.rehearsal.rehearsal import Figure
from harness.rehearsals.mirror_stop.types import MirrorStopDetails, UserLoss


def sections(details: MirrorStopDetails) -> Iterator[Section]:
    """What each step leaves, and what each user would lose after it."""
    if details.steps:
        yield table_of(
            message("What each step leaves"),
            details.steps,
            (message("mirrored share"), lambda step: f"{step.share_percent} %"),
            (message("walks"), lambda step: f"{step.walks:,}"),
            (message("written in the step"), lambda step: f"{step.written:,}"),
            (message("reached Firestore"), lambda step: f"{step.mirrored:,}"),
            (message("missing"), lambda step: f"{step.missing:,}"),
            (message("of an earlier state"), lambda step: f"{step.stale:,}"),
            (message("deleted, and back"), lambda step: f"{step.come_back:,}"),
            (message("different"), lambda step: f"{step.different:,}"),
            (message("locations lost"), lambda step: f"{step.lost_locations:,}"),
            numbers=tuple(range(1, 9)),
        )
    for step in details.steps:
        if step.losses:
            yield Lines(
                title=message("A flag-off after {share} % would lose", share=str(step.share_percent)),
                lines=tuple(map(_loss, step.losses)),
            )


def _loss(loss: UserLoss) -> Message:
    return message(
        "{user}: {walks} walks ({locations} locations)",
        user=loss.user,
        walks=str(loss.walks),
        locations=str(loss.locations),
    )


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
