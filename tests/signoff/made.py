"""Stored results made by hand, for the sign-off page."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from harness.base.clock import MachineClock
from harness.evidence.store import EVIDENCE, EvidenceStore, summed
from harness.model.evidence import EventRow
from harness.model.judgement import Judgement, Verdict
from harness.model.message import message
from harness.model.stack import EnvironmentKind
from harness.report.published import RESULT, RESULT_JSON
from harness.report.signoff.types import EvidenceWanted, StoredResult
from tests.rehearsal.made import facts
from tests.report.results import command

NOW, DIGEST = "2026-01-10T00:00:00.000Z", "sha256:1111"
TARGET = "walk-api:v3"
ASKED = EvidenceWanted(target=TARGET, now_utc=NOW, digests=(DIGEST,))


def judgement(claim: str, verdict: Verdict, **more: Any) -> Judgement:
    """A verdict on a claim."""
    gates = verdict is not Verdict.NOT_EXERCISED
    fields = {"id": claim, "claim": claim, "verdict": verdict, "told": (message("as it was seen"),), "gates": gates}
    return Judgement(**{**fields, **more})


def evidence_of(folder: Path, run_id: str) -> None:
    """What a run of that id leaves in ``folder``: two rows that say nothing, and their digest in its result."""
    folder.mkdir(parents=True, exist_ok=True)
    with EvidenceStore(folder / EVIDENCE, run_id, MachineClock().anchor) as store:
        store.append(EventRow(at_ns=at_ns, kind="phase", subject="up", message="") for at_ns in (1, 2))
    if (folder / RESULT_JSON).is_file():
        result = RESULT.read(folder / RESULT_JSON)
        RESULT.write(folder, msgspec.structs.replace(result, evidence_digest=summed(folder / EVIDENCE)[-1]))


def judged_as_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results made by hand have neither plan nor rows of evidence: let today's judges say what they say."""

    def read_stored(folder: str, _: Path) -> Any:
        return SimpleNamespace(result=RESULT.read(Path(folder) / RESULT_JSON), seen=lambda: None)

    monkeypatch.setattr("harness.cli.stored.folder.read_stored", read_stored)
    monkeypatch.setattr("harness.cli.stored.again.judge_again", lambda run, _: run.result.judgements)


def stored(
    folder: str, *judgements: Judgement, rehearsal: str = "scaling", status: int | None = 0, **more: Any
) -> StoredResult:
    """A run of a day ago on a cluster that had everything, of the target that is asked for."""
    given = {
        "target": TARGET, "target_bundled": False, "target_digest": DIGEST, "rung": EnvironmentKind.KIND,
        "started_utc": "2026-01-09T00:00:00.000Z",
    }  # fmt: skip
    run = {"rehearsal": rehearsal, "plan": rehearsal, "run_id": folder, "exit_status": status}
    return StoredResult(folder=folder, result=command(None, *judgements, **run, facts=facts(**{**given, **more})))
