"""What a rehearsal is: one value with a plan's type, a details' type, and pure functions from what was seen to what is
said of it. Whoever writes one derives from ``Rehearsal`` and says what is not as it is for most.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import msgspec
import numpy as np

from harness.base.data import CLAIMS
from harness.base.ticks import NS
from harness.checks.as_printed import missing
from harness.evidence.store import Gathered
from harness.model.evidence import Side, Window
from harness.model.judgement import Expected, Judgement, observation
from harness.model.manifests import Manifests, PatchNote
from harness.model.message import Message, gettext_noop, message
from harness.model.result import Part, RunInfo
from harness.model.section import Lines, Section
from harness.model.stack import Capability, EnvironmentKind, lacks
from harness.rules.engine import judged
from harness.rules.ledger import Calls
from harness.rules.objectives.budget import REQUESTS, Spent, line, spent
from harness.rules.rule import Fact, Rules, checked, read
from harness.run.context import RunContext
from harness.run.options import Options
from harness.stack.manifests.layers import NO_REASON
from harness.stack.manifests.unsupported_features import not_honoured_by_processes
from harness.stack.protocol import StackNeeds

# What a result says of its run itself, and of the manifests.

_SIMULATED = gettext_noop("all but the number of replicas (pods are calls within one process, and no controller runs)")


def manifest_facts(manifests: Manifests, rung: EnvironmentKind) -> dict[str, Any]:
    """What every result says of the manifests: the environment, what the layers below a rung's own change, and what
    the rung forced upon them. A person's own patches, which say no reason, are no changes of the rehearsal's.
    """
    below = [patch for patch in manifests.patches if not patch.forced and patch.reason != NO_REASON]
    return {
        "manifests": manifests.folder,
        "environment": _environment(manifests),
        "rung_changes": tuple(_rung_changes(manifests, rung)),
        "manifest_changes": tuple(f"{patch.name}: {patch.reason}" for patch in below),
        "manifest_warnings": manifests.warnings,
        "missing_manifests": missing(manifests.written),
        "repository_errata": manifests.errata,
    }


def _environment(manifests: Manifests) -> str:
    """What the target is told to be."""
    first = manifests.deployment.template.containers[0]
    return next((each.value for each in first.env if each.name == "ENVIRONMENT"), "")


def _rung_changes(manifests: Manifests, rung: EnvironmentKind) -> Iterator[str]:
    """What the rung forced upon the manifests, and what of them it does not honour."""
    if rung is EnvironmentKind.SIM:
        yield f"not honoured: {_SIMULATED}"
        return
    yield from (f"{patch.name}: {patch.reason}" for patch in manifests.patches if patch.forced)
    if rung is EnvironmentKind.LOCAL:
        yield from (f"not honoured: {line}" for line in not_honoured_by_processes(manifests))


class Patched(Protocol):
    """Manifests, or what a rehearsal keeps of them."""

    @property
    def patches(self) -> tuple[PatchNote, ...]:
        """The patches that were applied."""
        ...


def patch_errata(manifests: Patched) -> Iterator[Judgement]:
    """Each erratum that patches mend, as an observation: that the manifests were applied with its patch, and why."""
    seen: dict[str, list[Message]] = {}
    for patch in manifests.patches:
        if patch.erratum:
            why = Message(text=patch.reason)
            why_told = message("the manifests were applied with the patch {name}: {why}", name=patch.name, why=why)
            seen.setdefault(patch.erratum, []).append(why_told)
    for erratum in sorted(seen):
        yield observation(f"patch:{erratum}", tuple(seen[erratum]), erratum=erratum)


# What experiments, deploys and recoveries cost of the month's availability: one section for every page of them.


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What something cost of the budget of 43 minutes, and how often a month it may happen; of a ``part`` of the plan,
    "" of the whole run."""

    title: Message
    said: Message
    part: str = ""


