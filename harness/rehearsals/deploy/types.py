"""Rehearsal of a deploy: the plan as data, and what a run saw of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from harness.base.units import ReadBy, Seconds
from harness.model.command import Ran
from harness.model.judgement import Judgement
from harness.model.message import Message
from harness.model.scenario import Criterion, Scenario
from harness.model.stack import Version
from harness.rules.register import ClaimOrErratumId


class DeployPartKind(StrEnum):
    """What a part does; all by ``set image``, ``rollout status`` and ``rollout undo``."""

    RELEASE = "release"  # a good version; with ``expand``, the schema changed before it
    NEVER_READY = "never_ready"  # status fails, then undo
    BREAKS_LIMIT = "breaks_limit"  # becomes ready, and the judge has it undone
    BREAKING_SCHEMA = "breaking_schema"  # the schema changed so that the old version cannot live with it


class DeployPart(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the plan. Times in seconds.

    ``graceful``: with the component ``graceful``, else with the manifests as they are. ``status_s`` is the timeout of
    ``rollout status``; ``watch_s`` bounds how long a limit is waited for; ``within_s`` from the first bad answer to the
    last. Fewer than ``least_calls`` requests and probes cannot tell: a release is rolled
    out again until so many were due. ``expand``, ``breaking`` and ``back`` are SQL,
    run as the application's own user.
    """

    name: str
    kind: DeployPartKind
    title: str
    claims: tuple[ClaimOrErratumId, ...]
    version: Version
    graceful: bool = False
    least_calls: int = 300
    status_s: Seconds = 180.0
    watch_s: Annotated[Seconds, ReadBy((DeployPartKind.BREAKS_LIMIT, DeployPartKind.BREAKING_SCHEMA))] = 120.0
    within_s: Annotated[Seconds, ReadBy((DeployPartKind.BREAKS_LIMIT,))] = 60.0
    expand: Annotated[str, ReadBy((DeployPartKind.RELEASE,))] = ""
    breaking: Annotated[str, ReadBy((DeployPartKind.BREAKING_SCHEMA,))] = ""
    back: Annotated[str, ReadBy((DeployPartKind.BREAKING_SCHEMA,))] = ""
    written_by: Annotated[str, ReadBy((DeployPartKind.RELEASE,))] = ""

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a breaking schema that nothing breaks, or nothing takes back."""
        if self.kind is DeployPartKind.BREAKING_SCHEMA and not (self.breaking and self.back):
            raise ValueError(f"{self.name}: a breaking schema needs `breaking` and `back`")

    @property
    def least_calls_after(self) -> int:
        """A third is enough where users are looked at for a while only."""
        return self.least_calls // 3

    @property
    def corrected(self) -> str:
        """What the document does not print: the component, or the undo of a bad version, which is our command."""
        undo = "undo" if self.kind in (DeployPartKind.NEVER_READY, DeployPartKind.BREAKS_LIMIT) else ""
        return "graceful" if self.graceful else undo


class DeployPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The parts in their order; ``limits`` are the rollback criteria that a version may not break. ``scenario`` has
    the users and probes that are on the stack meanwhile."""

    name: str
    title: str
    limits: tuple[Criterion, ...]
    parts: tuple[DeployPart, ...]
    scenario: Scenario


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """A part that was followed. Times are monotonic ns, ``None`` for what was not come to.

    ``manifests`` is the name of those that were applied, ``replicas`` and ``surge`` are theirs. ``begun_ns`` is when
    the part began, ``since_ns`` when its first command did, ``end_ns`` when it was over. ``not_steady`` is why there
    was no steady state to begin with, ``not_applicable`` why its schema is none for the target, in PostgreSQL's words.
    ``looked_ns`` is until when users count, ``pods_ns`` until when pods do; ``waited_ns`` until when nobody undid a
    rollout that had failed. Of a limit that was broken: ``fired``, as the judge had it at the time, ``undo_ns`` and
    ``done_ns`` of the undo, ``gone_ns`` when no pod of the version was left; of a schema taken back: ``back_ns`` and
    ``mended_ns``, from when on nothing may fail. ``written`` counts the rows of a new column by pod; ``statements`` are
    the SQL that was run.
    """

    name: str
    manifests: str
    replicas: int
    surge: int
    begun_ns: int
    since_ns: int = 0
    end_ns: int = 0
    not_steady: Message | None = None
    not_applicable: str = ""
    ran: tuple[Ran, ...] = ()
    statements: tuple[str, ...] = ()
    written: dict[str, int] | None = None
    looked_ns: int | None = None
    pods_ns: int | None = None
    waited_ns: int | None = None
    fired: Judgement | None = None
    undo_ns: int | None = None
    done_ns: int | None = None
    gone_ns: int | None = None
    back_ns: int | None = None
    mended_ns: int | None = None


class DeployDetails(msgspec.Struct, kw_only=True):
    """What a run saw: when the load began (monotonic ns), the versions that could be made, the parts in their order."""

    origin_ns: int | None = None
    versions: tuple[str, ...] | None = None
    followed: list[Followed] = []
