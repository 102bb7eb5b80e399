"""The short form the register's modules are written in."""

from __future__ import annotations

from harness.model.claim import Claim, Erratum, Judged, StateFrom

CRITERION = Judged.CRITERION
MEASUREMENT = Judged.MEASUREMENT
MANIFEST = Judged.MANIFEST
PROCEDURE = Judged.PROCEDURE
CALCULATION = Judged.CALCULATION
RECORD = Judged.RECORD


def judged_by(*commands: str, whole_in: str = "", unmeasured: str = "") -> StateFrom:
    """The state comes from the results of these commands; ``--only`` of ``whole_in`` judges the claim whole, and so
    does a run that asks for less by the options ``unmeasured``."""
    return StateFrom(commands=commands, whole_in=(whole_in,) if whole_in else (), unmeasured=tuple(unmeasured.split()))


def person(*facts: str) -> StateFrom:
    """The state is a person's to decide; the verdicts on the claims ``facts`` bear on it."""
    return StateFrom(person=True, facts=facts)


def promise(  # noqa: PLR0917 - the columns of a table, in one order everywhere
    claim_id: str,
    place: str,
    quotation: str,
    judged: Judged,
    state_from: StateFrom,
    how: str,
    *errata: Erratum,
    go: bool = False,
) -> Claim:
    """One claim; ``go`` marks a claim about the Go backend's speed or size."""
    return Claim(
        id=claim_id,
        place=place,
        quotation=quotation,
        judged=judged,
        how=how,
        state_from=state_from,
        errata=errata,
        about_go_backend=go,
    )


def wrong(erratum_id: str, why: str, correction: str) -> Erratum:
    """One erratum: why the claim is false or contradictory, and the smallest correction."""
    return Erratum(id=erratum_id, why=why, correction=correction)
