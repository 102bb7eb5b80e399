"""Each check that ran as a judgement, and those that are asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.contract import judged as contract
from harness.contract.chosen import chosen
from harness.model.expected import Expected
from harness.model.judgement import Judgement
from harness.model.message import message
from harness.rehearsals.conformance.checks import ALL
from harness.rehearsals.conformance.types import ConformanceDetails, ConformancePlan

#: The claim that checks of a group are the verdict on.
_CLAIM = {"log": "logging.structured", "openapi": "related.api"}


def expected(plan: ConformancePlan) -> list[Expected]:
    """The checks that the plan asks for."""
    return contract.expected((check.id for check in chosen(ALL, plan.only)), _CLAIM)


def judged(plan: ConformancePlan, details: ConformanceDetails) -> Iterator[Judgement]:
    """The checks, and what was drawn from the OpenAPI file."""
    yield from contract.judged(details.checks, ALL, _CLAIM)
    if plan.fuzz_s and details.fuzz is None:
        yield contract.not_made("fuzz", message("no requests were drawn from the OpenAPI file"))
