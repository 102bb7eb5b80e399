"""Nights one after the other, by the command line that the workflow runs: a planted failing seed is replayed first in the
next night, makes one issue, and closes it once it is green."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from night import tell

from tests.night import ROOT
from tests.night.stand_in import Server, serving

pytestmark = pytest.mark.process

#: In the place of the harness: fails with seed 41 while the file ``broken`` is there, and writes its order and a JUnit.
REHEARSAL = """
import pathlib, sys
seed = sys.argv[sys.argv.index("--seed") + 1]
with open("order", "a") as order: order.write(seed + "\\n")
report = pathlib.Path("reports/run-" + seed); report.mkdir(parents=True, exist_ok=True)
bad = seed == "41" and pathlib.Path("broken").exists()
case = '<testcase name="week">' + ("<failure/>" if bad else "") + "</testcase>"
(report / "junit.xml").write_text(f"<testsuite>{case}</testsuite>")
(report / "summary.md").write_text(f"seed {seed}")
sys.exit(10 if bad else 0)
"""


class Repository:
    """A folder in which the night's steps run, as in a checkout."""

    def __init__(self, folder: Path, api: Server) -> None:
        self.folder, self.api, self.run_id = folder, api, "99"
        (folder / "rehearsal.py").write_text(REHEARSAL)
        self.write_jobs([{"run": "python3 rehearsal.py --seed {seed}"}])

    def write_jobs(self, steps: list[dict[str, Any]], **more: Any) -> None:
        job = {"name": "week", "needs": "local", "minutes": 1, "steps": steps, **more}
        (self.folder / "jobs.json").write_text(json.dumps([job]))

    def nightly(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """``.ci/nightly`` as a step of the workflow."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
        command = [sys.executable, str(ROOT / ".ci" / "nightly"), *words]
        environment = {**plain, **self.api.environment(), "GITHUB_RUN_ID": self.run_id, **environment}
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    def run(self, seed: int, **environment: str) -> subprocess.CompletedProcess[str]:
        """The job, on a runner that has only yesterday's seeds."""
        shutil.rmtree(self.folder / "reports", ignore_errors=True)
        (self.folder / "order").unlink(missing_ok=True)
        at = ("--folder", ".", "--reports", "reports", "--results", "found/night-week")
        return self.nightly("run", "week", "--seed", str(seed), "--jobs", "jobs.json", *at, **environment)

    def gather(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.nightly("gather", "--jobs", "jobs.json", "--results", "found", "--out", "out", **environment)

    def night(self, seed: int, **environment: str) -> tuple[str, str]:
        """A whole one: the verdict, and what ``tell`` said."""
        self.run_id = str(int(self.run_id) + 1)
        self.run(seed)
        gathered = self.gather()
        told = self.nightly("tell", "--night", "out", **environment)
        assert told.returncode == 0, told.stderr
        verdict = json.loads((self.folder / "out" / "night.json").read_text())["verdict"]
        assert gathered.returncode == (verdict == "red")
        return verdict, told.stdout

    @property
    def order(self) -> list[str]:
        return (self.folder / "order").read_text().split()

    @property
    def kept(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.folder / "failing-seeds.json").read_text())
        return found


@pytest.fixture
def repository(tmp_path: Path) -> Any:
    with serving() as api:
        yield Repository(tmp_path, api)


def test_a_planted_failing_seed_is_replayed_makes_one_issue_and_closes_it(repository: Repository) -> None:
    api, webhook = repository.api, {"SLACK_WEBHOOK_URL": f"{repository.api.url}/slack"}
    assert repository.night(40, **webhook) == (
        "green",
        "no issue is open, none is needed\ngreen as before: Slack is not told\n",
    )

    (repository.folder / "broken").touch()
    verdict, said = repository.night(41, **webhook)
    assert (verdict, said) == ("red", "opened issue 1\nSlack is told\n")
    (kept,) = repository.kept
    assert (kept["seed"], kept["nights"], kept["status"]) == (41, 1, 10)

    verdict, said = repository.night(42, **webhook)  # the night's own seed is good; yesterday's is not yet
    assert (verdict, said) == ("red", "updated issue 1\nSlack is told\n")
    assert repository.order == ["41", "42"], "the failing seed comes first"
    assert repository.kept[0]["nights"] == 2
    (issue,) = api.issues
    assert issue["title"] == tell.TITLE and "`python3 rehearsal.py --seed 41`" in issue["body"]
    assert "fails again (status 10)" in issue["body"]
    lines = issue["body"].partition("<details>")[0].splitlines()
    assert len(lines) <= 10 and "of 1 rehearsals and experiments 1 fail" in lines[1]
    assert "**week** (local) fails since" in lines[2] and "Replay: `python3 rehearsal.py --seed 41`" in lines[2]

    (repository.folder / "broken").unlink()
    verdict, said = repository.night(43, **webhook)
    assert (verdict, said) == ("green", "closed issue 1\nSlack is told\n")
    assert repository.order == ["41", "43"] and repository.kept == []
    assert len(api.issues) == 1 and api.issues[0]["state"] == "closed"
    assert [line.split("night is ")[1].split(".")[0] for line in api.slack] == [
        "red: week; 1 failing seeds", "red: week; 1 failing seeds", "green again",
    ]  # fmt: skip

    assert repository.night(44)[0] == "green"
    assert repository.order == ["44"]

    repository.nightly("page", "--out", "nights")
    page = (repository.folder / "nights" / "nights.html").read_text()
    assert page.count("Unsteady since") == 1 and "2 of its last 5 nights failed" in page


def test_an_issue_of_a_person_with_the_label_is_left_alone_and_ours_is_found_on_a_later_page(
    repository: Repository,
) -> None:
    for number in range(1, 4):
        repository.api.issues.append(
            {"number": number, "state": "open", "labels": [tell.LABEL], "body": "by hand", "title": "x"}
        )
    (repository.folder / "broken").touch()
    assert repository.night(41)[1].startswith("opened issue 4")
    assert repository.night(41)[1].startswith("updated issue 4")
    (repository.folder / "broken").unlink()
    assert repository.night(42)[1].startswith("closed issue 4")
    assert [issue["state"] for issue in repository.api.issues] == ["open", "open", "open", "closed"]


def test_a_job_that_never_ran_is_red_and_keeps_its_seed(repository: Repository) -> None:
    (repository.folder / "broken").touch()
    repository.night(41)
    shutil.rmtree(repository.folder / "found")
    gathered = repository.gather()
    assert gathered.returncode == 1 and "it left no result" in gathered.stdout
    assert [each["seed"] for each in repository.kept] == [41]


def test_github_that_refuses_is_told_with_status_and_remedy(repository: Repository) -> None:
    (repository.folder / "broken").touch()
    repository.night(41)
    repository.api.refuse = 403
    told = repository.nightly("tell", "--night", "out")
    assert told.returncode == 3
    assert "status 403" in told.stderr and "look at the job's permissions" in told.stderr
    assert "a-token" not in told.stderr
    without = repository.nightly("tell", "--night", "out", GITHUB_TOKEN="")
    assert without.returncode == 2 and "GITHUB_TOKEN must be set" in without.stderr


def test_a_command_that_takes_too_long_is_interrupted_and_red(repository: Repository) -> None:
    deaf = "import signal, sys, time; signal.signal(signal.SIGINT, lambda *_: sys.exit(130)); time.sleep(60)"
    (repository.folder / "slow.py").write_text(deaf)
    (repository.folder / "hurry.py").write_text(
        "import sys, pathlib; sys.path.insert(0, sys.argv[1])\n"
        "from night import running\n"
        "from night.jobs import Job, Step\n"
        "job = Job('week', 'local', 0.01, (Step('python3 slow.py --seed {seed}'),))\n"
        "runner = running.Runner(job, 5, cwd=pathlib.Path(), reports=pathlib.Path('reports'), into=pathlib.Path('found'))\n"
        "sys.exit(not runner.run([]).good)\n"
    )
    done = subprocess.run(
        [sys.executable, "hurry.py", str(ROOT / ".ci")], cwd=repository.folder, check=False, timeout=30
    )
    assert done.returncode == 1
    result = json.loads((repository.folder / "found" / "week" / "result.json").read_text())
    assert result["steps"][0]["status"] == 124 and result["steps"][0]["seconds"] < 20
    assert result["failing"][0]["seed"] == 5


def test_ctrl_c_ends_the_command_that_is_under_way_too(repository: Repository) -> None:
    """It is in a session of its own, which a terminal's Ctrl-C does not reach."""
    slow = "import pathlib, os, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(60)"
    (repository.folder / "hurry.py").write_text(
        "import pathlib, sys; sys.path.insert(0, sys.argv[1])\n"
        "from night import running\n"
        f"running.command(['python3', '-c', {slow!r}], pathlib.Path(), 60)\n"
    )
    run = subprocess.Popen([sys.executable, "hurry.py", str(ROOT / ".ci")], cwd=repository.folder)
    pid, until = repository.folder / "pid", time.monotonic() + 20
    while not (pid.exists() and pid.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=20) != 0
    assert not psutil.pid_exists(int(pid.read_text()))


def test_what_chaos_kept_is_finer_than_the_whole_command(repository: Repository) -> None:
    entry = {"seed": 77, "rung": "local", "replay": "python rehearsal.py --seed 77 --only pod_kill"}
    (repository.folder / "night_of_chaos.py").write_text(
        f"import json, pathlib, sys\npathlib.Path('reports').mkdir()\n"
        f"pathlib.Path('reports/chaos-failing-seeds.json').write_text(json.dumps([{entry!r}]))\nsys.exit(10)\n"
    )
    repository.write_jobs([{"run": "python3 night_of_chaos.py --seed {seed}", "judged": False}])
    assert repository.run(41).returncode == 1
    repository.gather()
    (kept,) = repository.kept
    assert kept["command"] == ["python3", "rehearsal.py", "--seed", "77", "--only", "pod_kill"]


def test_wrong_usage_keeps_no_seed_and_a_status_that_is_good_is_none(repository: Repository) -> None:
    refuse = {"run": "python3 -c 'raise SystemExit(2)' --seed {seed}", "judged": False}
    missing = {"run": "no-such-program --seed {seed}", "judged": False}
    hold = {"run": "python3 -c 'raise SystemExit(10)'", "good": [0, 10], "judged": False}
    repository.write_jobs([refuse, missing, hold])
    assert repository.run(41).returncode == 1
    result = json.loads((repository.folder / "found/night-week/week/result.json").read_text())
    assert [(each["status"], each["good"]) for each in result["steps"]] == [(2, False), (127, False), (10, True)]
    assert [each["status"] for each in result["failing"]] == [127]


def test_the_job_s_page_has_each_summary_once(repository: Repository) -> None:
    repository.write_jobs(
        [{"run": "python3 rehearsal.py --seed {seed}"}, {"run": "python3 -c 'pass'", "judged": False}]
    )
    page = repository.folder / "page.md"
    assert repository.run(5, GITHUB_STEP_SUMMARY=str(page)).returncode == 0
    assert page.read_text() == "seed 5\n"


def test_the_outputs_are_those_that_the_workflow_reads(repository: Repository) -> None:
    repository.run(5)
    output = repository.folder / "output"
    repository.gather(GITHUB_OUTPUT=str(output))
    assert output.read_text() == "verdict=green\nartifact=night-verdict\n"
    planned = repository.nightly("matrix", "--jobs", "jobs.json")
    name, _, matrix = planned.stdout.partition("=")
    assert name == "matrix" and json.loads(matrix) == {"include": [{"job": "week", "needs": "local", "minutes": 17}]}
    unknown = repository.nightly("run", "other", "--seed", "1", "--jobs", "jobs.json")
    assert unknown.returncode == 2 and "there are: week" in unknown.stderr
