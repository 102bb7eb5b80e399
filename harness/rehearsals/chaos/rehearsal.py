"""``chaos``: experiments of Chaos Toolkit under users and probes; ``rolling_update`` is a plan of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from harness.checks.whole_run import EXPECTED
from harness.judge.difference import Ratio
from harness.judge.window import NS
from harness.migration.healing import RECONCILE
from harness.model.expected import Expected
from harness.model.judgement import Judgement, Kind
from harness.model.manifests import Manifests
from harness.model.message import Message, message
from harness.model.result import Facts, Part
from harness.model.section import Section
from harness.model.stack import PROXY_FAULTS, lacks
from harness.rehearsal.cost import Cost, cost_between
from harness.rehearsal.options import Options
from harness.rehearsal.rehearsal import Figure, Rehearsal, Seen, of_all
from harness.rehearsal.running import Running
from harness.rehearsals.chaos.counterexample import checks
from harness.rehearsals.chaos.facts import PHRASES, facts
from harness.rehearsals.chaos.flow import Experiments
from harness.rehearsals.chaos.kinds import SPREADS, rule_of
from harness.rehearsals.chaos.measures import figures
from harness.rehearsals.chaos.sections import named, sections
from harness.rehearsals.chaos.types import ChaosDetails, ChaosPlan
from harness.rules.engine import judged
from harness.stack.protocol import StackNeeds

#: The parts of ``rolling_update`` by name.
AS_WRITTEN, GRACEFUL = "as_written", "graceful"
_TITLES = {AS_WRITTEN: message("The manifests as they are"), GRACEFUL: message("With the component graceful")}


class Chaos(Rehearsal[ChaosPlan, ChaosDetails]):
    """The rehearsal."""

    name = "chaos"
    plan, details = ChaosPlan, ChaosDetails
    phrases = PHRASES

    def title(self, plan: ChaosPlan) -> Message:
        """How many experiments; of one that is made again and again, what it is."""
        titles = {each.experiment.title for each in plan.experiments}
        if len(titles) == 1:
            return Message(text=titles.pop())
        return message("Chaos: {count} experiments", count=str(len(plan.experiments)))

    def expected(self, plan: ChaosPlan, facts: Facts) -> Iterator[Expected]:
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
        return of_all(lacks(each.experiment.expects.needs, capabilities) for each in plan.experiments)

    def parts(self, plan: ChaosPlan, seen: Seen[ChaosDetails]) -> Sequence[Part]:
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

    def arrange(self, plan: ChaosPlan, options: Options, manifests: Manifests) -> StackNeeds:  # noqa: ARG002 - not all need them
        """The experiments break of a kept cluster only what they do to its nodes."""
        expects = [each.experiment.expects for each in plan.experiments]
        return StackNeeds(
            manifests=manifests,
            fault_proxy=any(PROXY_FAULTS.intersection(each.experiment.faults) for each in plan.experiments),
            use_kept=not any(each.breaks_nodes for each in expects),
            every_program=any(each.failover is not None for each in expects),
        )

    async def run(self, plan: ChaosPlan, on: Running[ChaosDetails]) -> None:
        """The experiments in their order."""
        await Experiments(plan, on).run()

    def by_rules(self, plan: ChaosPlan, seen: Seen[ChaosDetails], part: str | None = None) -> Iterator[Judgement]:
        """Of every experiment, or of the one whose number is ``part``: by the rule of its kind, and how far it reached.
        An experiment stands under its name, which its file gives: so the rules are named by kinds."""
        there = seen.facts.capabilities
        details = seen.details if seen.details.origin_ns is not None else ChaosDetails()  # nobody knows what was due
        for number, (name, planned) in enumerate(zip(plan.names, plan.experiments, strict=True), 1):
            if part not in (None, str(number)):
                continue
            expects = planned.experiment.expects
            asked = [Expected(str(number), name, next(iter(expects.claims), ""))]
            rules = {name: rule_of(self.rules, plan, planned)}
            if expects.spreads:
                asked.append(Expected(str(number), expects.spreads, expects.spreads))
                rules[expects.spreads] = self.rules[SPREADS]
            measured = facts(plan, number, details, seen.evidence, seed=seen.facts.seed, capabilities=there)
            for each in judged(asked, rules, measured, plan, there):
                yield msgspec.structs.replace(each, part=plan.part_of(number))

    def judge(self, plan: ChaosPlan, seen: Seen[ChaosDetails]) -> Iterable[Judgement]:
        """By the rules, then the checks of the whole run."""
        yield from super().judge(plan, seen)
        yield from checks(plan, seen.evidence)

    def sections(self, plan: ChaosPlan, seen: Seen[ChaosDetails]) -> Iterable[Section]:
        """The course of the experiments, the figures of each, and how a database failed over."""
        return sections(plan, seen)

    def costs(self, plan: ChaosPlan, seen: Seen[ChaosDetails]) -> Iterable[Cost]:
        """Of each experiment, from its first fault on."""
        return [
            cost_between(named(plan, each), seen.evidence, each.start_ns, each.end_ns) for each in seen.details.made
        ]

    def figures(self, plan: ChaosPlan, seen: Seen[ChaosDetails]) -> Iterable[Figure]:
        """The share of requests and probes that failed in each experiment."""
        made = {each.number: each for each in seen.details.made}
        for number, name in enumerate(plan.names, 1):
            found = figures(seen.evidence.ledger, made[number]) if number in made else None
            sample = Ratio(found.failed if found else 0, found.calls if found else 0)
            yield Figure(f"{plan.part_of(number)} {name}: failed", "ratio", "worse", sample, gates=True)


REHEARSAL = Chaos()
