"""A stored run judged and drawn again, from its folder alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from harness.evidence.store import stored
from harness.model.judgement import Judgement
from harness.model.result import Result
from harness.model.section import Section
from harness.report.published import RESULT
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.run.result import details_of, judged, sections, with_facts

D = TypeVar("D", bound=msgspec.Struct)


class Again(NamedTuple, Generic[D]):
    """A stored run's document, and what judge and renderer make of its folder now."""

    result: Result
    details: D
    judgements: tuple[Judgement, ...]
    sections: tuple[Section, ...]


def again(rehearsal: Rehearsal[Any, D], plan: type[Any], folder: Path) -> Again[D]:
    """From the folder alone."""
    result = RESULT.read(folder / "result.json")
    details: D = details_of(rehearsal, result)
    typed = msgspec.json.decode((folder / "plan.json").read_bytes(), type=plan)
    seen = RunRecord(
        facts=result.facts,
        details=details,
        evidence=stored(folder, result.evidence_digest),
        ended=not result.facts.errors,
    )
    seen = with_facts(rehearsal, typed, seen)
    found = judged(rehearsal, typed, seen)
    return Again(result, details, found, sections(rehearsal, typed, replace(seen, judgements=found)))


def judged_again(rehearsal: Rehearsal[Any, D], plan: type[Any], folder: Path) -> D:
    """Its details; asserts that judgements and sections come out as they were stored."""
    now = again(rehearsal, plan, folder)
    assert now.judgements == now.result.judgements
    assert now.sections == now.result.sections
    return now.details