def cost_between(title: Message, evidence: Gathered, start_ns: int, end_ns: int, part: str = "") -> Cost:
    """By the probes due from ``start_ns`` to ``end_ns`` (monotonic)."""
    probes = evidence.ledger.probe_rows_due(Window(start_ns=start_ns, end_ns=end_ns))
    return Cost(title=title, said=line(_spent(probes, (end_ns - start_ns) / NS)), part=part)


def cost_by_requests(title: Message, evidence: Gathered, start_ns: int, end_ns: int, part: str = "") -> Cost:
    """Where there are no probes: by the users' requests to the API due from ``start_ns`` to ``end_ns``, and over the
    time until the last of them: the load may have ended before."""
    requests = evidence.ledger.requests_due(Window(start_ns=start_ns, end_ns=end_ns), Side.API)
    last_ns = int(requests["due_ns"].max()) if len(requests) else start_ns
    return Cost(title=title, said=line(_spent(requests, (last_ns - start_ns) / NS), REQUESTS), part=part)


def _spent(calls: Calls, seconds: float) -> Spent:
    return spent(int(np.count_nonzero(~calls["ok"])), len(calls), seconds)


def cost_sections(costs: Iterable[Cost]) -> Iterator[Section]:
    """A list of them for the whole run and for each part that has any, in their order."""
    by_part: dict[str, list[Cost]] = {}
    for each in costs:
        by_part.setdefault(each.part, []).append(each)
    for part, its in by_part.items():
        lines = tuple(message("{title}: {cost}", title=each.title, cost=each.said) for each in its)
        yield Lines(title=message("What it cost of the month's availability"), lines=lines, part=part)


P = TypeVar("P")
D = TypeVar("D", bound=msgspec.Struct)


@dataclass(frozen=True)
class RunRecord(Generic[D]):
    """What a run left to be judged: facts, the rehearsal's own details, the evidence. ``ended``: nothing broke.
    ``measured`` are its facts and ``judgements`` what was made of them, once they are there.
    """

    facts: RunInfo
    details: D
    evidence: Gathered
    ended: bool = True
    measured: tuple[Fact, ...] | None = None
    judgements: tuple[Judgement, ...] = ()


_rules = functools.cache(read)


