"""The checks that a plan asks for, and the facts of those that were made. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.contract import facts as contract
from harness.checks.contract.check import chosen
from harness.model.judgement import Expected
from harness.rehearsals.conformance.checks import ALL
from harness.rehearsals.conformance.fuzz import SENTENCES
from harness.rehearsals.conformance.types import ConformanceDetails, ConformancePlan
from harness.rules.rule import Fact

#: The claim that checks of a group are the verdict on.
_CLAIM = {"log": "logging.structured", "openapi": "related.api"}


def expected(plan: ConformancePlan) -> list[Expected]:
    """The checks, in the order in which people read them, and what is drawn from the OpenAPI file."""
    drawn = SENTENCES if plan.fuzz_s else ()
    return contract.expected((*(check.id for check in chosen(ALL, plan.only)), *drawn), _CLAIM)


def facts(details: ConformanceDetails) -> Iterator[Fact]:
    """Of each check that was made, those of the team's OpenAPI file among them, which no plan knows."""
    for run in details.checks:
        yield contract.deviations(run, _CLAIM.get(run.id.partition(".")[0], ""))
