"""What the page of a recovery rehearsal shows besides its judgements. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.base.units import Unit
from harness.model.message import Message, message
from harness.model.section import (
    Axis,
    Bar,
    Bars,
    Cell,
    Chart,
    Lines,
    Pairs,
    Point,
    Section,
    Series,
    Style,
)
from harness.rehearsals.dr_restore.facts import checked
from harness.rehearsals.dr_restore.on_stack import RecoveryDetails
from harness.rehearsals.dr_restore.types import PARTS, RTO_PARTS, Prediction, RecoveryPlan

MIB = 1024**2
_RTO_HEADS = (message("detect"), message("restore"), message("replay"), message("switch"), message("ready"))


def sections(plan: RecoveryPlan, seen: RecoveryDetails) -> Iterator[Section]:
    """All of it."""
    yield from _facts(seen)
    if seen.cases:
        yield _recoveries(seen)
    for title, checks in (
        (message("Backups on the document's schedule"), seen.schedule),
        (message("Random restore points"), seen.points),
    ):
        if checks:
            yield Lines(title=title, lines=tuple(map(checked, checks)))
    if seen.sizes is not None:
        yield _chart(seen.sizes.prediction)
    left_out = tuple(_left_out(plan, seen))
    if left_out:
        yield Lines(title=message("Not exercised"), lines=left_out)


def _facts(seen: RecoveryDetails) -> Iterator[Pairs]:
    pairs: list[tuple[Message, Cell]] = []
    if seen.machine:
        pairs.append((message("Machine"), seen.machine))
    if seen.database:
        stand_in = message("{database} stands in for Cloud SQL, its own tools for Cloud SQL's", database=seen.database)
        pairs.append((message("Database"), stand_in))
    if pairs:
        yield Pairs(pairs=tuple(pairs), differs=True)


def _recoveries(seen: RecoveryDetails) -> Bars:
    """Of each disaster the steps of its recovery, one behind the other."""
    return Bars(
        title=message("From the disaster to ready again"),
        x=Axis(label=message("seconds"), unit=Unit.SECONDS),
        names=_RTO_HEADS,
        bars=tuple(Bar(label=case.title, pieces=tuple(case.rto_s[part] for part in RTO_PARTS)) for case in seen.cases),
        text=(message("The length of a bar is the RTO."),),
    )


def _chart(guess: Prediction) -> Chart:
    """Restore, and restore with replay, by size."""
    ordered = sorted(guess.points, key=lambda each: each.size_bytes)
    restore = tuple(Point(each.size_bytes / MIB, each.restore_s) for each in ordered)
    whole = tuple(Point(each.size_bytes / MIB, each.restore_s + each.replay_s) for each in ordered)
    said = tuple(
        message(
            "{size} MiB: restore {restore} s, replay {replay} s",
            size=f"{each.size_bytes / MIB:.0f}",
            restore=f"{each.restore_s:.2f}",
            replay=f"{each.replay_s:.2f}",
        )
        for each in ordered
    )
    return Chart(
        title=message("Restore time by size"),
        x=Axis(label=message("size in MiB")),
        y=Axis(label=message("seconds"), unit=Unit.SECONDS),
        series=(
            Series(name=message("restore"), points=restore, style=Style.LINE),
            Series(name=message("restore + replay"), points=whole, style=Style.LINE),
        ),
        text=said,
    )


def _left_out(plan: RecoveryPlan, seen: RecoveryDetails) -> Iterator[Message]:
    for part in PARTS:
        if part not in plan.parts:
            yield message("{part}: {why}", part=part, why=message("not asked for (--only)"))
        elif part not in seen.ended:
            yield message("{part}: {why}", part=part, why=message("the run ended before it"))
