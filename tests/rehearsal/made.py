"""What a run left, made by hand: for the pure judges and sections of rehearsals."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.base.clock import Anchor
from harness.base.errors import Exit
from harness.evidence.store import Gathered, stored
from harness.model.evidence import Row
from harness.model.judgement import Judgement
from harness.model.result import Result, RunInfo
from harness.model.stack import Capability, EnvironmentKind
from harness.report.published import RESULT, RESULT_JSON
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.run.result import details_of, judged
from harness.run.runner import PLAN_JSON

D = TypeVar("D", bound=msgspec.Struct)


def facts(**changes: Any) -> RunInfo:
    """Of a run on ``kind`` that had everything."""
    given: dict[str, Any] = {
        "rung": EnvironmentKind.KIND, "target": "bundled", "target_bundled": True, "seed": 1, "replay": "again",
        "started_utc": "2026-01-01T00:00:00Z", "anchor": Anchor(monotonic_ns=0, unix_ns=0),
        "capabilities": tuple(sorted(Capability)),
    }  # fmt: skip
    return RunInfo(**{**given, **changes})


def seen(details: D, rows: Iterable[Row] = (), *, ended: bool = True, **changes: Any) -> RunRecord[D]:
    """``details`` with ``rows`` of evidence."""
    gathered = Gathered()
    gathered.see(rows)
    return RunRecord(facts=facts(**changes), details=details, evidence=gathered, ended=ended)


def result_in(folder: Path) -> Result:
    """A run's result."""
    return RESULT.read(folder / RESULT_JSON)


def judged_again(rehearsal: Rehearsal[Any, Any], folder: Path) -> tuple[Judgement, ...]:
    """The judgements on a stored run, made anew from what lies in its folder."""
    result = result_in(folder)
    plan = msgspec.json.decode((folder / PLAN_JSON).read_bytes(), type=rehearsal.plan)
    details, ended = details_of(rehearsal, result), not result.facts.errors
    return judged(rehearsal, plan, RunRecord(facts=result.facts, details=details, evidence=stored(folder), ended=ended))


def status_of(result: Result) -> Exit:
    """What a whole run's judgements come to: it holds where one of them does, and nowhere else."""
    return Exit.HOLD if any(each.holds for each in result.judgements) else Exit.OK


def by_id(judgements: Iterable[Judgement], part: str | None = None) -> dict[str, Judgement]:
    """Each by its id, those of one part where it is named."""
    return {each.id: each for each in judgements if part is None or each.part == part}
