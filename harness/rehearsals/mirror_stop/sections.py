"""What the page of a stepwise stop shows besides its judgements. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.judge.difference import Ratio, Single
from harness.model.message import Message, message
from harness.model.section import Lines, Row, Section, Table
from harness.rehearsal.rehearsal import Figure
from harness.rehearsals.mirror_stop.types import MirrorStopDetails, Step, UserLoss

_COUNTS = ("walks", "written", "mirrored", "missing", "stale", "come_back", "different", "lost_locations")


def sections(details: MirrorStopDetails) -> Iterator[Section]:
    """What each step leaves, and what each user would lose after it."""
    if details.steps:
        yield Table(
            title=message("What each step leaves"),
            heads=_heads(),
            rows=tuple(Row(cells=_cells(step)) for step in details.steps),
            numbers=tuple(range(1, 1 + len(_COUNTS))),
        )
    for step in details.steps:
        if step.losses:
            yield Lines(
                title=message("A flag-off after {share} % would lose", share=str(step.share_percent)),
                lines=tuple(map(_loss, step.losses)),
            )


def _heads() -> tuple[Message, ...]:
    return (
        message("mirrored share"),
        message("walks"),
        message("written in the step"),
        message("reached Firestore"),
        message("missing"),
        message("of an earlier state"),
        message("deleted, and back"),
        message("different"),
        message("locations lost"),
    )


def _cells(step: Step) -> tuple[str, ...]:
    return (f"{step.share_percent} %", *(f"{getattr(step, name):,}" for name in _COUNTS))


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
