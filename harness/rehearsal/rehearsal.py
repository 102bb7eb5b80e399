"""What a rehearsal is: one value with a plan's type, a details' type, and pure functions from what was seen to what is
said of it. Whoever writes one derives from ``Rehearsal`` and says what is not as it is for most.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Generic, TypeVar

import msgspec

from harness.base.data import RULES
from harness.evidence.gathered import Gathered
from harness.judge.difference import Sample
from harness.model.expected import Expected
from harness.model.judgement import Judgement
from harness.model.manifests import Manifests
from harness.model.message import Message
from harness.model.result import Facts, Part
from harness.model.section import Section
from harness.model.stack import Capability, lacks
from harness.rehearsal.cost import Cost
from harness.rehearsal.options import Options
from harness.rehearsal.running import Running
from harness.rules.engine import judged
from harness.rules.fact import Fact
from harness.rules.rule import Rules, read
from harness.stack.protocol import StackNeeds

P = TypeVar("P")
D = TypeVar("D", bound=msgspec.Struct)


@dataclass(frozen=True)
class Seen(Generic[D]):
    """What a run left to be judged: facts, the rehearsal's own details, the evidence. ``ended``: nothing broke.
    ``judgements`` are what was made of it, () before.
    """

    facts: Facts
    details: D
    evidence: Gathered
    ended: bool = True
    judgements: tuple[Judgement, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A figure that two runs can be compared in. ``unit`` is a ``Unit`` or a word; ``higher_is`` says what more of it
    means: "better", "worse" or "". ``gates``: a judgement of the run is about it."""

    name: str
    unit: str
    higher_is: str
    sample: Sample
    gates: bool = False


@functools.cache
def _rules(names: tuple[str, ...], facts: tuple[str, ...]) -> Rules:
    return read([RULES / f"{name}.yaml" for name in names], facts)


def of_all(lacking: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """What is ``lacking`` in any of them where something is in each, else ()."""
    each = tuple(lacking)
    return tuple(sorted({*chain(*each)})) if all(each) else ()


class Rehearsal(ABC, Generic[P, D]):
    """One rehearsal, as a value. All but ``run`` is pure: a stored run is judged again by the same code.

    ``name`` is its name in the registry. ``decides``: its decision is one of the rollout (advance, hold, roll back).
    ``only_looks``: it brings nothing up, and looks at what is there.
    ``plan`` is the type of its plan, as ``plan.json`` keeps it; ``details`` that of its own facts: whatever a judgement
    rests on that is not in the evidence. ``phrases`` declares its facts, each in a sentence; ``ruled_by`` names the
    files of its rules, where it is not that of its own name. ``promised`` are claims that whatever plan promises a
    judgement on.
    """

    name: str
    decides: bool = False
    only_looks: bool = False
    promised: Sequence[str] = ()
    needed: Mapping[str, tuple[Capability, ...]] = {}
    phrases: Mapping[str, str] = {}
    ruled_by: tuple[str, ...] = ()
    plan: type[P]
    details: type[D]

    def title(self, plan: P) -> Message:
        """What the page is headed with: the plan's own title, or its tables'; of one without, the rehearsal says it."""
        titled: Any = getattr(plan, "tables", plan)
        return Message(text=titled.title)

    def claims(self, plan: P) -> Iterable[tuple[str, str]]:
        """The claims that the plan promises a judgement on, each as (part, claim): one that gets none is told.
        Here those ``promised``, and those that the plan names, of the whole run and of its parts."""
        yield from (("", claim) for claim in (*self.promised, *getattr(plan, "claims", ())))
        yield from ((part.name, claim) for part in getattr(plan, "parts", ()) for claim in part.claims)

    def expected(self, plan: P, facts: Facts) -> Iterable[Expected]:
        """Each judgement that the plan asks for of that target in that environment, whatever a run leaves: one that is
        not there is told. Here one on each claim; observations are not asked for."""
        _ = facts
        return [Expected(part, claim, claim) for part, claim in self.claims(plan)]

    def needs(self, plan: P) -> Mapping[str, Iterable[Capability]]:
        """What a part of the plan ("" for the whole run) cannot be exercised without: where the environment lacks it,
        the part's claims are told so, and gate nothing. Here what is ``needed`` for whatever plan."""
        _ = plan
        return self.needed

    def lacking(self, plan: P, capabilities: Collection[str], part: str = "") -> tuple[str, ...]:
        """What ``part`` needs, and an environment with these ``capabilities`` has not."""
        return lacks(self.needs(plan).get(part, ()), capabilities)

    def unable(self, plan: P, capabilities: Collection[str]) -> tuple[str, ...]:
        """What keeps an environment with these ``capabilities`` from running anything of the plan; () if it can."""
        parts = (getattr(each, "name", each) for each in getattr(plan, "parts", ()))
        return self.lacking(plan, capabilities) or of_all(self.lacking(plan, capabilities, each) for each in parts)

    def parts(self, plan: P, seen: Seen[D]) -> Sequence[Part]:
        """The parts of the plan in the page's order; here () for a run that is one."""
        _ = plan, seen
        return ()

    def arrange(self, plan: P, options: Options, manifests: Manifests) -> StackNeeds | None:
        """The stack of a run of ``plan``; ``None``: it goes without one of its own, as here. Pure."""
        _ = plan, options, manifests
        return None

    @abstractmethod
    async def run(self, plan: P, on: Running[D]) -> None:
        """Acts: brings the stack up, puts load on it, does what the plan says, and leaves its facts in ``on.details``
        and in the evidence. It may raise at any moment; the endings, the tear down and the report follow."""

    @property
    def rules(self) -> Rules:
        """What its facts mean. Raises ``BadInput`` for a rule that is wrong."""
        return _rules(self.ruled_by or (self.name,), tuple(self.phrases)) if self.phrases else {}

    def measured(self, plan: P, seen: Seen[D]) -> Iterable[Fact]:
        """The facts of a run, by its plan, its details and its evidence alone."""
        _ = plan, seen
        return ()

    def judge(self, plan: P, seen: Seen[D]) -> Iterable[Judgement]:
        """Everything that the run says of the document's claims, and whatever else was looked at: by the rules."""
        return self.by_rules(plan, seen)

    def by_rules(self, plan: P, seen: Seen[D], part: str | None = None) -> Iterable[Judgement]:
        """What the rules say of the facts of a run, or of one part of it."""
        expected = [each for each in self.expected(plan, seen.facts) if part in (None, each.part)]
        return judged(expected, self.rules, self.measured(plan, seen), plan, seen.facts.capabilities)

    def sections(self, plan: P, seen: Seen[D]) -> Iterable[Section]:
        """What the page of a run that was judged shows besides: tables, charts, lines, as data."""
        _ = plan, seen
        return ()

    def costs(self, plan: P, seen: Seen[D]) -> Iterable[Cost]:
        """What each experiment, deploy or recovery of the run cost of the month's availability; the page says it."""
        _ = plan, seen
        return ()

    def figures(self, plan: P, seen: Seen[D]) -> Iterable[Figure]:
        """The figures that ``compare`` sets beside those of another run, in the same order for every run of a plan."""
        _ = plan, seen
        return ()
