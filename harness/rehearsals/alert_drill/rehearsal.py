"""The drill: history made, Prometheus and Alertmanager up, each breach planted, what fired and what came read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from harness.base.clock import NS
from harness.base.errors import NotCapable
from harness.evidence.store import Gathered
from harness.load.users import Users, UsersPlan
from harness.model.judgement import Expected
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.result import RunInfo
from harness.model.section import Cell, Section, table_of
from harness.model.stack import Capability, EnvironmentKind, FaultKind
from harness.rehearsals.alert_drill.expected import StretchPair
from harness.rehearsals.alert_drill.facts import PHRASES, compared, expected, facts
from harness.rehearsals.alert_drill.facts_theirs import fired
from harness.rehearsals.alert_drill.theirs import asking
from harness.rehearsals.alert_drill.theirs.asking import of_drill, of_stored
from harness.rehearsals.alert_drill.theirs.facts import QueriedRules, QueryAnswer
from harness.rehearsals.alert_drill.types import AlertDrillDetails, AlertDrillPlan, PlantedBreach
from harness.rehearsals.alert_drill.watching import ask, watched
from harness.rules.objectives.foreign.rules import PrometheusRule
from harness.rules.rule import Fact
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.kind.images import binaries
from harness.stack.protocol import StackNeeds

# What the page of a drill shows besides its judgements, of a team's own alerts as well. Pure.

_MOST_MOMENTS = 8


def theirs_table(plan: AlertDrillPlan, asked: QueriedRules) -> Section:
    """Each of a team's own alerts over the course, in the document's time."""

    def moments(of: tuple[PrometheusRule, QueryAnswer]) -> str:
        times = [f"{at_s / 60:.1f}" for at_s, _ in fired(of[1])]
        return ", ".join(times[:_MOST_MOMENTS]) + (" …" if len(times) > _MOST_MOMENTS else "")

    breaches = ", ".join(f"{each.name} {each.begin_s / 60:.1f}–{each.end_s / 60:.1f}" for each in asked.course)
    return table_of(
        message("A team's own alerts"),
        [pair for pair in zip(plan.theirs, asked.answers, strict=True) if not pair[0].records],
        (message("alert"), lambda of: of[0].name),
        (message("file and line"), lambda of: of[0].where),
        (message("must hold (s)"), lambda of: f"{of[0].for_s:g}"),
        (message("held at most (s)"), lambda of: f"{max((h.longest_s for h in of[1].held), default=0.0):.0f}"),
        (message("fired (min)"), moments),
        numbers=(2, 3),
        note=(
            message(
                "over {minutes} minutes of the document's time, by what users and probes of the run saw, told as the "
                "API's own counters; what nobody answered it cannot count",
                minutes=f"{asked.seconds / 60:.0f}",
            ),
            *((message("breaches (min): {breaches}", breaches=breaches),) if breaches else ()),
        ),
    )


def sections(plan: AlertDrillPlan, details: AlertDrillDetails, evidence: Gathered) -> Iterator[Section]:
    """What fired beside what had to; what a team's own alerts did."""
    if details.asked is not None:
        yield theirs_table(plan, details.asked)
    if not details.asked_ns:
        return

    def since(at_ns: int | None) -> str:
        return "" if at_ns is None else f"{(at_ns - details.origin_ns) / 1e9:.1f}"

    rows = [(each, pair) for each, pairs in compared(plan, details, evidence) for pair in pairs]

    def due_s(pair: StretchPair, *, resolved: bool) -> Cell:
        at_ms = None if pair.due is None else pair.due.resolved_ms if resolved else pair.due.fired_ms
        return "" if at_ms is None else f"{at_ms / 1000:.1f}"

    yield table_of(
        message("What had to fire, and what fired"),
        rows,
        (message("alert"), lambda row: f"{row[0].alert} {row[0].objective} {row[0].severity}".strip()),
        (message("had to fire (s)"), lambda row: due_s(row[1], resolved=False)),
        (message("fired (s)"), lambda row: since(row[1].seen.fired_ns) if row[1].seen else ""),
        (message("had to resolve (s)"), lambda row: due_s(row[1], resolved=True)),
        (message("resolved (s)"), lambda row: since(row[1].seen.resolved_ns) if row[1].seen else ""),
        numbers=(1, 2, 3, 4),
        note=(
            message("by our own arithmetic on the evidence, and by Prometheus"),
            message("minutes of the document are divided by {scale} here", scale=f"{plan.scale:g}"),
        ),
    )


