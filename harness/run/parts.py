"""A plan in parts: each is run where the environment has what it needs, and of the others it is said what it lacks."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from harness.base.ticks import NS
from harness.checks import answered
from harness.checks.read_facts import READS_EXPECTED, reads_of_steps
from harness.load.stages.plan import population
from harness.model.judgement import Expected, Judgement, Verdict, lacking_words
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.parts import PartOfPlan, PartRun, PartsDetails, listed, nth
from harness.model.result import Part, RunInfo
from harness.model.scenario import Step
from harness.model.stack import Capability, EnvironmentKind
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.manifests.change import without_autoscaler
from harness.stack.manifests.quantity import cpu_factor, scaled
from harness.stack.protocol import StackNeeds


class SizedPart(PartOfPlan, Protocol):
    """``pods`` is how many fit the machine: CPU requests and limits are scaled by one factor so that they do."""

    @property
    def pods(self) -> int: ...


class PlanInParts(Protocol):
    """The parts in their order."""

    @property
    def parts(self) -> Sequence[SizedPart]: ...


P = TypeVar("P", bound=PlanInParts)
D = TypeVar("D", bound=PartsDetails)


class Acts(Protocol):
    """Runs parts on a stack that is up."""

    async def run(self, part: Any) -> Any:
        """What was done when."""
        ...


class InParts(Rehearsal[P, D]):
    """Each part of the plan in turn, on one stack whose pods at their most fit the machine's CPU."""

    @abstractmethod
    def acts(self, plan: P, on: RunContext[D]) -> Acts:
        """What runs the parts, once the stack is up."""

    @abstractmethod
    def loads(self, part: Any) -> bool:
        """Whether users load the API in the part."""

    def expected(self, plan: P, facts: RunInfo) -> Iterator[Expected]:
        """The claims, and what answers showed the users of a part that is run."""
        yield from super().expected(plan, facts)
        if any(
            self.loads(each) and not self.missing_capabilities(plan, facts.capabilities, each.name)
            for each in plan.parts
        ):
            yield READS_EXPECTED

    def needs(self, plan: P) -> Mapping[str, Iterable[Capability]]:
        """What each part names."""
        return {part.name: part.needs for part in plan.parts}

    def parts(self, plan: P, seen: RunRecord[D]) -> Sequence[Part]:
        """The plan's, with the seconds that each took."""
        return listed(plan.parts, {name: _seconds(run) for name, run in seen.details.runs.items()})

    def stack_spec(self, plan: P, options: Options, manifests: Manifests) -> StackNeeds:
        """A stack without the autoscaler."""
        # A rung on a cluster scales the documents that it applies by the same rule, itself.
        found = scaled(manifests, _factor(plan, manifests)) if options.rung is EnvironmentKind.LOCAL else manifests
        plain = without_autoscaler(found, found.deployment.replicas)
        return StackNeeds(manifests=plain, peak_pods=_most_pods(plan))

    async def run(self, plan: P, on: RunContext[D]) -> None:
        """The parts in order."""
        details = on.details
        details.cpu_factor = _factor(plan, on.manifests)
        on.say(message("CPU requests and limits are multiplied by {factor}", factor=f"{details.cpu_factor:.2f}"))
        await on.up()
        acts = self.acts(plan, on)
        for part in plan.parts:
            if missing := self.missing_capabilities(plan, on.stack.capabilities, part.name):
                on.say(message("{part}: not exercised: {why}", part=part.name, why=lacking_words(missing)))
            else:
                details.runs[part.name] = PartRun(start_ns=on.clock.now_ns())
                on.phase("part", nth(plan.parts, part), name=part.name)
                details.did[part.name] = await acts.run(part)
                details.runs[part.name].end_ns = on.clock.now_ns()  # what is judged of it was seen until now
                on.mark(part.name)
                on.part_over(part.name)

    def checks(self, plan: P, seen: RunRecord[D]) -> Iterable[Judgement]:
        """What answers showed the users of the load."""
        _ = plan
        return answers(seen, seen.details.users, seen.details.steps)


def answers(seen: RunRecord[Any], users: int, steps: Iterable[tuple[Step, int]]) -> Iterator[Judgement]:
    """What answers showed so many ``users`` of a load in ``steps``, each with when it began (ns)."""
    found, unix_ns = seen.facts, seen.facts.anchor.unix_ns
    requests = seen.evidence.requests
    yield from reads_of_steps(requests, users=users, seed=found.seed, anchor_unix_ns=unix_ns, steps=steps)
    asked = answered.ReadAnswers(requests, population(users), found.seed, found.anchor, found.keeps or {})
    yield from (each for each in answered.judged(asked) if each.verdict in (Verdict.PASS, Verdict.FAIL))  # of a sample


def _seconds(run: PartRun) -> float:
    return 0.0 if run.end_ns is None else (run.end_ns - run.start_ns) / NS


def _most_pods(plan: PlanInParts) -> int:
    return max(part.pods for part in plan.parts)


def _factor(plan: PlanInParts, manifests: Manifests) -> float:
    return cpu_factor(manifests, os.cpu_count() or 1, _most_pods(plan))
