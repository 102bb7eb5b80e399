"""``result.json``: the one published document of every command that rehearses.

Its JSON Schema is ``harness/report/result.schema.json``.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from harness.base.clock import Anchor
from harness.base.errors import Exit
from harness.base.units import Unit
from harness.model.claim import Dependency, OwnClaim
from harness.model.judgement import Decision, Judgement
from harness.model.manifests import ManifestWarning, RepositoryErratum
from harness.model.message import Message, Told
from harness.model.section import Section
from harness.model.stack import EnvironmentKind

SCHEMA_VERSION = 1


class RunInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run was, however it ended. ``timings`` are seconds by name; ``leaks`` what was left on the machine;
    ``errors`` what broke, and ``errors_told`` the same for any language; ``versions`` those of its own parts, by name.

    ``keeps`` is what the target's file says of its answers (``Target``), ``None`` of a harness that did not read them
    whole.
    ``rests_on`` is what else its evidence rests on: digests, and the cluster's version; ``took_s`` how long it took.
    ``target_digest`` is of its program or image, ``environment`` what it is told to be ("staging"), ``harness_digest``
    of the code that made the evidence and judged it, "" of a run that does not say.
    ``manifest_changes`` is what the rehearsal changes in the document's manifests on every rung, ``rung_changes`` what
    the rung forced upon them besides, each "name: reason"; ``missing_manifests`` are kinds that Phase 2 requires.
    ``only_looks``: nothing was brought up or applied, and what was looked at is somebody's own.

    What keeps it from being the bundled plan, whole and undisturbed: ``only`` are the names to which it was narrowed,
    ``own`` the options that ask for another plan or other limits, ``smaller`` the options and the keys of its file,
    with their values, that make it smaller or faster than the document's plan, ``in_place`` the options by which it
    judged something of a team's own that the target's digest does not tell, ``injected`` the faults of the plan.
    """

    rung: EnvironmentKind
    target: str
    target_bundled: bool
    keeps: dict[str, int] | None = None
    target_digest: str = ""
    harness_digest: str = ""
    rests_on: dict[Dependency, str] = {}
    took_s: float = 0.0
    seed: int
    replay: str
    started_utc: str
    anchor: Anchor
    manifests: str = ""
    environment: str = ""
    capabilities: tuple[str, ...] = ()
    only_looks: bool = False
    only: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    smaller: tuple[str, ...] = ()
    in_place: tuple[str, ...] = ()
    injected: Told = ()
    versions: dict[str, str] = {}
    timings: dict[str, float] = {}
    leaks: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    errors_told: Told = ()
    rung_changes: tuple[str, ...] = ()
    manifest_changes: tuple[str, ...] = ()
    manifest_warnings: tuple[ManifestWarning, ...] = ()
    missing_manifests: tuple[str, ...] = ()
    repository_errata: tuple[RepositoryErratum, ...] = ()

    @property
    def own_manifests(self) -> bool:
        """Whether a team's own manifests were applied in the place of the bundled ones."""
        return any(each.startswith("--manifests ") for each in self.in_place)


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of the plan: judgements and sections name it; ``seconds`` is how long it took. ``corrected`` names what it
    was made with in place of what the document prints, "" where it is as printed: a pass in it shows the correction.
    """

    name: str
    title: Message
    seconds: float = 0.0
    corrected: str = ""


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a sequence; ``folder`` is the name of one in the parent's, "" when no run came about."""

    part: str
    run_id: str
    folder: Annotated[str, msgspec.Meta(pattern=r"^(?!\.{1,2}$)[^/\n]*$")]
    decision: Decision | None
    exit_status: int


class MeasuredFact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was measured in ``part`` ("" for the whole run); ``case`` tells it from others of its ``name``.

    ``seen`` is the figure as read, in ``unit``. The truth lies from ``low`` to ``high``: both are ``None`` for a single
    reading, and one alone where nothing bounds the other side. ``of`` is the number of samples. ``told`` says it.
    ``limit`` is what a rule or a criterion holds it to, ``None`` where none does.
    """

    name: str
    told: Told
    part: str = ""
    case: str = ""
    seen: float | None = None
    low: float | None = None
    high: float | None = None
    of: int = 0
    unit: Unit = Unit.NONE
    limit: float | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One finished run.

    ``rehearsal`` is its name in the registry, ``plan`` that of the plan: ``rollout_week`` and ``rollout_week3``.
    ``decides``: the decision is one of the rollout, in the words advance, hold, roll back. It is ``None`` when the run
    broke before it could be judged, ``exit_status`` ``None`` while a sequence is under way. ``details`` are the
    rehearsal's own facts, from which, with plan and evidence, the run can be judged again. ``own_claims`` are those of
    the team's own document that the plan brought; the register's are known by their ids. ``evidence_digest`` is of the
    rows of its evidence (``harness.evidence.store.summed``), "" of a run that has none, or has not ended.
    ``measured`` are the facts that its judgements rest on, () of a result of before they were kept.
    """

    schema_version: int = SCHEMA_VERSION
    rehearsal: str
    plan: str
    title: Message
    run_id: str
    decides: bool
    decision: Decision | None
    exit_status: int | None
    facts: RunInfo
    parts: tuple[Part, ...]
    judgements: tuple[Judgement, ...]
    measured: tuple[MeasuredFact, ...] = ()
    sections: tuple[Section, ...]
    children: tuple[Child, ...] = ()
    details: dict[str, Any] = {}
    own_claims: tuple[OwnClaim, ...] = ()
    evidence_digest: str = ""

    @property
    def status(self) -> Exit:
        """What the run ended in; an internal error where it did not report."""
        return Exit.INTERNAL if self.exit_status is None else Exit(self.exit_status)

    @property
    def exercised(self) -> bool:
        """Whether anything was judged beside the checks that are looked at whatever is done."""
        return any(each.exercised for each in self.judgements)
