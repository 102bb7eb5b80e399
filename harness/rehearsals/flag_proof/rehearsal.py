"""The proof of the flag: how long every client takes to change sides, and that no walk is lost on the way.

The client's own rule in virtual time, then stories of single users and real phones on a stack.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.model.judgement import Expected
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.result import Part, RunInfo
from harness.model.section import Lines, Pairs, Section
from harness.rehearsals.flag_proof.facts import PHRASES, facts
from harness.rehearsals.flag_proof.real import RealCase, Stories, course, must_fit, real_ids
from harness.rehearsals.flag_proof.types import CLAIM_WALKS, REAL, STORIES, VIRTUAL, FlagPlan, FlagProofDetails
from harness.rehearsals.flag_proof.virtual import interval_word, virtual_cases, virtual_ids
from harness.rules.rule import Fact
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.protocol import StackNeeds


class FlagProof(Rehearsal[FlagPlan, FlagProofDetails]):
    """The rehearsal."""

    name = "flag_proof"
    plan, details = FlagPlan, FlagProofDetails
    phrases = PHRASES

    def expected(self, plan: FlagPlan, facts: RunInfo) -> Iterator[Expected]:
        """Every case and every story; of each case all its clients."""
        _ = facts
        yield from (Expected(VIRTUAL, each, plan.claim, plan.clients) for each in virtual_ids(plan))
        if not plan.virtual_only:
            yield from (Expected(REAL, f"continuity.{each}", claim, 1) for each, claim in STORIES.items())
            yield from (Expected(REAL, each, plan.claim, 1) for each in real_ids(plan))
            intervals = [interval_word(case.fetch_interval_s) for case in plan.cases if case.real]
            yield from (Expected(REAL, f"real.{each}.walks", CLAIM_WALKS, plan.real.clients) for each in intervals)

    def parts(self, plan: FlagPlan, seen: RunRecord[FlagProofDetails]) -> Sequence[Part]:
        """What was computed, and what ran."""
        timings = seen.facts.timings
        virtual_s = timings.get(VIRTUAL, 0.0)
        found = [Part(name=VIRTUAL, title=message("In virtual time"), seconds=virtual_s)]
        if not plan.virtual_only:
            took_s = max(0.0, timings.get(REAL, virtual_s) - virtual_s)
            found.append(Part(name=REAL, title=message("On real parts"), seconds=took_s))
        return found

    def stack_spec(self, plan: FlagPlan, options: Options, manifests: Manifests) -> StackNeeds | None:
        """A stack, unless only what is computed is asked for. Raises ``BadInput`` for a case that no load can run."""
        _ = options
        for case in plan.cases if not plan.virtual_only else ():
            if case.real:
                must_fit(plan, case)
        return None if plan.virtual_only else StackNeeds(manifests=manifests, use_kept=False)

    async def run(self, plan: FlagPlan, on: RunContext[FlagProofDetails]) -> None:
        """Every case in order."""
        on.phase(VIRTUAL, message("computing the client's rule in virtual time"))
        on.details.switches += virtual_cases(plan, on.options.seed)
        on.mark(VIRTUAL)
        if plan.virtual_only:
            return
        await on.up()
        await _on_the_stack(plan, on)
        on.mark(REAL)

    def measured(self, plan: FlagPlan, seen: RunRecord[FlagProofDetails]) -> Iterable[Fact]:
        """From the details alone."""
        _ = plan
        return facts(seen.details)

    def sections(self, plan: FlagPlan, seen: RunRecord[FlagProofDetails]) -> Iterable[Section]:
        """How it was judged."""
        _ = seen
        if plan.virtual_only:
            how = message("the client's fetch rule in virtual time; no stack")
            yield Pairs(pairs=((message("Without a stack"), how),))
        yield Lines(title=message("How it was judged"), lines=HOW)


HOW = (
    message("virtual cases compute the client's own fetch rule at the document's times: nobody waits for 12 h"),
    message(
        "real cases run phones, Remote Config, API and Firestore with every time divided by the plan's scale, and are "
        "judged by the rule's bound, not by the document's 5 minutes"
    ),
)


async def _on_the_stack(plan: FlagPlan, on: RunContext[FlagProofDetails]) -> None:
    on.phase("stories", message("walks across a change of sides"))
    stories = Stories(on.stack.endpoints(), on.clock, on.options.seed)
    try:
        on.details.stories += await stories.all()
    finally:
        stories.close()
    for case in plan.cases:
        if case.real:
            said = message(
                "fetch interval {interval} s, times / {scale}: {seconds} s",
                interval=f"{case.fetch_interval_s:g}",
                scale=f"{plan.real.scale:g}",
                seconds=f"{course(plan, case).end_s:.0f}",
            )
            on.phase("real", said, lasts_s=course(plan, case).end_s)
            switches, walks = await RealCase(plan, case, on).run()
            on.details.switches += switches
            on.details.walks.append(walks)


REHEARSAL = FlagProof()
