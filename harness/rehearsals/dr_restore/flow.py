"""A recovery rehearsal, whole: disasters -> schedule -> stall -> points -> sizes -> stack -> tear down -> report."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from harness import machine
from harness.clock import NS, Clock, utc
from harness.document import manifest_facts
from harness.judge.combine import combine, exit_status
from harness.lifecycle import Lifecycle, open_folder, run_identity
from harness.model.errors import RehearsalError
from harness.model.stack import OwnCluster, Rung, Target
from harness.model.verdict import Combined
from harness.progress import Progress
from harness.rehearsals.dr_restore.contained import contained, containers_left
from harness.rehearsals.dr_restore.disasters import run_case
from harness.rehearsals.dr_restore.findings import Observed, errata_not_exercised, errata_seen, findings, on_server
from harness.rehearsals.dr_restore.keeper import schedule_checks
from harness.rehearsals.dr_restore.on_stack import StackRecovery, in_place
from harness.rehearsals.dr_restore.points import random_points
from harness.rehearsals.dr_restore.report import write_report
from harness.rehearsals.dr_restore.result import SCHEMA_VERSION, RecoveryReport
from harness.rehearsals.dr_restore.schedule import daily_time
from harness.rehearsals.dr_restore.site import Site
from harness.rehearsals.dr_restore.sizes import sizes
from harness.rehearsals.dr_restore.stall import stalled
from harness.rehearsals.dr_restore.types import RecoveryPlan
from harness.report.files import write_atomically
from harness.report.language import language
from harness.report.latest import point_latest
from harness.rungs import manifests_of, stack_for, sweep
from harness.stack.local.postgres_programs import whole
from harness.stack.protocol import Stack
from harness.state.lease import remove_run_folder

PARTS = ("disasters", "schedule", "stall", "points", "sizes", "stack")
#: At the largest size at once: the primary, its WAL, the backup, the stream, one restored copy.
COPIES = 5
_BASE_BYTES = 1024**3
_REGION = "the rehearsal has one machine: the loss of a region is outside it (dr.backup.cross_region, Phase 4)"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. ``changed`` are the command line's overrides, as typed, for the replay."""

    plan: RecoveryPlan
    target: Target
    seed: int
    reports: Path
    manifests: Path
    parts: tuple[str, ...] = PARTS
    changed: tuple[str, ...] = ()
    rung: Rung = Rung.LOCAL
    service_port: int | None = None
    own_cluster: OwnCluster | None = None  # the environment kube restores nothing
    lang: str = "en"  # of the pages; dr.json is the same in any

    @property
    def replay(self) -> str:
        """The command that runs this again."""
        line = ["python", "-m", "harness", "dr_restore", "--on", str(self.rung), "--seed", str(self.seed)]
        return shlex.join([*line, *self.changed])


