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


class Erratum(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that is false or contradictory as written, and the smallest correction."""

    id: str
    why: str
    correction: str


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
    ``state_from`` says how it comes to a state at sign-off.
    """

    id: str
    place: str
    quotation: str
    judged: Judged
    how: str
    state_from: StateFrom
    errata: tuple[Erratum, ...] = ()
    about_go_backend: bool = False  # not exercised at sign-off on the bundled Python API


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
