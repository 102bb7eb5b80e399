"""``chaos``: experiments of Chaos Toolkit under users and probes; ``rolling_update`` is a plan of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from harness.base.ticks import NS
from harness.checks.walk_results import ACKNOWLEDGED
from harness.checks.whole_run import EXPECTED, of_whole_run
from harness.migration.heal import RECONCILE
from harness.model.judgement import Expected, Judgement, Kind
from harness.model.manifests import Manifests
from harness.model.message import Message, message
from harness.model.result import Part, RunInfo
from harness.model.section import Band, Chart, Pairs, Section, Timeline
from harness.model.stack import PROXY_FAULTS, lacks
from harness.rehearsals.chaos.facts import PHRASES, facts
from harness.rehearsals.chaos.flow import Experiments
from harness.rehearsals.chaos.rules import SEE_THE_LOSS, SPREADS, as_counterexample, rule_of
from harness.rehearsals.chaos.types import ChaosDetails, ChaosPlan, MadeExperiment
from harness.report import course as charts
from harness.report.course import chart_of, course_of, stretch
from harness.report.series import TimeAxis, axis_of, measured_on
from harness.rules.engine import judged
from harness.rules.rule import CHECKED, Fact
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Cost, Rehearsal, RunRecord, cost_between, require_complete
from harness.stack.protocol import StackNeeds

# What the page of experiments shows besides its judgements: their course, their figures, failovers. Pure.

_STAND_IN = message(
    "A stand-in for Cloud SQL's regional disk replication: here PostgreSQL streams its WAL to a standby, a heartbeat "
    "of the rehearsal's own detects the loss, and the sidecars are pointed at the standby in place of an address that "
    "moves. Detection and promotion take other times at Cloud SQL."
)


def sections(plan: ChaosPlan, seen: RunRecord[ChaosDetails]) -> Iterator[Section]:
    """In the order of the page; nothing where no experiment was made."""
    made = seen.details.made
    if made:
        yield _course(plan, seen)
    if any(plan.experiments[each.number - 1].experiment.expects.failover is not None for each in made):
        yield Pairs(pairs=((message("Failover of the database"), _STAND_IN),), differs=True)


def _course(plan: ChaosPlan, seen: RunRecord[ChaosDetails]) -> Timeline:
    """Pods, failures and probes over all experiments; shaded from a fault until it was undone."""
    made, evidence = seen.details.made, seen.evidence
    begin_ns, end_ns = min(each.begun_ns for each in made), max(each.end_ns for each in made)
    axis = axis_of(begin_ns, end_ns, begin_ns)
    measured = measured_on(axis, evidence)
    pods = chart_of("", message("Pods"), course_of(evidence.events, (begin_ns, begin_ns), begin_ns, end_ns))
    shown: list[Chart] = [] if pods is None else [pods]
    shown += [charts.errors(measured)] if measured.sides else []
    shown += charts.probes(measured)
    return stretch(
        message("Course of the experiments"),
        axis,
        shown,
        evidence.events,
        {"fault", "failover"},
        phases=tuple(_band(axis, each.begun_ns, each.end_ns, named(plan, each)) for each in made),
        shaded=tuple(
            _band(axis, each.start_ns, each.undone_ns or each.end_ns, message("fault"), judged=True) for each in made
        ),
        note=(message("Shaded: from the first fault of an experiment until it was undone."),),
    )


def _band(axis: TimeAxis, start_ns: int, end_ns: int, label: Message, *, judged: bool = False) -> Band:
    start, end = ((at_ns - axis.origin_ns) / NS for at_ns in (start_ns, end_ns))
    return Band(start=start, end=end, label=label, judged=judged)


def named(plan: ChaosPlan, made: MadeExperiment) -> Message:
    """An experiment by its number and title."""
    return message("{number}. {title}", number=str(made.number), title=_title(plan, made))


def _title(plan: ChaosPlan, made: MadeExperiment) -> Message:
    return Message(text=plan.experiments[made.number - 1].experiment.title)


#: The parts of ``rolling_update`` by name.
AS_WRITTEN, GRACEFUL = "as_written", "graceful"
_TITLES = {AS_WRITTEN: message("The manifests as they are"), GRACEFUL: message("With the component graceful")}


class Chaos(Rehearsal[ChaosPlan, ChaosDetails]):
    """The rehearsal."""

    name = "chaos"
    plan, details = ChaosPlan, ChaosDetails
    phrases, ruled_by = PHRASES, ("checks", "chaos")

    def title(self, plan: ChaosPlan) -> Message:
        """How many experiments; of one that is made again and again, what it is."""
        titles = {each.experiment.title for each in plan.experiments}
        if len(titles) == 1:
            return Message(text=titles.pop())
        return message("Chaos: {count} experiments", count=str(len(plan.experiments)))

    def expected(self, plan: ChaosPlan, facts: RunInfo) -> Iterator[Expected]:
        """Every experiment and its claims, and the checks of the whole run where one of them is made."""
        for number, (name, planned) in enumerate(zip(plan.names, plan.experiments, strict=True), 1):
            part, expects = plan.part_of(number), planned.experiment.expects
            yield Expected(part, name, next(iter(expects.claims), ""))
            yield from (Expected(part, claim, claim) for claim in (*expects.claims, expects.spreads) if claim)
        if not self.unable(plan, facts.capabilities):
            yield from EXPECTED
        if plan.reconcile is not None:
            yield Expected("", RECONCILE, kind=Kind.CHECK)

    def unable(self, plan: ChaosPlan, capabilities: Collection[str]) -> tuple[str, ...]:
        """By what its experiments need."""
        return require_complete(lacks(each.experiment.expects.needs, capabilities) for each in plan.experiments)

    def parts(self, plan: ChaosPlan, seen: RunRecord[ChaosDetails]) -> Sequence[Part]:
        """Each experiment, or those that the plan names."""
        took: Counter[str] = Counter()
        for made in seen.details.made:
            took[plan.part_of(made.number)] += made.end_ns - made.begun_ns
        titles: dict[str, Message] = {}
        for number, planned in enumerate(plan.experiments, 1):
            part = plan.part_of(number)
            titles.setdefault(part, _TITLES.get(part, Message(text=planned.experiment.title)))
        return [
            Part(name=name, title=title, seconds=took[name] / NS, corrected=name if name == GRACEFUL else "")
            for name, title in titles.items()
        ]

    def stack_spec(self, plan: ChaosPlan, options: Options, manifests: Manifests) -> StackNeeds:  # noqa: ARG002 - not all need them
        """The experiments break of a kept cluster only what they do to its nodes."""
        expects = [each.experiment.expects for each in plan.experiments]
        return StackNeeds(
            manifests=manifests,
            fault_proxy=any(PROXY_FAULTS.intersection(each.experiment.faults) for each in plan.experiments),
            use_kept=not any(each.breaks_nodes for each in expects),
            every_program=any(each.failover is not None for each in expects),
        )

    async def run(self, plan: ChaosPlan, on: RunContext[ChaosDetails]) -> None:
        """The experiments in their order."""
        await Experiments(plan, on).run()

    def measured(self, plan: ChaosPlan, seen: RunRecord[ChaosDetails]) -> Iterator[Fact]:
        """Of every experiment, under the name of its judgement."""
        details = seen.details if seen.details.origin_ns is not None else ChaosDetails()  # nobody knows what was due
        given: dict[str, Any] = {"seed": seen.facts.seed, "capabilities": seen.facts.capabilities}
        for number, name in enumerate(plan.names, 1):
            for each in facts(plan, number, details, seen.evidence, **given):
                yield msgspec.structs.replace(each, part=plan.part_of(number), case=name)

    def by_rules(self, plan: ChaosPlan, seen: RunRecord[ChaosDetails], part: str | None = None) -> Iterator[Judgement]:
        """Of every experiment, or of the one whose number is ``part``: by the rule of its kind, and how far it reached.
        An experiment stands under its name, which its file gives: so the rules are named by kinds."""
        every = [*self.facts_of(plan, seen, whole=part is None)]
        for number, (name, planned) in enumerate(zip(plan.names, plan.experiments, strict=True), 1):
            if part not in (None, str(number)):
                continue
            expects, of = planned.experiment.expects, plan.part_of(number)
            asked = [Expected(of, name, next(iter(expects.claims), ""))]
            rules = {name: rule_of(self.rules, plan, planned)}
            if expects.spreads:
                asked.append(Expected(of, expects.spreads, expects.spreads))
                rules[expects.spreads] = self.rules[SPREADS]
            mine = [msgspec.structs.replace(each, case="") for each in every if (each.part, each.case) == (of, name)]
            yield from judged(asked, rules, mine, plan, seen.facts.capabilities)
        yield from judged((), self.rules, (each for each in every if each.name == CHECKED), plan, ())

    def checks(self, plan: ChaosPlan, seen: RunRecord[ChaosDetails]) -> Iterable[Judgement]:
        """Those of every run under load; where it had to lose acknowledged writes, that it was found."""
        found, expects = of_whole_run(seen.evidence.events), (each.experiment.expects for each in plan.experiments)
        lossy = any(each.failover and not each.failover.synchronous for each in expects)
        return as_counterexample(found, ACKNOWLEDGED, SEE_THE_LOSS) if lossy else found

    def sections(self, plan: ChaosPlan, seen: RunRecord[ChaosDetails]) -> Iterable[Section]:
        """The course of the experiments."""
        return sections(plan, seen)

    def costs(self, plan: ChaosPlan, seen: RunRecord[ChaosDetails]) -> Iterable[Cost]:
        """Of each experiment, from its first fault on."""
        return [
            cost_between(named(plan, each), seen.evidence, each.start_ns, each.end_ns) for each in seen.details.made
        ]


REHEARSAL = Chaos()
