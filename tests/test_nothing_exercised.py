"""A command that exercised nothing ends in 10 and says so, whichever it is: each is run with a flow that does nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from harness.rehearsals.conformance.flow import Conformance
from harness.rehearsals.flag_proof.flow import Proof
from harness.rehearsals.load_stages.flow import LoadStages
from harness.rehearsals.mirror_stop.flow import MirrorStop
from harness.rehearsals.scaling.flow import ScalingRun
from junitparser import JUnitXml

from harness.cli import main, parser
from harness.model.errors import Exit
from harness.progress import Progress
from harness.rehearsals.chaos.flow import ChaosRun
from harness.rehearsals.deploy.flow import DeployRun
from harness.rehearsals.dr_restore.flow import Recovery
from harness.rehearsals.network.flow import NetworkRun
from harness.run import Rehearsal

#: What each command runs, and how its report says that it was nothing. A week and a rollout hold by their decision.
COMMANDS: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    "run": (Rehearsal, ("rollout_week3", "--on", "local")),
    "rollout": (Rehearsal, ("--on", "local", "--weeks", "3")),
    "load_stages": (LoadStages, ("--on", "local")),
    "scaling": (ScalingRun, ("--on", "local")),
    "zone_loss": (ScalingRun, ("--on", "local")),
    "network": (NetworkRun, ("--on", "local")),
    "secret_rotation": (ScalingRun, ("--on", "local")),
    "chaos": (ChaosRun, ("--on", "local", "--only", "pod_kill")),
    "chaos_nightly": (ChaosRun, ("--on", "local", "--count", "1")),
    "rolling_update": (ChaosRun, ("--on", "local")),
    "deploy_rehearsal": (DeployRun, ("--on", "local")),
    "conformance": (Conformance, ()),
    "flag_proof": (Proof, ()),
    "mirror_stop": (MirrorStop, ()),
    "dr_restore": (Recovery, ("--on", "local")),
}
DECIDES = ("run", "rollout")
#: Commands that rehearse nothing, and those whose input is a run that must be there.
OTHERS = {"undo", "reconcile", "judge", "compare", "report", "stack", "doctor"}


async def nothing(run: Any) -> None:
    """In the place of a flow."""
    if getattr(run, "drawn", None):
        await run.clock.sleep(1.1)  # rolling_update has two runs, whose names differ by the second


def test_every_command_that_rehearses_is_held_to_it() -> None:
    commands = next(action for action in parser()._actions if action.dest == "command").choices
    assert commands is not None and set(commands) == set(COMMANDS) | OTHERS


@pytest.mark.process
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_exercised_nothing_holds_and_says_so(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, words = COMMANDS[command]
    lines: list[str] = []
    monkeypatch.setattr(run, "flow", nothing)
    monkeypatch.setattr(Progress, "plain", lambda _self, line: lines.append(line))
    assert main([command, *words, "--reports", str(tmp_path)]) == Exit.HOLD
    told = "\n".join(lines)
    if command in DECIDES:
        assert "decision" in told or "hold" in told
        return
    assert "nothing was exercised" in told
    folder = next(path for path in sorted(tmp_path.iterdir()) if path.is_dir() and not path.is_symlink())
    page = (folder / "report.html").read_text()
    assert "Nothing exercised" in page and "All passed" not in page
    if command != "chaos_nightly":  # its schedules' own pages say so
        assert "<dd>staging</dd>" in page and "Production mode and emulators exclude each other" in page
    [document] = [
        found
        for path in folder.glob("*.json")
        if isinstance(found := json.loads(path.read_bytes()), dict) and "combined" in found
    ]
    assert (document["combined"], document["exit_status"]) == ("nothing_exercised", Exit.HOLD)
    suites = [JUnitXml.fromfile(str(path)) for path in folder.glob("*.xml")]
    assert suites and all(suite.failures >= 1 for suite in suites)  # skipped cases alone look green to a CI
