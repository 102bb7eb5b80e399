"""A command that exercised nothing ends in 10 and says so, whichever it is: each is run with acts that do nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml
from markupsafe import escape

from harness.base.errors import Exit
from harness.cli.main import main
from harness.report.outline import NOTHING_SAID, nothing_exercised
from harness.run.registry import COMMANDS as DECLARED
from harness.run.registry import rehearsal
from tests.rehearsal.made import result_in

NOBODY = Path(__file__).parent / "operations" / "kubeconfig.yaml"
#: Of each command the rehearsal whose acts are left out, and the words that it is called with.
COMMANDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "run": ("rollout_week", ("rollout_week3", "--on", "local")),
    "rollout": ("rollout_week", ("--on", "local", "--weeks", "3")),
    "rollout_one_stack": ("rollout_one_stack", ("--on", "local")),
    "load_stages": ("load_stages", ("--on", "local")),
    "scaling": ("scaling", ("--on", "local")),
    "chaos": ("chaos", ("--on", "local", "--only", "pod_kill")),
    "chaos_nightly": ("chaos", ("--on", "local", "--count", "1")),
    "rolling_update": ("chaos", ("--on", "local")),
    "deploy_rehearsal": ("deploy_rehearsal", ("--on", "local")),
    "conformance": ("conformance", ()),
    "security": ("security", ("--on", "local")),
    "flag_proof": ("flag_proof", ()),
    "migration_drill": ("migration_drill", ()),
    "mirror_stop": ("mirror_stop", ()),
    "cost": ("cost", ()),
    "infrastructure": ("infrastructure", ()),
    "runbooks": ("runbooks", ("--on", "local")),
    "operations": ("operations", ("daily", "--context", "nobody", "--kubeconfig", str(NOBODY))),
    "alert_drill": ("alert_drill", ()),
    "dr_restore": ("dr_restore", ("--on", "local")),
    "soak": ("soak", ("--on", "local", "--for", "1min")),
}


#: Of which the environment local can run nothing.
REFUSED = ("zone_loss", "network", "secret_rotation")


async def nothing(_self: Any, _plan: Any, _on: Any) -> None:
    """In the place of a rehearsal's acts."""


def test_every_command_that_rehearses_is_held_to_it() -> None:
    assert {each.name for each in DECLARED} == {*COMMANDS, *REFUSED}


@pytest.mark.process
@pytest.mark.parametrize("words", [*((each,) for each in REFUSED), ("chaos", "--only", "zone_loss")])
def test_what_cannot_be_run_at_all_is_refused_at_once_and_leaves_no_run(
    words: tuple[str, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reports = tmp_path / "reports"
    assert main([*words, "--on", "local", "--reports", str(reports)]) == Exit.USAGE
    assert "nothing of this can be run here: the environment lacks" in capfd.readouterr().err
    assert not reports.exists()


@pytest.mark.process
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_exercised_nothing_holds_and_says_so(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    name, words = COMMANDS[command]
    monkeypatch.setattr(type(rehearsal(name)), "run", nothing)
    assert main([command, *words, "--reports", str(tmp_path)]) == Exit.HOLD
    folder = (tmp_path / "latest").resolve()
    result = result_in(folder)
    assert result.exit_status == Exit.HOLD
    assert not [each for each in result.judgements if each.exercised and each.verdict.good]
    page, told = (folder / "report.html").read_text(), capfd.readouterr().err
    assert "All passed" not in page and "All passed" not in told
    why = [NOTHING_SAID] if nothing_exercised(result) else [each.reason for each in result.judgements if each.holds]
    assert why and all(str(escape(reason)) in page for reason in why)
    assert any(reason[:60] in told for reason in why)  # a line of the terminal is cut to its columns
    assert "<dd>staging</dd>" in page
    assert ("Production mode and emulators exclude each other" in page) is not result.facts.only_looks
    suite = JUnitXml.fromfile(str(folder / "junit.xml"))
    assert suite.failures + suite.errors >= 1  # skipped cases alone look green to a CI
