"""The operator's three pages of a real stack of processes that stays: what is there is read, and what broke is told."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from harness.base.errors import Exit
from harness.load.rest import exchange
from harness.model.judgement import Judgement, Verdict
from harness.rehearsals.operations.seen import standing
from harness.stack.environments.standing import StackFacts, recorded
from harness.stack.firebase.rest import sign_up
from tests.rehearsal.made import by_id, result_in
from tests.session import workers
from tests.session.homes import WorkerHome
from tests.stack.rungs import ROOT

pytestmark = [pytest.mark.stack, pytest.mark.nightly]

_LIMIT_S = 240.0
_AGAIN_LIMIT_S = 60.0  # for a pod whose process was killed to be ready again


def harness(*words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "harness", *words]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=_LIMIT_S, check=False)


@pytest.fixture(scope="module")
def own_home(request: pytest.FixtureRequest) -> Iterator[None]:
    """A machine-wide folder in which no other stack stands: what is looked at is the only one, and all of it is ended."""
    home = None if workers.is_one(request.config) else WorkerHome()  # a worker has its own
    yield
    assert home is None or home.leave() == []


@pytest.fixture(scope="module")
def reports(own_home: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The reports folder of a stack that is up, and was asked a little."""
    folder = tmp_path_factory.mktemp("live") / "reports"
    try:
        done = harness("stack", "up", "--on", "local", "--detach", "--json", "--reports", str(folder))
        assert done.returncode == Exit.OK, done.stderr
        asyncio.run(_used(msgspec.json.decode(done.stdout, type=StackFacts)))
        yield folder
    finally:
        ended = harness("stack", "down")
    assert ended.returncode == Exit.OK, ended.stdout + ended.stderr
    assert list(recorded()) == []


async def _used(facts: StackFacts) -> None:
    user = await sign_up(facts.endpoints.auth, facts.endpoints.project_id, "operator")
    for _ in range(10):
        assert (await exchange(facts.endpoints.service, "GET", "/v1/walks", user.token, b"")).status == 200


def looked(reports: Path, task: str) -> tuple[int, dict[str, Judgement], str]:
    """The exit status of a task, what it judged, and the page that it printed."""
    done = harness("operations", task, "--reports", str(reports))
    return done.returncode, by_id(result_in((reports / "latest").resolve()).judgements), done.stdout


def pods() -> dict[str, int]:
    """The process of each pod's target."""
    parts = {each.part: each.identity.pid for each in standing.the_one()[1].parts}
    return {name: pid for name, pid in parts.items() if f"{name}.sidecar" in parts}


def test_the_three_pages_of_a_stack_that_is_well(reports: Path) -> None:
    """A daily look needs the stack alone; a review lacks what no stored result says, and has what one does."""
    code, found, page = looked(reports, "daily")
    assert code == Exit.OK, page
    assert {each.verdict for each in found.values()} == {Verdict.PASS}
    assert set(found) == {f"attention.{what}" for what in ("pods", "usage", "logs", "answers")} | {"operations.daily"}
    facts, _ = standing.the_one()
    assert facts.run_id in page and len(pods()) == 2 and all(name in page for name in pods())
    assert harness("cost", "--reports", str(reports)).returncode == Exit.OK
    for task, there, lacking in (("weekly", ("cost",), ("sli", "scaling")), ("monthly", (), ("slo", "load", "dr"))):
        code, found, page = looked(reports, task)
        claim = found[f"operations.{task}"]
        assert (code, claim.verdict) == (Exit.HOLD, Verdict.INCONCLUSIVE), page
        assert all(f"a stored result on {topic}" in claim.reason for topic in lacking)
        assert not any(f"a stored result on {topic}" in claim.reason for topic in there)
        assert all(each.verdict is Verdict.PASS for id_, each in found.items() if id_ != claim.id)


def test_a_container_that_was_killed_is_told_when_the_pod_is_ready_again(reports: Path) -> None:
    name, pid = next(iter(pods().items()))
    os.kill(pid, signal.SIGKILL)
    give_up = time.monotonic() + _AGAIN_LIMIT_S
    while True:
        code, found, page = looked(reports, "daily")
        assert code == Exit.HOLD, page
        assert found["attention.pods"].verdict is Verdict.FAIL and name in found["attention.pods"].reason
        if "a container ended 0 min ago" in found["attention.pods"].reason:
            break
        assert time.monotonic() < give_up, page
        time.sleep(1)
    assert found["operations.daily"].verdict is Verdict.PASS
