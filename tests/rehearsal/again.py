"""A stored run judged and drawn again, from its folder alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.evidence.gathered import stored
from harness.rehearsal.conclude import details_of, judged, sections
from harness.rehearsal.rehearsal import Rehearsal, Seen
from harness.report.published import RESULT

D = TypeVar("D", bound=msgspec.Struct)


def judged_again(rehearsal: Rehearsal[Any, D], plan: type[Any], folder: Path) -> D:
    """Its details; asserts that judgements and sections come out as they were stored."""
    result = RESULT.read(folder / "result.json")
    details: D = details_of(rehearsal, result)
    typed = msgspec.json.decode((folder / "plan.json").read_bytes(), type=plan)
    seen = Seen(facts=result.facts, details=details, evidence=stored(folder), ended=not result.facts.errors)
    assert judged(rehearsal, typed, seen) == result.judgements
    assert sections(rehearsal, typed, replace(seen, judgements=result.judgements)) == result.sections
    return details
