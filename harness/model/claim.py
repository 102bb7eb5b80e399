"""A claim: one promise of the design document (``scenarios/claims`` is their register), or of a team's own."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from harness.base.planfile import RuleError
from harness.model.message import gettext_noop, message

ClaimName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$(?!\n)",
        description="words of a-z, 0-9 and _, joined by dots",
        examples=["walks.availability"],
    ),
]


class Judged(StrEnum):
    """How a claim is judged, in the word that reports say, too."""

    CRITERION = gettext_noop("criterion")  # a criterion of a scenario, on evidence
    MEASUREMENT = gettext_noop("measurement")  # a figure measured by a run and compared
    MANIFEST = gettext_noop("manifest")  # read off the manifests
    PROCEDURE = gettext_noop("procedure")  # the written steps are run as written
    CALCULATION = gettext_noop("calculation")  # recomputed from measured inputs (costs)
    RECORD = gettext_noop("record")  # a person decides; the rehearsal gathers what they need


class ShownOn(StrEnum):
    """The least environment that proves a claim, in the order of what they prove. ``arithmetic``: files or sums, which
    any run reads. ``cluster`` is the team's own, and serves for ``kind`` too. ``region`` (their cloud's region) and
    ``month`` (as long as the document counts) are nothing that a rehearsal has."""

    ARITHMETIC = "arithmetic"
    LOCAL = "local"
    KIND = "kind"
    CLUSTER = "cluster"
    REGION = "region"
    MONTH = "month"
    PERSON = "person"


class Dependency(StrEnum):
    """What evidence rests on: the program or image, the manifests as they are written, the cluster's version, what the
    document says and prints, and the rules and figures of this repository by which a command computes."""

    PROGRAM = "program"
    MANIFESTS = "manifests"
    CLUSTER = "cluster"
    DOCUMENT = "document"
    RULES = "rules"


_MEASURED = (Dependency.PROGRAM, Dependency.MANIFESTS)
#: What the evidence of a claim rests on that does not say so. Measured figures need no rules: they are judged again.
_USUALLY = {
    ShownOn.ARITHMETIC: (Dependency.DOCUMENT, Dependency.RULES),
    ShownOn.LOCAL: _MEASURED,
    ShownOn.MONTH: _MEASURED,
    ShownOn.PERSON: (),
}


class Consequence(StrEnum):
    """What follows where the document is wrong, or where a promise is not kept: the gravest first."""

    DATA_LOST = "data_lost"
    DATA_EXPOSED = "data_exposed"
    OUTAGE = "outage"
    MONEY = "money"
    WRONG_FIGURE = "wrong_figure"
    WORDING = "wording"

    @property
    def grave(self) -> bool:
        """Whether an erratum of it blocks until the document is corrected or somebody accepts it."""
        return self in (Consequence.DATA_LOST, Consequence.DATA_EXPOSED, Consequence.OUTAGE)

    @property
    def signers(self) -> int:
        """How many people must accept it: two for what loses or exposes people's data."""
        return 2 if self in (Consequence.DATA_LOST, Consequence.DATA_EXPOSED) else 1


class Found(StrEnum):
    """How an erratum is known: ``read`` in a file, ``computed`` from figures, or ``seen`` in a run."""

    READ = "read"
    COMPUTED = "computed"
    SEEN = "seen"


class Erratum(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that is false or contradictory as written, and the smallest correction."""

    id: ClaimName
    why: Annotated[str, msgspec.Meta(examples=["a pod that leaves is still sent requests"])]
    correction: Annotated[str, msgspec.Meta(examples=["add a preStop hook"])]
    consequence: Consequence = Consequence.WORDING
    found: Found = Found.READ


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One promise of the document.

    ``id`` is dotted and stable (``rollout.week3.success.availability``); ``place`` is the heading path and the kind
    and number of the block below it (``段階的ロールアウト計画/table 1/row 3``); ``quotation`` is short and Japanese.
    ``says`` is the same in plain English. ``not_rehearsed`` is why no run could refute it and no person would miss it.

    Its state at sign-off comes from results of the commands ``judged_by``, of at least the environment ``shown_on``;
    or a person decides, who reads the verdicts on the claims ``person_reads``. ``whole_in`` are names of ``--only`` of
    a plan without parts, each of which judges all of it; ``unmeasured`` are options that ask for less of what the
    document names no amount of: all of it is judged as well. ``how`` says what is looked at. ``depends_on`` is what
    its evidence rests on, () for what that of its ``shown_on`` usually does: once it is another, a run shows nothing.

    ``phase`` is the document's, ``consequence`` what follows if the promise is not kept. ``first_sign`` is the figure
    or the alarm that tells first, of what only GKE, Cloud SQL or a month can show. One ``about_go_backend`` is not
    exercised at sign-off on the bundled Python API.
    """

    id: ClaimName
    place: Annotated[str, msgspec.Meta(examples=["段階的ロールアウト計画/table 1/row 3"])]
    quotation: Annotated[str, msgspec.Meta(examples=["稼働率 > 99.5%"])]
    says: str = ""
    not_rehearsed: str = ""
    judged: Judged
    judged_by: tuple[str, ...] = ()
    whole_in: tuple[str, ...] = ()
    unmeasured: tuple[str, ...] = ()
    person_reads: tuple[str, ...] = ()
    shown_on: ShownOn = ShownOn.LOCAL
    depends_on: tuple[Dependency, ...] = ()
    how: Annotated[str, msgspec.Meta(examples=["Read off the HPA that was applied"])]
    phase: int = 2
    consequence: Consequence = Consequence.WORDING
    first_sign: str = ""
    about_go_backend: bool = False
    errata: tuple[Erratum, ...] = ()

    def __post_init__(self) -> None:
        """Raises ``RuleError`` unless a command judges it or a person decides, and not both."""
        if bool(self.judged_by) is self.by_person:
            remedy = message("write `judged_by: [COMMAND]`, or `shown_on: person`")
            raise RuleError(message("either commands judge a claim, or a person decides"), "judged_by", remedy=remedy)
        if self.person_reads and not self.by_person:
            what = message("no person decides it, and nobody reads other claims")
            raise RuleError(what, "person_reads", remedy=message("leave it out, or write `shown_on: person`"))

    @property
    def rests_on(self) -> tuple[Dependency, ...]:
        """What its evidence rests on."""
        return self.depends_on or _USUALLY.get(self.shown_on, (*_MEASURED, Dependency.CLUSTER))

    @property
    def by_person(self) -> bool:
        """Whether a person decides it."""
        return self.shown_on is ShownOn.PERSON


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A claim in words, in both languages of the reports."""

    en: str
    ja: str


class OwnClaim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A claim of a team's own ``document``, which states it in ``section``. ``criterion`` is the same as a criterion in
    one line, "" where it has none of its own.
    """

    id: str
    statement: Statement
    document: str
    section: str
    criterion: str = ""