def require_complete(lacking: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """What is ``lacking`` in any of them where something is in each, else ()."""
    each = tuple(lacking)
    return tuple(sorted({*chain(*each)})) if all(each) else ()


class Rehearsal(ABC, Generic[P, D]):
    """One rehearsal, as a value. All but ``run`` is pure: a stored run is judged again by the same code.

    ``name`` is its name in the registry. ``decides``: its decision is one of the rollout (advance, hold, roll back).
    ``only_looks``: it brings nothing up, and looks at what is there. ``plan`` is the type of its plan, as ``plan.json``
    keeps it; ``details`` that of its own facts: whatever a judgement rests on that is not in the evidence. ``phrases``
    declares its facts, each in a sentence; ``ruled_by`` names the files of its rules, where it is not that of its own
    name, ``figures`` the bundled plans by whose figures it computes. ``document`` is the folder of the claims that it
    is about, beside which its rules are. ``promised`` are claims that whatever plan promises a judgement on.
    """

    name: str
    decides: bool = False
    only_looks: bool = False
    promised: Sequence[str] = ()
    needed: Mapping[str, tuple[Capability, ...]] = {}
    phrases: Mapping[str, str] = {}
    ruled_by: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    document: Path = CLAIMS
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

    def expected(self, plan: P, facts: RunInfo) -> Iterable[Expected]:
        """Each judgement that the plan asks for of that target in that environment, whatever a run leaves: one that is
        not there is told. Here one on each claim; observations are not asked for."""
        _ = facts
        return [Expected(part, claim, claim) for part, claim in self.claims(plan)]

    def needs(self, plan: P) -> Mapping[str, Iterable[Capability]]:
        """What a part of the plan ("" for the whole run) cannot be exercised without: where the environment lacks it,
        the part's claims are told so, and gate nothing. Here what is ``needed`` for whatever plan."""
        _ = plan
        return self.needed

    def missing_capabilities(self, plan: P, capabilities: Collection[str], part: str = "") -> tuple[str, ...]:
        """What ``part`` needs, and an environment with these ``capabilities`` has not."""
        return lacks(self.needs(plan).get(part, ()), capabilities)

    def unable(self, plan: P, capabilities: Collection[str]) -> tuple[str, ...]:
        """What keeps an environment with these ``capabilities`` from running anything of the plan; () if it can."""
        parts = (getattr(each, "name", each) for each in getattr(plan, "parts", ()))
        return self.missing_capabilities(plan, capabilities) or require_complete(
            self.missing_capabilities(plan, capabilities, each) for each in parts
        )

    def parts(self, plan: P, seen: RunRecord[D]) -> Sequence[Part]:
        """The parts of the plan in the page's order; here () for a run that is one."""
        _ = plan, seen
        return ()

    def stack_spec(self, plan: P, options: Options, manifests: Manifests) -> StackNeeds | None:
        """The stack of a run of ``plan``; ``None``: it goes without one of its own, as here. Pure."""
        _ = plan, options, manifests
        return None

    @abstractmethod
    async def run(self, plan: P, on: RunContext[D]) -> None:
        """Acts: brings the stack up, puts load on it, does what the plan says, and leaves its facts in ``on.details``
        and in the evidence. It may raise at any moment; the endings, the tear down and the report follow."""

    @property
    def rule_files(self) -> tuple[Path, ...]:
        """Where its rules are: in the folder ``rules`` beside the claims of its document."""
        names = (self.ruled_by or (self.name,)) if self.phrases or self.ruled_by else ()
        return tuple(self.document.with_name("rules") / f"{name}.yaml" for name in names)

    @property
    def rules(self) -> Rules:
        """What its facts mean. Raises ``BadInput`` for a rule that is wrong."""
        return _rules(self.rule_files, tuple(self.phrases))

    def measured(self, plan: P, seen: RunRecord[D]) -> Iterable[Fact]:
        """The facts of a run, by its plan, its details and its evidence alone."""
        _ = plan, seen
        return ()

    def checks(self, plan: P, seen: RunRecord[D]) -> Iterable[Judgement]:
        """The words of those who checked the whole run, each outside what it checked; here nobody did."""
        _ = plan, seen
        return ()

    def facts_of(self, plan: P, seen: RunRecord[D], *, whole: bool = True) -> Iterable[Fact]:
        """The record's facts, measured now where it has none yet: of the ``whole`` run with the words of its checks."""
        if seen.measured is not None:
            return seen.measured
        found = self.measured(plan, seen)
        return chain(found, map(checked, self.checks(plan, seen))) if whole else found

    def by_rules(self, plan: P, seen: RunRecord[D], part: str | None = None) -> Iterable[Judgement]:
        """Everything that the rules say of the facts of a run, or of one part of it: of the document's claims, and of
        whatever else was looked at."""
        expected = [each for each in self.expected(plan, seen.facts) if part in (None, each.part)]
        facts = self.facts_of(plan, seen, whole=part is None)
        found = judged(expected, self.rules, facts, plan, seen.facts.capabilities)
        return (self.completed(plan, seen, each) for each in found if part in (None, each.part))

    def completed(self, plan: P, seen: RunRecord[D], found: Judgement) -> Judgement:
        """What the rules ``found``, with what the rehearsal says beside it; here it stands as it is."""
        _ = plan, seen
        return found

    def sections(self, plan: P, seen: RunRecord[D]) -> Iterable[Section]:
        """What the page of a run that was judged shows besides: tables, charts, lines, as data."""
        _ = plan, seen
        return ()

    def costs(self, plan: P, seen: RunRecord[D]) -> Iterable[Cost]:
        """What each experiment, deploy or recovery of the run cost of the month's availability; the page says it."""
        _ = plan, seen
        return ()
