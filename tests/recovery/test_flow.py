"""The run of a rehearsal: what killed runs left is removed on every rung, before any part."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.clock import MachineClock
from harness.home import ENVIRONMENT_VARIABLE
from harness.model.errors import Exit
from harness.model.stack import Rung
from harness.progress import Progress
from harness.rehearsals.dr_restore import flow
from harness.rehearsals.dr_restore.flow import Options, Recovery
from harness.rehearsals.dr_restore.plan import load
from harness.rungs import overlay
from harness.targets import resolve


@pytest.mark.process
@pytest.mark.parametrize("rung", [Rung.LOCAL, Rung.KIND])
async def test_what_killed_runs_left_is_swept_as_by_any_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rung: Rung
) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "home"))

    async def sweep(progress: Callable[[str], None]) -> None:
        progress("a container")

    monkeypatch.setattr(flow, "sweep", sweep)
    monkeypatch.setattr(flow, "containers_left", lambda _run_id: [])
    options = Options(
        plan=load(),
        target=resolve(None),
        seed=1,
        reports=tmp_path / "reports",
        manifests=overlay(rung),
        parts=(),
        rung=rung,
    )
    clock, told = MachineClock(), io.StringIO()
    report = await Recovery(options, clock, Progress(clock, told)).run()
    assert "left by a killed run: a container" in told.getvalue()
    assert (report.errors, report.leaks) == ((), ())
    assert report.exit_status == Exit.HOLD  # nothing was judged