class AlertDrill(Rehearsal[AlertDrillPlan, AlertDrillDetails]):
    """The rehearsal."""

    name = "alert_drill"
    plan, details = AlertDrillPlan, AlertDrillDetails
    phrases = PHRASES

    def needs(self, plan: AlertDrillPlan) -> Mapping[str, Iterable[Capability]]:
        """Pods whose metrics Prometheus reaches, and whose sidecars slow the database: of the trial ``latency``."""
        return {} if plan.of else {"": (Capability.REAL_POSTGRESQL, Capability.POD_SIGNALS)}

    def expected(self, plan: AlertDrillPlan, facts: RunInfo) -> Iterable[Expected]:
        """Those of the drill, and of a team's own alerts."""
        return (*expected(plan), *super().expected(plan, facts))

    def stack_spec(self, plan: AlertDrillPlan, options: Options, manifests: Manifests) -> StackNeeds | None:
        """A stack with faults between the service and its pods; none where a stored run is asked about. Raises
        ``NotCapable`` where no sidecar can slow the database."""
        if plan.of:
            return None
        _refuse_without_sidecar(plan, options.rung, manifests)
        return StackNeeds(manifests=manifests, fault_proxy=True)

    async def run(self, plan: AlertDrillPlan, on: RunContext[AlertDrillDetails]) -> None:
        """Everything up, then the trials, one after the other; what a team's own alerts do of it."""
        if plan.of:
            on.details.asked = await of_stored(plan, on)
            return
        await binaries.ensure(binaries.PROMETHEUS, on.say)
        await binaries.ensure(binaries.ALERTMANAGER, on.say)
        await on.up()
        load = UsersPlan(
            population=plan.population, probes=plan.probes, request_timeout_s=plan.request_timeout_s,
            seed=on.options.seed,
        )  # fmt: skip
        users = Users(on, load)
        await users.set_flag(on=True)
        await users.admit()
        prometheus = await watched(plan, on)
        on.details.origin_ns = await users.go()
        await _course(plan, on)
        await ask(plan, on, prometheus)
        await users.stop()
        if plan.theirs:
            course = of_drill(plan, on.details, on.clock.wall_ns() / NS)
            on.details.asked = await asking.asked(plan.theirs, course, on.evidence, on)

    def measured(self, plan: AlertDrillPlan, seen: RunRecord[AlertDrillDetails]) -> Iterable[Fact]:
        """Of Prometheus and the receivers, beside our own arithmetic on the evidence."""
        return facts(plan, seen.details, seen.evidence)

    def sections(self, plan: AlertDrillPlan, seen: RunRecord[AlertDrillDetails]) -> Iterable[Section]:
        """What fired when."""
        return sections(plan, seen.details, seen.evidence)


def _refuse_without_sidecar(plan: AlertDrillPlan, rung: EnvironmentKind, manifests: Manifests) -> None:
    """On a cluster the database is slowed by the pods' proxies to it. Raises ``NotCapable`` where they have none, and a
    trial is to."""
    slow = [each.name for each in plan.trials if each.fault.kind is FaultKind.DATABASE_SLOW]
    if slow and rung is not EnvironmentKind.LOCAL and not manifests.sidecar:
        raise NotCapable(
            message(
                "the trial {trial} slows the database by the pods' proxy to it, and the manifests have none",
                trial=slow[0],
            ),
            where=manifests.folder,
            remedy="drill it with --on local, or with manifests that have a proxy, as Cloud SQL Proxy is one",
        )


async def _course(plan: AlertDrillPlan, on: RunContext[AlertDrillDetails]) -> None:
    """The trials, one after the other, and the wait until the old outage has left the long windows."""
    on.phase("before", message("traffic as usual, before the first trial"), lasts_s=plan.scaled(plan.before_s))
    await on.clock.sleep(plan.scaled(plan.before_s))
    for trial in plan.trials:
        said = message("{trial}: {fault}", trial=trial.name, fault=trial.fault.told)
        on.phase(f"trial {trial.name}", said, lasts_s=plan.scaled(trial.lasts_s + plan.between_s))
        begun_ns = on.clock.now_ns()
        undo = await on.stack.inject(trial.fault)
        on.add_finalizer(undo)
        await on.clock.sleep(plan.scaled(trial.lasts_s))
        await undo()
        on.details.planted.append(PlantedBreach(trial=trial.name, begun_ns=begun_ns, ended_ns=on.clock.now_ns()))
        await on.clock.sleep(plan.scaled(plan.between_s))
    left_s = max(0.0, (on.details.leaves_ns - on.clock.now_ns()) / NS + plan.after_s) + 3 * plan.scaled(plan.evaluate_s)
    on.phase("windows", message("waiting until the old outage is more than 30 and 7 days ago"), lasts_s=left_s)
    await on.clock.sleep(left_s)


REHEARSAL = AlertDrill()
