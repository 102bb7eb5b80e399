"""Disaster recovery: disasters, schedule, stall, points and sizes on a PostgreSQL of its own, then the document's
procedure on the stack under load.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from harness.base import machine
from harness.base.clock import NS
from harness.base.units import Unit
from harness.model.judgement import Expected, Judgement, Kind
from harness.model.manifests import Manifests
from harness.model.message import Message, message
from harness.model.result import RunInfo
from harness.model.section import Axis, Bar, Bars, Cell, Chart, Lines, Pairs, Point, Section, Series, Style
from harness.model.stack import Capability
from harness.rehearsals.dr_restore.disasters import random_points, run_case
from harness.rehearsals.dr_restore.facts import PHRASES, checked, facts
from harness.rehearsals.dr_restore.keeper import schedule_checks, stalled
from harness.rehearsals.dr_restore.on_stack import RecoveryDetails, StackRecovery, in_place
from harness.rehearsals.dr_restore.procedure import INSTANCE, led_to
from harness.rehearsals.dr_restore.restore import Serve, sizes
from harness.rehearsals.dr_restore.types import PARTS, RTO_PARTS, Prediction, RecoveryPlan, daily_time, expected
from harness.report.words import VERDICT
from harness.rules.objectives.budget import outage_line
from harness.rules.rule import Fact
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Cost, Rehearsal, RunRecord
from harness.stack.local.postgres_programs import MAJOR
from harness.stack.local.site import Site
from harness.stack.protocol import Stack, StackNeeds

# What the page of a recovery rehearsal shows besides its judgements. Pure.

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


#: At the largest size at once: the primary, its WAL, the backup, the stream, one restored copy.
COPIES = 5
_BASE_BYTES = 1024**3


class Recovery(Rehearsal[RecoveryPlan, RecoveryDetails]):
    """The rehearsal. It is judged as one part: what was lost is the worst of all."""

    name = "dr_restore"
    plan, details = RecoveryPlan, RecoveryDetails
    phrases = PHRASES

    def expected(self, plan: RecoveryPlan, facts: RunInfo) -> Iterable[Expected]:
        """Those of each part that is run, and the plan's other claims."""
        _ = facts
        return expected(plan)

    def stack_spec(self, plan: RecoveryPlan, options: Options, manifests: Manifests) -> StackNeeds | None:  # noqa: ARG002 - not all need them
        """A stack for its part alone."""
        return StackNeeds(manifests=manifests, every_program=True) if "stack" in plan.parts else None

    async def run(self, plan: RecoveryPlan, on: RunContext[RecoveryDetails]) -> None:
        """The parts in order."""
        if "stack" in plan.parts:
            led_to(on.manifests, INSTANCE)  # manifests that name no instance are refused before anything starts
        on.details.machine = _machine()
        site = await _site(plan, on)
        steps: dict[str, Callable[[RecoveryPlan, RunContext[RecoveryDetails], Site], Awaitable[None]]] = {
            "disasters": _disasters,
            "schedule": _schedule,
            "stall": _stall,
            "points": _points,
            "sizes": _sizes,
            "stack": _stack,
        }
        for number, name in enumerate(plan.parts, 1):
            begun_ns, which = on.clock.now_ns(), {"number": str(number), "all": str(len(plan.parts))}
            on.begin(message("part {number} of {all}: {part}", part=name, **which))
            await steps[name](plan, on, site)
            on.timings[name] = (on.clock.now_ns() - begun_ns) / NS
            on.details.ended.append(name)

    def measured(self, plan: RecoveryPlan, seen: RunRecord[RecoveryDetails]) -> Iterable[Fact]:
        """From the details, and the run's day."""
        return facts(plan, seen.details, datetime.fromtimestamp(seen.facts.anchor.unix_ns / NS, tz=UTC))

    def completed(self, plan: RecoveryPlan, seen: RunRecord[RecoveryDetails], found: Judgement) -> Judgement:
        """Each says the server's version where that is not the document's."""
        _, details = plan, seen.details
        if details.database_major in (0, MAJOR) or found.kind is Kind.OBSERVATION:
            return found
        words = {"database": details.database, "major": str(MAJOR)}
        other = message("on {database}, not the document's {major}", **words)
        return msgspec.structs.replace(found, notes=(*found.notes, other))

    def sections(self, plan: RecoveryPlan, seen: RunRecord[RecoveryDetails]) -> Iterable[Section]:
        """The disasters with their RPO and RTO, restores by size, what was left out."""
        return sections(plan, seen.details)

    def costs(self, plan: RecoveryPlan, seen: RunRecord[RecoveryDetails]) -> Iterable[Cost]:
        """Of each disaster, until writes were served again."""
        _ = plan
        return [Cost(title=each.title, said=outage_line(each.total_s)) for each in seen.details.cases]


async def _site(plan: RecoveryPlan, on: RunContext[RecoveryDetails]) -> Site:
    largest = max(plan.sizes.sizes_bytes) if "sizes" in plan.parts else 0
    needs = _BASE_BYTES + COPIES * largest
    site = Site.begin(f"{on.run_id}-db", on.folder / "logs", on.clock, needs_bytes=needs)
    on.register_cleanup(site)
    await site.provide(on.progress)
    on.details.database, on.details.database_major = site.programs.named, site.programs.major
    return site


async def _disasters(plan: RecoveryPlan, on: RunContext[RecoveryDetails], site: Site) -> None:
    for disaster in plan.disasters:
        case = await run_case(site, disaster, plan.sentinel_every_s)
        on.details.cases.append(case)
        on.say(
            message(
                "{disaster}: {verdict}, RPO {rpo}, RTO {rto} s",
                disaster=case.title,
                verdict=Message(text=VERDICT[case.verdict]),
                rpo=message("no sentinel") if case.loss.rpo_s is None else f"{case.loss.rpo_s:.2f} s",
                rto=f"{case.total_s:.1f}",
            )
        )


async def _schedule(plan: RecoveryPlan, on: RunContext[RecoveryDetails], site: Site) -> None:
    at = daily_time(plan.backup.at, plan.backup.zone)
    on.details.schedule = await schedule_checks(site, at, plan.backup.days, timedelta(seconds=plan.backup.retention_s))


async def _stall(plan: RecoveryPlan, on: RunContext[RecoveryDetails], site: Site) -> None:
    on.details.stalled = await stalled(site, plan.stall)


async def _points(plan: RecoveryPlan, on: RunContext[RecoveryDetails], site: Site) -> None:
    on.details.points = await random_points(site, on.options.seed, plan.points)


async def _sizes(plan: RecoveryPlan, on: RunContext[RecoveryDetails], site: Site) -> None:
    on.details.sizes = await sizes(site, plan.sizes, _machine())


async def _stack(plan: RecoveryPlan, on: RunContext[RecoveryDetails], site: Site) -> None:
    """Restored instances are containers where the stack's own is one."""
    await on.up()
    serve: Callable[[Stack], Serve] = in_place
    on.details.own_network = Capability.REAL_KUBERNETES in on.stack.capabilities
    if on.details.own_network:
        from harness.rehearsals.dr_restore.contained import Containers, contained

        on.register_cleanup(Containers(site.state.lease.run_id))
        serve = contained
    on.details.stack = await StackRecovery(plan, on, site, serve=serve).run()
    on.details.cases.append(on.details.stack.case)


def _machine() -> str:
    facts = machine.describe({})
    return f"{facts.system}, {facts.cpu_count} CPUs, load {facts.load_average_1min:.1f}, home's disk"


REHEARSAL = Recovery()
