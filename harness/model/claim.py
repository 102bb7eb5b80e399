"""A claim: one promise of the design document (``scenarios/claims.py`` is their register), or of a team's own."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.model.message import marked


class Judged(StrEnum):
    """How a claim is judged, in the word that reports say, too."""

    CRITERION = marked("criterion")  # a criterion of a scenario, on evidence
    MEASUREMENT = marked("measurement")  # a figure measured by a run and compared
    MANIFEST = marked("manifest")  # read off the manifests
    PROCEDURE = marked("procedure")  # the written steps are run as written
    CALCULATION = marked("calculation")  # recomputed from measured inputs (costs)
    RECORD = marked("record")  # a person decides; the rehearsal gathers what they need


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

    id: str
    why: str
    correction: str
    consequence: Consequence = Consequence.WORDING
    found: Found = Found.READ


class StateFrom(msgspec.Struct, frozen=True, kw_only=True):
    """Where a claim's state on the sign-off page comes from: results of ``commands`` hold a verdict under its id; or a
    ``person`` decides, on whose decision the verdicts on the claims ``facts`` bear. ``whole_in`` are names of
    ``--only`` of a plan without parts, each of which judges all of it; ``unmeasured`` are options that ask for less of
    what the document names no amount of: all of it is judged as well.
    """

    commands: tuple[str, ...] = ()
    whole_in: tuple[str, ...] = ()
    unmeasured: tuple[str, ...] = ()
    person: bool = False
    facts: tuple[str, ...] = ()


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One promise of the document.

    ``id`` is dotted and stable (``rollout.week3.success.availability``); ``place`` is the heading path and the kind
    and number of the block below it (``段階的ロールアウト計画/table 1/row 3``); ``quotation`` is short and Japanese.
    ``says`` is the same in plain English. ``state_from`` says how it comes to a state at sign-off, ``shown_on`` where
    at least. ``phase`` is the document's, ``consequence`` what follows if the promise is not kept. ``first_sign`` is
    the figure or the alarm that tells first, of what only GKE, Cloud SQL or a month can show. ``not_rehearsed`` is why
    no run could refute it and no person would miss it, "" of all others.
    """

    id: str
    place: str
    quotation: str
    judged: Judged
    how: str
    state_from: StateFrom
    errata: tuple[Erratum, ...] = ()
    about_go_backend: bool = False  # not exercised at sign-off on the bundled Python API
    says: str = ""
    shown_on: ShownOn = ShownOn.LOCAL
    phase: int = 2
    consequence: Consequence = Consequence.WORDING
    first_sign: str = ""
    not_rehearsed: str = ""


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
