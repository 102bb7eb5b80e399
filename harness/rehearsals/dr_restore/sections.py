"""What the page of a recovery rehearsal shows besides its judgements. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.base.units import Unit
from harness.judge.difference import Single
from harness.model.message import Message, Told, message
from harness.model.section import (
    Axis,
    Bar,
    Bars,
    Cell,
    Chart,
    Lines,
    Pairs,
    Point,
    Row,
    Section,
    Series,
    Style,
    Table,
    table_of,
)
from harness.rehearsal.rehearsal import Figure
from harness.rehearsals.dr_restore.cases import ON_STACK, RTO_PARTS, CaseResult, Check, Prediction
from harness.rehearsals.dr_restore.stack_result import RecoveryDetails
from harness.rehearsals.dr_restore.types import PARTS, RecoveryPlan

MIB = 1024**2
_RTO_HEADS = (message("detect"), message("restore"), message("replay"), message("switch"), message("ready"))


def sections(plan: RecoveryPlan, seen: RecoveryDetails) -> Iterator[Section]:
    """All of it."""
    yield from _facts(seen)
    if seen.cases:
        yield _recoveries(seen)
        yield _disasters(seen)
    for title, checks in (
        (message("Backups on the document's schedule"), seen.schedule),
        (message("Random restore points"), seen.points),
    ):
        if checks:
            yield Lines(title=title, lines=tuple(map(_check, checks)))
    if seen.sizes is not None:
        yield _by_size(seen.sizes.prediction)
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
        text=(message("The length of a bar is the RTO; the table below has each step in seconds."),),
    )


def _disasters(seen: RecoveryDetails) -> Table:
    def lost(case: CaseResult) -> Message:
        return message("{failed} of {all}", failed=str(case.loss.lost), all=str(case.loss.acknowledged))

    return table_of(
        message("Disasters"),
        seen.cases,
        (message("disaster (times in seconds)"), lambda case: case.title),
        (message("RPO"), lambda case: "–" if case.loss.rpo_s is None else f"{case.loss.rpo_s:.2f}"),
        *((head, _rto(part)) for head, part in zip(_RTO_HEADS, RTO_PARTS, strict=True)),
        (message("RTO"), lambda case: f"{case.total_s:.2f}"),
        (message("commits lost"), lost),
        row=_case,
        numbers=tuple(range(1, len(RTO_PARTS) + 4)),
    )


def _rto(part: str) -> Callable[[CaseResult], str]:
    return lambda case: f"{case.rto_s[part]:.2f}"


def _case(case: CaseResult) -> Row:
    restored = message("{disaster}: restored to {point}", disaster=case.title, point=case.point)
    return Row(
        cells=(),
        verdict=case.verdict,
        word=case.word,
        lines=(restored, *map(_check, case.checks)),
    )


def _check(check: Check) -> Message:
    sign = "✓" if check.ok else "?" if check.unknown else "✗"
    return message("{sign} {name}: {told}", sign=sign, name=check.name, told=check.told)


def _by_size(guess: Prediction) -> Table:
    return table_of(
        message("Restore time by size"),
        guess.points,
        (message("size"), lambda each: f"{each.size_bytes / MIB:.0f} MiB"),
        (message("WAL replayed"), lambda each: f"{each.wal_bytes / MIB:.0f} MiB"),
        (message("restore s"), lambda each: f"{each.restore_s:.2f}"),
        (message("replay s"), lambda each: f"{each.replay_s:.2f}"),
        numbers=(0, 1, 2, 3),
        note=_prediction(guess),
    )


def _prediction(guess: Prediction) -> Told:
    machine = message("Machine: {machine}.", machine=guess.machine)
    slope = f"{guess.seconds_per_gib:.2f}"
    if guess.expected_s is None or guess.upper_s is None:
        nothing = message(
            "{name}: nothing is predicted, the measured restores do not take longer with size ({slope} s a GiB).",
            name=guess.name,
            slope=slope,
        )
        return nothing, machine
    return message("A straight line of {slope} s a GiB.", slope=slope), machine


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


def figures(plan: RecoveryPlan, seen: RecoveryDetails) -> Iterator[Figure]:
    """RPO and RTO of each disaster that the plan has, and of the one on the stack."""
    by_id = {case.id: case for case in seen.cases}
    wanted = [each.value for each in plan.disasters] if "disasters" in plan.parts else []
    wanted += [ON_STACK] if "stack" in plan.parts else []
    for name in wanted:
        case = by_id.get(name)
        yield Figure(f"RPO {name}", "s", "worse", Single(None if case is None else case.loss.rpo_s), gates=True)
        yield Figure(f"RTO {name}", "s", "worse", Single(None if case is None else case.total_s), gates=True)