class Recovery:
    """One rehearsal under way. ``run`` always returns a report, however it ended."""

    def __init__(self, options: Options, clock: Clock, progress: Progress) -> None:
        self.options = options
        self.plan = options.plan
        self.clock = clock
        self.progress = progress
        self.started_ns = clock.now_ns()
        self._about_manifests = manifest_facts(manifests_of(options))
        self.run_id = run_identity(clock, "dr_restore", options.seed)
        self.folder = open_folder(options.reports, self.run_id)
        self.lifecycle = Lifecycle(progress)
        self.seen = Observed(own_network=options.rung is not Rung.LOCAL)
        self.timings: dict[str, float] = {}
        self.leaks: tuple[str, ...] = ()
        self._site: Site | None = None
        self._stack: Stack | None = None
        self._on_stack: StackRecovery | None = None

    async def run(self) -> RecoveryReport:
        """Runs the parts, takes everything down whatever came of them, and reports."""
        await self.lifecycle.run(self.flow())
        begun_ns = self.clock.now_ns()
        for step in (self._end_stack_parts, self._stack_down, self._end_site):
            await self.lifecycle.finally_(step)
        self.timings["tear_down"] = (self.clock.now_ns() - begun_ns) / NS
        remove_run_folder(self.run_id)
        found = [] if self._stack is None else self._stack.leaks()
        found += [] if self._site is None else self._site.leaks()
        if self._site is not None and self.options.rung is Rung.KIND:
            found += containers_left(self._site.state.lease.run_id)
        self.leaks = tuple(found)
        return self._report()

    def interrupt(self) -> None:
        """Ends the flow at its next wait; tear down and report follow."""
        self.lifecycle.interrupt()

    async def flow(self) -> None:
        """The parts in order."""
        await sweep(lambda line: self.progress(f"left by a killed run: {line}"))
        write_atomically(self.folder / "plan.json", msgspec.json.format(msgspec.json.encode(self.plan)))
        largest = max(self.plan.sizes.sizes_bytes, default=0) if "sizes" in self.options.parts else 0
        needs = _BASE_BYTES + COPIES * largest
        self._site = Site.begin(f"{self.run_id}-db", self.folder / "logs", self.clock, needs_bytes=needs)
        await self._site.provide(self.progress)
        steps: dict[str, Callable[[Site], Awaitable[None]]] = {
            "disasters": self._disasters,
            "schedule": self._schedule,
            "stall": self._stall,
            "points": self._points,
            "sizes": self._sizes,
            "stack": self._with_stack,
        }
        for name in self.options.parts:
            begun_ns = self.clock.now_ns()
            self.progress(name)
            await steps[name](self._site)
            self.timings[name] = (self.clock.now_ns() - begun_ns) / NS

    async def _disasters(self, site: Site) -> None:
        for disaster in self.plan.disasters:
            case = await run_case(site, disaster, self.plan.sentinel_every_s)
            self.seen.cases.append(case)
            rpo = "no sentinel" if case.loss.rpo_s is None else f"{case.loss.rpo_s:.2f} s"
            self.progress(f"  {disaster}: {'ok' if case.ok else 'NOT OK'}, RPO {rpo}, RTO {case.total_s:.1f} s")

    async def _schedule(self, site: Site) -> None:
        at = daily_time(self.plan.backup_at, self.plan.backup_zone)
        self.seen.schedule = await schedule_checks(site, at, self.plan.days, timedelta(seconds=self.plan.retention_s))

    async def _stall(self, site: Site) -> None:
        self.seen.stalled = await stalled(site, self.plan.stall)

    async def _points(self, site: Site) -> None:
        self.seen.points = await random_points(site, self.options.seed, self.plan.points)

    async def _sizes(self, site: Site) -> None:
        if self.plan.sizes.sizes_bytes:
            self.seen.sizes = await sizes(site, self.plan.sizes, self._machine())

    async def _with_stack(self, site: Site) -> None:
        manifests = manifests_of(self.options)
        kind = self.options.rung is Rung.KIND
        self._stack = stack_for(
            self.options,
            run_id=self.run_id,
            manifests=manifests,
            folder=self.folder,
            clock=self.clock,
            progress=self.progress,
            gate=False,
            use_kept=kind,  # on local the disaster strikes what is kept
            every_program=True,
        )
        self._on_stack = StackRecovery(
            self.plan,
            self._stack,
            manifests,
            site,
            run_id=self.run_id,
            seed=self.options.seed,
            folder=self.folder,
            clock=self.clock,
            progress=self.progress,
            serve=contained if kind else in_place,
        )
        self.seen.stack = await self._on_stack.run()
        self.seen.cases.append(self.seen.stack.case)

    async def _end_stack_parts(self) -> None:
        if self._on_stack is not None:
            await self._on_stack.end()

    async def _stack_down(self) -> None:
        if self._stack is not None:
            await self._stack.down()

    async def _end_site(self) -> None:
        if self._site is not None:
            await self._site.end()

    def _machine(self) -> str:
        facts = machine.describe({})
        return f"{facts.system}, {facts.cpu_count} CPUs, load {facts.load_average_1min:.1f}, home's disk"

    def _report(self) -> RecoveryReport:
        report = self._document()
        try:
            write_report(self.folder, report, language(self.options.lang))
            point_latest(self.options.reports, self.folder)
        except RehearsalError as error:
            self.lifecycle.note(error)
            report = self._document()
        return report

    def _document(self) -> RecoveryReport:
        programs = whole() if self._site is None else self._site.programs
        judged = on_server(findings(self.plan, self.seen), programs)
        combined = combine(each.verdict for each in judged)
        broke = [error.exit for error in self.lifecycle.errors]
        left_out = [(part, "not asked for (--only)") for part in PARTS if part not in self.options.parts]
        left_out += [(part, "the run ended before it") for part in self.options.parts if part not in self.timings]
        if self.seen.stack is not None:
            left_out += errata_not_exercised(self.seen)
        now = datetime.fromtimestamp((self.clock.anchor.unix_ns) / NS, tz=UTC)
        return RecoveryReport(
            schema_version=SCHEMA_VERSION,
            run_id=self.run_id,
            scenario=self.plan.name,
            title=self.plan.title,
            started_utc=utc(self.clock.anchor, self.started_ns),
            rung=self.options.rung,
            seed=self.options.seed,
            replay=self.options.replay,
            target=self.options.target.name,
            machine=self._machine(),
            database=programs.named,
            passed=combined is Combined.ALL_PASSED and not broke,
            exit_status=exit_status(combined, broke, leaks=bool(self.leaks)),
            combined=combined,
            **self._about_manifests,
            findings=judged,
            cases=tuple(self.seen.cases),
            prediction=self.seen.sizes.prediction if self.seen.sizes else None,
            overhead=self.seen.sizes.overhead if self.seen.sizes else None,
            errata=errata_seen(self.plan, self.seen, now),
            not_exercised=(*left_out, ("dr.backup.cross_region", _REGION)),
            timings=self.timings,
            leaks=self.leaks,
            errors=tuple(str(error) for error in self.lifecycle.errors),
        )
