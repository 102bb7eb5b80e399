"""``--on sim`` from the command line: a whole week, and what is refused before anything begins."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from harness.base.data import ROOT
from harness.base.errors import Exit
from harness.cli.main import ALL, main
from harness.model.judgement import Decision, Verdict
from harness.model.stack import EnvironmentKind
from harness.report.published import RESULT, RESULT_JSON
from tests.sim.test_weeks import NOT_HERE

PROCESSES = "invalid choice: 'sim' (choose from auto, local, kind, kube)"


@pytest.mark.process
def test_a_week_advances_and_its_page_says_that_it_is_simulated(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "harness", "run", "rollout_week3", "--on", "sim", "--seed", "7"]
    ran = subprocess.run(
        [*command, "--reports", str(tmp_path)], cwd=ROOT, check=False, capture_output=True, text=True, timeout=200
    )
    assert ran.returncode == Exit.OK, ran.stderr
    lines = ran.stderr.splitlines()
    assert "sim (simulated, in virtual time)" in lines[0]
    assert lines[1] == "replay: python3 -m harness run rollout_week3 --on sim --seed 7"
    assert any("simulated: users, stores, network, time" in line for line in lines[1:]), "it says so at the end, too"
    folder = (tmp_path / "latest").resolve()
    result = RESULT.read(folder / RESULT_JSON)
    assert (result.decision, result.facts.rung, result.facts.leaks) == (Decision.ADVANCE, EnvironmentKind.SIM, ())
    lacking = {each.id: each for each in result.judgements if each.verdict is Verdict.NOT_EXERCISED}
    assert set(lacking) >= NOT_HERE
    assert all(each.reason and not each.gates for each in lacking.values())
    kept = {"evidence.sqlite", "junit.xml", "machine.json", "manifests.json", "plan.json", "report.html", "summary.md"}
    assert {path.name for path in folder.iterdir()} >= kept
    assert not (folder / "spool").exists()
    assert any(line.startswith("not honoured: all but the number of replicas") for line in result.facts.rung_changes)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "simulated" in page and "no evidence for a sign-off" in page


@pytest.mark.parametrize(
    ("words", "says"),
    [
        *(
            ([command], PROCESSES)
            for command in (
                "chaos",
                "chaos_nightly",
                "deploy_rehearsal",
                "load_stages",
                "network",
                "rolling_update",
                "scaling",
                "secret_rotation",
                "zone_loss",
            )
        ),
        (
            ["run", "rollout_week3", "--fault", "pod_crash"],
            "nothing of this can be run here: the environment lacks processes of",
        ),
        (
            ["rollout", "--fault", "pod_crash@10s"],
            "nothing of this can be run here: the environment lacks processes of pods",
        ),
        (["run", "rollout_week3", "--service-port", "8080"], "--service-port and --signals-at-once are of processes"),
        (["run", "rollout_week3", "--load-from", "cluster"], "--load-from cluster needs a cluster, which --on sim has"),
        (["run", "rollout_week3", "--workers", "2"], "--workers is of processes, which --on sim has not"),
        (["run", "rollout_week3", "--target", "true"], "the environment sim cannot run the command true"),
        (["stack", "up"], PROCESSES),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_what_cannot_be_simulated_is_refused_before_anything_begins(
    tmp_path: Path, words: list[str], says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    reports = tmp_path / "reports"
    assert main([*words, "--on", "sim", "--reports", str(reports)]) == Exit.USAGE
    assert says in capfd.readouterr().err
    assert not reports.exists()


def test_sim_is_offered_where_it_runs_and_nowhere_else() -> None:
    """By the declaration of which help, completion, reader and error are made."""
    offered = set()
    for name, entry in ALL.items():
        fields = {each.name: each.metadata["argparse"] for each in dataclasses.fields(entry.load())}
        offered |= {name} if "sim" in fields.get("on", {}).get("choices", ()) else set()
    assert offered == {"run", "rollout", "rollout_one_stack"}
