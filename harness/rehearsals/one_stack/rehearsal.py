"""``rollout_one_stack``: the weeks over one population."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.checks.mirror_facts import PHRASES
from harness.checks.mirror_facts import facts as of_stop
from harness.checks.mirror_steps import CLAIM_STOP
from harness.checks.mirror_steps import sections as of_steps
from harness.judge.window import NS
from harness.model.expected import Expected
from harness.model.judgement import Judgement
from harness.model.manifests import Manifests
from harness.model.message import Message, message
from harness.model.result import Facts, Part
from harness.model.section import Section, table_of
from harness.rehearsal.options import Options
from harness.rehearsal.rehearsal import Rehearsal, Seen
from harness.rehearsal.running import Running
from harness.rehearsals.one_stack.flow import Course
from harness.rehearsals.one_stack.judge import expected, judged
from harness.rehearsals.one_stack.types import STOP, Leg, LegSeen, OneStackDetails, OneStackPlan, legs_of
from harness.rules.fact import Fact
from harness.stack.protocol import StackNeeds


class OneStack(Rehearsal[OneStackPlan, OneStackDetails]):
    """The rehearsal."""

    name, decides = "rollout_one_stack", True
    plan, details = OneStackPlan, OneStackDetails
    phrases, ruled_by = PHRASES, ("mirror_steps",)

    def expected(self, plan: OneStackPlan, facts: Facts) -> Iterable[Expected]:
        """Leg by leg, and the claims of the whole: the weeks' own are judged by their own runs."""
        claims = (Expected(STOP if claim == CLAIM_STOP else "", claim, claim) for claim in plan.claims)
        return (*expected(plan, facts), *claims)

    def parts(self, plan: OneStackPlan, seen: Seen[OneStackDetails]) -> Sequence[Part]:
        """A part a leg."""
        went = {each.part: each for each in seen.details.legs}
        legs = [
            Part(name=leg.part, title=Message(text=leg.scenario.title), seconds=_seconds(went.get(leg.part)))
            for leg in legs_of(plan)
        ]
        return [*legs, Part(name=STOP, title=message("The stepwise stop of the mirror"))]

    def arrange(self, plan: OneStackPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """A stack as the manifests have it."""
        _ = plan, options
        return StackNeeds(manifests=manifests)

    async def run(self, plan: OneStackPlan, on: Running[OneStackDetails]) -> None:
        """The legs in order, on one stack."""
        await Course(plan, on).run()

    def measured(self, plan: OneStackPlan, seen: Seen[OneStackDetails]) -> Iterable[Fact]:
        """Of the steps of the mirror's stop."""
        _ = plan
        return of_stop(seen.details.steps, STOP)

    def judge(self, plan: OneStackPlan, seen: Seen[OneStackDetails]) -> Iterable[Judgement]:
        """Each leg by its week's criteria, and what only all of them show."""
        return judged(plan, seen, super().judge(plan, seen))

    def sections(self, plan: OneStackPlan, seen: Seen[OneStackDetails]) -> Iterator[Section]:
        """The legs, and the steps of the mirror's stop."""
        went = {each.part: each for each in seen.details.legs}
        rows = [(leg, went[leg.part]) for leg in legs_of(plan) if leg.part in went]
        if rows:
            yield table_of(
                message("One population from week to week"),
                rows,
                (message("Part"), lambda of: of[0].part),
                (message("On the API"), lambda of: str(of[0].scenario.population.flag_on)),
                (message("Moved"), lambda of: str(of[1].moving)),
                (message("In PostgreSQL by the migration"), _there),
                (message("Documents read"), _read),
                (message("Seconds"), _took),
                (message("Old walks asked for"), lambda of: "–" if of[1].asked is None else str(of[1].asked.walks)),
                (message("Not there"), lambda of: "–" if of[1].asked is None else str(of[1].asked.missing)),
                numbers=tuple(range(1, 8)),
            )

        yield from of_steps(seen.details.steps)


def _there(of: tuple[Leg, LegSeen]) -> str:
    return f"{of[1].migrated[-1].there:,}" if of[1].migrated else "–"


def _read(of: tuple[Leg, LegSeen]) -> str:
    return " + ".join(f"{each.read:,}" for each in of[1].migrated) or "–"


def _took(of: tuple[Leg, LegSeen]) -> str:
    return " + ".join(f"{each.seconds:.0f}" for each in of[1].migrated) or "–"


def _seconds(went: LegSeen | None) -> float:
    return (
        0.0
        if went is None or went.end_ns is None or went.published_ns is None
        else (went.end_ns - went.published_ns) / NS
    )


REHEARSAL = OneStack()
