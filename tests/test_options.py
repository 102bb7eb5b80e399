"""The command line: what is refused, with which status, and the replay command."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from harness.base.data import SCENARIOS
from harness.base.errors import SEVERITY, BadInput, Exit, more_severe
from harness.cli.main import main
from harness.model.stack import Fault, FaultKind
from harness.rehearsals.rollout.command import RunCommand, fault, faults
from harness.run.command import parse
from harness.run.scenarios.load import load, with_options


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("errors=12%", Fault(kind=FaultKind.ERRORS, share=0.12)),
        ("errors=12%@30s", Fault(kind=FaultKind.ERRORS, share=0.12, after_s=30)),
        ("latency=600ms", Fault(kind=FaultKind.LATENCY, delay_ms=600)),
        ("latency=600ms:10%@1min", Fault(kind=FaultKind.LATENCY, delay_ms=600, share=0.1, after_s=60)),
        ("unavailable", Fault(kind=FaultKind.UNAVAILABLE)),
        ("errors=12%@30s+20s", Fault(kind=FaultKind.ERRORS, share=0.12, after_s=30, for_s=20)),
        ("unavailable@0s+5s", Fault(kind=FaultKind.UNAVAILABLE, for_s=5)),
        ("pod_crash@5s", Fault(kind=FaultKind.POD_CRASH, after_s=5)),
    ],
)
def test_reads_a_fault(text: str, plan: Fault) -> None:
    assert fault(text) == plan


@pytest.mark.parametrize(
    "text",
    [
        "",
        "errors=12",
        "error=12%",
        "latency=10%",
        "latency",
        "errors=12%@later",
        "errors=120%",
        "errors=12%@1s+",
        "errors=12%@+",
    ],
)
def test_refuses_a_fault_and_shows_the_forms(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        fault(text)
    assert "errors=12%" in caught.value.remedy


@pytest.mark.parametrize("name", ["walks.isolation", "measurement", "faults", "judged_then"])
def test_a_criterion_that_is_called_as_a_check_is_refused_before_any_stack(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = (SCENARIOS / "rollout_week3.yaml").read_text().replace("id: success.availability", f"id: {name}")
    text = text.replace("limit_from: success.availability", f"limit_from: {name}")
    (tmp_path / "ours.yaml").write_text(text)
    assert main(["run", str(tmp_path / "ours.yaml"), "--on", "local"]) == Exit.USAGE
    assert f"{name!r} is a check of every week" in capfd.readouterr().err


def test_so_is_one_that_is_called_as_a_claim_which_a_week_judges_by_itself(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """All that a week had judged was lost: it was judged twice."""
    text = (SCENARIOS / "rollout_week4.yaml").read_text()
    ours = "id: slo.availability, claim: slo.availability, kind: success"
    more = f"- {{{ours}, metric: availability, comparison: '>', threshold: 99.9%}}"
    (tmp_path / "ours.yaml").write_text(text.replace("criteria:\n", f"criteria:\n{more}\n"))
    assert main(["run", str(tmp_path / "ours.yaml"), "--on", "local"]) == Exit.USAGE
    assert "'slo.availability' is a check of every week" in capfd.readouterr().err


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "required"),
        (["fly"], "'fly' is no command"),
        (["flag_prof", "--help"], "'flag_prof' is no command; did you mean 'flag_proof'?"),
        (["stack", "upp"], "'stack upp' is no command; did you mean 'stack up'?"),
        (["rollout_week3", "--help"], "'rollout_week3' is no command; did you mean 'run rollout_week3'?"),
        (["run"], "required"),
        (["run", "rollout_week33"], "rollout_week3"),
        (["run", "rollout_week3", "--window", "120"], "120"),
        (["run", "rollout_week3", "--window", "12 parsecs"], "parsecs"),
        (["run", "rollout_week3", "--pace", "0s"], "pace"),
        *(
            ([*command, "--pace", "1ms"], "--pace: a pace of 0.001 s is not within 0.1 s..24 h")
            for command in (["run", "rollout_week3"], ["rollout"], ["chaos"], ["rolling_update"], ["deploy_rehearsal"])
        ),
        (["run", "rollout_week3", "--on", "sim", "--pace", "2s"], "send 250/s, more than 200/s"),
        (["rolling_update", "--times", "101"], "100"),
        (["run", "rollout_week3", "--seed", "x"], "seed"),
        (["run", "rollout_week3", "--fault", "errors=12"], "percentage"),
        (["run", "rollout_week3", "--fault", "errors=12%@10min"], "600 s into a window of 120 s"),
        (["run", "rollout_week3", "--fault", "errors=12%@120s"], "120 s into a window of 120 s"),
        (["run", "rollout_week3", "--fault", "errors=12%@100s+21s"], "ends 121 s into a window of 120 s"),
        (["run", "rollout_week3", "--fault", "pod_kill"], "is an experiment"),
        (["run", "rollout_week3", "--window", "60s", "--fault", "errors=12%@90s"], "make the window longer"),
        (["rollout", "--fault", "errors=12%@200s"], "200 s into a window of 120 s"),  # week 2's
        *(
            ([command, "--fault", "errors=12%"], "--fault is an option of: run, rollout")
            for command in (
                "chaos",
                "chaos_nightly",
                "rolling_update",
                "deploy_rehearsal",
                "load_stages",
                "scaling",
                "zone_loss",
                "network",
                "secret_rotation",
            )
        ),
        (["stack", "up", "--fault", "errors=12%"], "unrecognized arguments: --fault"),
        (["run", "rollout_week3", "--service-port", "80"], "1024"),
        (["run", "rollout_week3", "--unknown"], "unknown"),
        (["run", "/no/such/scenario.yaml"], "/no/such/scenario.yaml"),
    ],
)
def test_bad_usage_ends_in_2_and_names_the_place(
    arguments: list[str], says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == Exit.USAGE
    assert says in capfd.readouterr().err


def test_a_fault_may_begin_until_the_windows_end() -> None:
    of = load("rollout_week3")
    assert [plan.after_s for plan in faults(["errors=12%@119.9s", "errors=12%"], of)] == [119.9, 0]


def test_the_scenario_s_own_faults_come_first_and_must_lie_in_the_window_as_well() -> None:
    own = Fault(kind=FaultKind.LATENCY, delay_ms=600, after_s=30)
    of = msgspec.structs.replace(load("rollout_week3"), faults=(own,))
    assert faults(["errors=12%"], of) == (own, Fault(kind=FaultKind.ERRORS, share=0.12))
    with pytest.raises(BadInput, match="begins 30 s into a window of 20 s") as caught:
        faults([], with_options(of, window_s=20))
    assert "faults[0] (latency" in caught.value.what


def test_signals_at_once_is_asked_for_and_replayed() -> None:
    plain, racing = (
        parse(RunCommand, ["rollout_week3", "--on", "local", *words]).resolved()
        for words in ([], ["--signals-at-once"])
    )
    assert (plain.signals_at_once, racing.signals_at_once) == (False, True)
    assert racing.replay == f"{plain.replay} --signals-at-once"


@pytest.mark.parametrize("rehearsal", ["load_stages", "run rollout_week3", "rollout"])
def test_load_from_the_cluster_takes_one(rehearsal: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*rehearsal.split(), "--on", "local", "--load-from", "cluster"]) == Exit.USAGE
    said = capfd.readouterr().err
    assert "--load-from cluster needs a cluster, which --on local has not" in said
    assert "use --on kind or --on kube" in said


def test_load_from_the_cluster_would_pass_by_the_fault_proxy(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["--on", "kind", "--load-from", "cluster", "--fault", "errors=12%", "--reports", str(tmp_path / "reports")]
    assert main(["run", "rollout_week3", *words]) == Exit.USAGE
    assert "passes by faults that are put in front of it" in capfd.readouterr().err
    assert not (tmp_path / "reports").exists()


def test_load_from_the_cluster_is_asked_for_and_replayed() -> None:
    words = ["rollout_week3", "--on", "kind", "--load-from", "cluster", "--workers", "2"]
    found = parse(RunCommand, words).resolved()
    assert (found.load_from_cluster, found.workers) == (True, 2)
    assert found.replay.endswith("--on kind --seed 1 --load-from cluster --workers 2")


def test_help_ends_in_0() -> None:
    assert main(["--help"]) == Exit.OK


def test_the_more_severe_outcome_wins() -> None:
    assert more_severe(Exit.HOLD, Exit.LEAK, Exit.ROLLED_BACK) is Exit.LEAK
    assert more_severe() is Exit.OK
    assert [int(status) for status in SEVERITY] == [130, 41, 40, 31, 30, 2, 20, 10, 0]


@pytest.mark.process
def test_a_reports_folder_that_cannot_be_written_is_2_before_anything_starts(tmp_path: Path) -> None:
    blocker = tmp_path / "reports"
    blocker.write_text("a file where the folder should be")  # root may write anywhere, so permissions prove nothing
    command = [sys.executable, "-m", "harness", "run", "rollout_week3", "--on", "local", "--reports", str(blocker)]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert result.returncode == Exit.USAGE, result.stderr
    assert str(blocker) in result.stderr
    assert "--reports" in result.stderr


@pytest.mark.process
def test_the_first_line_holds_seed_rung_and_replay(tmp_path: Path) -> None:
    blocker = tmp_path / "reports"
    blocker.write_text("")
    words = [
        "rollout_week3",
        "--on",
        "local",
        "--seed",
        "7",
        "--window",
        "60s",
        "--fault",
        "errors=12%",
        "--reports",
        str(blocker),
    ]
    result = subprocess.run(
        [sys.executable, "-m", "harness", "run", *words], check=False, capture_output=True, text=True, timeout=60
    )
    first, again, *_ = result.stderr.splitlines()
    assert first == "Week 3: half of the users on the API · local · bundled walk API (Python) · seed 7"
    replay = shlex.split(again.removeprefix("replay: "))
    assert replay[:5] == ["python3", "-m", "harness", "run", "rollout_week3"]
    assert {"--seed", "7", "--window", "60s", "--fault", "errors=12%"} <= set(replay)
