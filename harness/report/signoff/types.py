"""What the sign-off page says, as data: ``signoff.json``."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from harness.base.units import DAY_S
from harness.model.claim import Consequence, Dependency, Found, ShownOn
from harness.model.judgement import Judgement
from harness.model.message import Message, Told, gettext_noop
from harness.model.result import Result

SCHEMA_VERSION = 2


class ClaimState(StrEnum):
    """Where a claim stands: each has exactly one. A person's acceptance is a stamp beside it (``DecisionEntry``)."""

    SHOWN = "shown"
    FAILED = "failed"
    DOCUMENT_WRONG = "document_wrong"
    NOT_SHOWN = "not_shown"

    @property
    def worse(self) -> int:
        """How bad it is, for an acceptance that is void once the state gets worse: the higher, the worse."""
        return (ClaimState.SHOWN, ClaimState.DOCUMENT_WRONG, ClaimState.NOT_SHOWN, ClaimState.FAILED).index(self)


#: As people read them.
WORD = {
    ClaimState.SHOWN: gettext_noop("shown"),
    ClaimState.FAILED: gettext_noop("failed"),
    ClaimState.DOCUMENT_WRONG: gettext_noop("document wrong"),
    ClaimState.NOT_SHOWN: gettext_noop("not shown"),
}
CONSEQUENCE = {
    Consequence.DATA_LOST: gettext_noop("risk of data loss"),
    Consequence.DATA_EXPOSED: gettext_noop("risk of data exposure"),
    Consequence.OUTAGE: gettext_noop("risk of an outage"),
    Consequence.MONEY: gettext_noop("risk of a wrong cost"),
    Consequence.WRONG_FIGURE: gettext_noop("risk of a wrong figure"),
    Consequence.WORDING: gettext_noop("wording"),
}
#: How an erratum is known.
FOUND = {
    Found.READ: gettext_noop("read in a file"),
    Found.COMPUTED: gettext_noop("computed"),
    Found.SEEN: gettext_noop("seen in a run"),
}


class StoredResult(msgspec.Struct, frozen=True, kw_only=True):
    """A stored result; ``folder`` is the run's, relative to the reports folder. ``lost``: why it cannot be judged again
    by what the run wrote; ``None`` where it was, and its judgements are today's. ``changed``: why what it rests on,
    besides the program, is not today's, of what is not.
    """

    folder: str
    result: Result
    lost: Message | None = None
    changed: Mapping[Dependency, Message] = {}


class EvidenceWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which evidence counts: of the target of this name and one of ``digests`` (none counts where none is known),
    started at most ``max_age_s`` seconds before ``now_utc`` (ISO 8601). The page is about one ``phase`` of the
    document.
    """

    target: str
    now_utc: str
    digests: tuple[str, ...] = ()
    max_age_s: float = 7 * DAY_S
    phase: int = 2


class Evidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A judgement that bears on a claim, of the run in ``folder``, and the state that it alone would give. ``refused``
    says why that is not the verdict's own.
    """

    folder: str
    state: ClaimState
    judgement: Judgement
    refused: Told = ()


class ClaimStanding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A claim, its one state and why. ``evidence`` comes with what decided first; ``held`` of ``tries`` runs kept it.
    ``way`` is the command line that would show it, "" where none can.
    """

    claim: str
    state: ClaimState
    told: Told
    evidence: tuple[Evidence, ...] = ()
    held: int = 0
    tries: int = 0
    way: str = ""


class DecisionEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A decision that people wrote down, of one claim or erratum (``of``). ``place`` is its line in the file. ``void``
    says why it does not count, () where it does; days are ISO 8601."""

    of: str
    by: tuple[str, ...]
    on: str
    because: str
    until: str
    state: ClaimState | None = None
    holds_to: str = ""
    corrected_in: str = ""
    owner: str = ""
    place: str = ""
    void: Told = ()


class Doubt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An erratum of the register: of which claim, how grave, how it is known (``seen``: a run that counts showed it),
    and whether the document was corrected or somebody accepted it."""

    erratum: str
    claim: str
    consequence: Consequence
    found: Found
    seen: bool = False
    closed: bool = False


class Blocker(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What keeps the document from being signed: a claim or an erratum, what follows, why, and what to type."""

    of: str
    consequence: Consequence
    told: Told
    way: str = ""


class FoundRun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run that was found. ``age_s`` is ``None`` where its start cannot be read; ``left_out`` says why nothing of it
    counts, () where it does; ``limits`` what it is no evidence of though it counts. ``broke``: it did not end, or did
    not measure, as it should, so nothing is shown by it.
    """

    folder: str
    run_id: str
    rehearsal: str
    plan: str
    rung: str
    target: str
    target_digest: str
    started_utc: str
    age_s: float | None
    replay: str
    exit_status: int | None
    left_out: Told = ()
    limits: Told = ()
    broke: bool = False


class StateChange(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that stands elsewhere than on the last page."""

    claim: str
    before: ClaimState
    now: ClaimState


class Signoff(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole page. ``blockers`` keep it from being signed, the gravest first. ``accepted`` are the claims and errata
    whose acceptance counts and was needed. ``previous_utc`` is when the last page of the target was made, "" where
    there is none; ``other`` is what else than the evidence was another then. ``unreadable`` are folders whose result
    could not be read.
    """

    schema_version: int = SCHEMA_VERSION
    asked: EvidenceWanted
    blockers: tuple[Blocker, ...]
    standings: tuple[ClaimStanding, ...]
    errata: tuple[Doubt, ...]
    decisions: tuple[DecisionEntry, ...] = ()
    accepted: tuple[str, ...] = ()
    runs: tuple[FoundRun, ...] = ()
    unreadable: tuple[str, ...] = ()
    previous_utc: str = ""
    other: Told = ()
    changes: tuple[StateChange, ...] = ()


#: What a run's rung is, among the environments that prove claims.
RUNGS = {"sim": ShownOn.ARITHMETIC, "local": ShownOn.LOCAL, "kind": ShownOn.KIND, "kube": ShownOn.CLUSTER}
#: The environments that a rehearsal has, the least first.
PROVING = (ShownOn.ARITHMETIC, ShownOn.LOCAL, ShownOn.KIND, ShownOn.CLUSTER)
