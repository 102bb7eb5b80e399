"""The short form the register's modules are written in."""

from __future__ import annotations

from typing import Any

from harness.model.claim import Claim, Consequence, Erratum, Found, Judged, ShownOn, StateFrom

CRITERION = Judged.CRITERION
MEASUREMENT = Judged.MEASUREMENT
MANIFEST = Judged.MANIFEST
PROCEDURE = Judged.PROCEDURE
CALCULATION = Judged.CALCULATION
RECORD = Judged.RECORD

ARITHMETIC, LOCAL, KIND, CLUSTER, REGION, MONTH = (
    ShownOn.ARITHMETIC,
    ShownOn.LOCAL,
    ShownOn.KIND,
    ShownOn.CLUSTER,
    ShownOn.REGION,
    ShownOn.MONTH,
)
DATA_LOST, DATA_EXPOSED, OUTAGE = Consequence.DATA_LOST, Consequence.DATA_EXPOSED, Consequence.OUTAGE
MONEY, WRONG_FIGURE, WORDING = Consequence.MONEY, Consequence.WRONG_FIGURE, Consequence.WORDING
READ, COMPUTED, SEEN = Found.READ, Found.COMPUTED, Found.SEEN


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
    **stated: Any,
) -> Claim:
    """One claim; ``go`` marks a claim about the Go backend's speed or size. ``stated`` are the claim's fields ``says``,
    ``shown_on``, ``phase``, ``consequence``, ``first_sign`` and ``not_rehearsed``."""
    shown_on = ShownOn.PERSON if state_from.person else stated.pop("shown_on", ShownOn.LOCAL)
    return Claim(
        id=claim_id,
        place=place,
        quotation=quotation,
        judged=judged,
        how=how,
        state_from=state_from,
        errata=errata,
        about_go_backend=go,
        shown_on=shown_on,
        **stated,
    )


def wrong(
    erratum_id: str, why: str, correction: str, consequence: Consequence = WORDING, found: Found = READ
) -> Erratum:
    """One erratum: why the claim is false or contradictory, the smallest correction, what follows, how it is known."""
    return Erratum(id=erratum_id, why=why, correction=correction, consequence=consequence, found=found)
