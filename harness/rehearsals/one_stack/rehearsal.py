"""``rollout_one_stack``: the weeks over one population."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.base.ticks import NS
from harness.checks import whole_run
from harness.checks.mirror_facts import expected as steps_expected
from harness.checks.mirror_steps import CLAIM_STOP
from harness.migration.healing import RECONCILE
from harness.model.expected import Expected
from harness.model.judgement import Judgement, Kind
from harness.model.manifests import Manifests
from harness.model.message import Message, message
from harness.model.result import Part, RunInfo
from harness.model.stack import Capability
from harness.rehearsals.one_stack.facts import PHRASES, expected, facts, words
from harness.rehearsals.one_stack.flow import LegsCourse
from harness.rehearsals.one_stack.types import STOP, LegSeen, OneStackDetails, OneStackPlan, legs_of
from harness.rules.fact import Fact
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.protocol import StackNeeds


class OneStack(Rehearsal[OneStackPlan, OneStackDetails]):
    """The rehearsal."""

    name, decides = "rollout_one_stack", True
    plan, details = OneStackPlan, OneStackDetails
    phrases, ruled_by = PHRASES, ("mirror_steps", "rollout_one_stack")

    def expected(self, plan: OneStackPlan, facts: RunInfo) -> Iterator[Expected]:
        """Leg by leg, and the claims of the whole: the weeks' own are judged by their own runs. The steps of the
        mirror's stop by a target that can do it."""
        yield from expected(plan)
        yield from whole_run.EXPECTED
        yield from (Expected(STOP if claim == CLAIM_STOP else "", claim, claim) for claim in plan.claims)
        copied = ("moved.copied",) if _has_postgresql(facts) else ()
        for leg in legs_of(plan):
            yield from (Expected(leg.part, id_) for id_ in ("moved.in_time", *copied, "moved.old_walks"))
        if plan.roll_back_after and _has_postgresql(facts):
            yield Expected(f"week{plan.roll_back_after}", RECONCILE, kind=Kind.CHECK)
        if _stops(facts):
            yield from steps_expected(plan.shares_percent, STOP)
            yield Expected(STOP, RECONCILE, kind=Kind.CHECK)

    def parts(self, plan: OneStackPlan, seen: RunRecord[OneStackDetails]) -> Sequence[Part]:
        """A part a leg."""
        went = {each.part: each for each in seen.details.legs}
        legs = [
            Part(name=leg.part, title=Message(text=leg.scenario.title), seconds=_seconds(went.get(leg.part)))
            for leg in legs_of(plan)
        ]
        return [*legs, Part(name=STOP, title=message("The stepwise stop of the mirror"))]

    def stack_spec(self, plan: OneStackPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """A stack as the manifests have it."""
        _ = plan, options
        return StackNeeds(manifests=manifests)

    async def run(self, plan: OneStackPlan, on: RunContext[OneStackDetails]) -> None:
        """The legs in order, on one stack."""
        await LegsCourse(plan, on).run()

    def measured(self, plan: OneStackPlan, seen: RunRecord[OneStackDetails]) -> Iterable[Fact]:
        """Of each leg, of the steps of the mirror's stop, and of the whole."""
        return facts(plan, seen.details, seen.evidence, seed=seen.facts.seed, stops=_stops(seen.facts))

    def checks(self, plan: OneStackPlan, seen: RunRecord[OneStackDetails]) -> Iterable[Judgement]:
        """The words of criteria and checks."""
        return words(plan, seen)


def _has_postgresql(facts: RunInfo) -> bool:
    """Whether walks are in a database of their own."""
    return Capability.REAL_POSTGRESQL in facts.capabilities


def _stops(facts: RunInfo) -> bool:
    """Whether the target can stop its mirror stepwise."""
    return _has_postgresql(facts) and facts.target_bundled


def _seconds(went: LegSeen | None) -> float:
    return (
        0.0
        if went is None or went.end_ns is None or went.published_ns is None
        else (went.end_ns - went.published_ns) / NS
    )


REHEARSAL = OneStack()
