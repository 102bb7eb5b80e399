"""Each check that ran as a judgement, and what of the checks asked for did not run. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.contract import judged as contract
from harness.model.judgement import Judgement
from harness.model.message import message
from harness.rehearsals.conformance.checks import ALL
from harness.rehearsals.conformance.types import ConformanceDetails, ConformancePlan

#: The claim that checks of a group are the verdict on.
_CLAIM = {
    "log": "logging.structured",
    "postgres": "related.schema",
    **dict.fromkeys(("walks", "upsert", "listing"), "related.api"),
}


def judged(plan: ConformancePlan, details: ConformanceDetails, asked: Sequence[str]) -> Iterator[Judgement]:
    """The checks, ``asked`` of which by id were to be made, and what was drawn from the OpenAPI file."""
    yield from contract.judged(details.checks, asked, ALL, _CLAIM)
    if plan.fuzz_s and details.fuzz is None:
        yield contract.not_made("fuzz", message("no requests were drawn from the OpenAPI file"))
