"""How the load processes end when they cannot begin: in words, with their own statuses."""

from __future__ import annotations

import asyncio
import errno
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import msgspec
import psutil
import pytest

from harness.base.clock import MachineClock
from harness.base.data import ROOT
from harness.base.errors import EvidenceNotWritten, PartDied
from harness.load import errors
from harness.load.plan import write
from harness.load.process import LoadProcess, LoadProcesses
from harness.load.stages.plan import WorkerPlan
from harness.load.stages.process import StageProcesses
from harness.model.stack import Address
from tests.load.conftest import StartFake, plan_for

MODULES = ("harness.load.locust_main", "harness.load.probes_main")
STEPS = "harness.load.stages.worker_main"


def run(module: str, *arguments: str) -> tuple[int, str]:
    result = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        input="",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return result.returncode, result.stderr


@pytest.mark.process
@pytest.mark.parametrize("module", (*MODULES, STEPS))
def test_a_bad_plan(module: str, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{}")
    status, said = run(module, str(tmp_path / "plan.json"))
    assert status == errors.BAD_PLAN
    assert "the load plan cannot be read" in said
    assert "Traceback" not in said
    assert run(module)[0] == errors.BAD_PLAN


@pytest.mark.process
@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("spool", ["/dev/full", "/proc/nowhere/load.jsonl"])
def test_a_disk_that_refuses(fake: StartFake, module: str, spool: str, tmp_path: Path) -> None:
    write(msgspec.structs.replace(plan_for(fake()), spool=spool), tmp_path / "plan.json")
    status, said = run(module, str(tmp_path / "plan.json"))
    assert status == errors.EVIDENCE
    assert "evidence could not be written" in said
    assert "Traceback" not in said


@pytest.mark.process
@pytest.mark.parametrize("module", MODULES)
def test_the_emulators_are_away(fake: StartFake, module: str, tmp_path: Path) -> None:
    plan = plan_for(fake(auth="down"))
    write(msgspec.structs.replace(plan, spool=str(tmp_path / "spool.jsonl")), tmp_path / "plan.json")
    status, said = run(module, str(tmp_path / "plan.json"))
    assert status == errors.MEASUREMENT
    assert "the Auth emulator did not answer" in said
    assert "Traceback" not in said
    assert b"measurement_error" in (tmp_path / "spool.jsonl").read_bytes()


def test_a_full_disk_is_told_apart_from_a_death(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("last words\n")
    child = LoadProcess(name="load", module="", spool=tmp_path, log=log)
    assert isinstance(child.died(errors.EVIDENCE), EvidenceNotWritten)
    assert isinstance(child.died(errors.MEASUREMENT), PartDied)
    assert "last words" in str(child.died(-9))
    assert "signal 9" in str(child.died(-9))


@pytest.mark.process
async def test_a_folder_that_refuses(fake: StartFake, tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("in the way")
    with pytest.raises(EvidenceNotWritten, match="folder of the load cannot be written"):
        await LoadProcesses(plan_for(fake()), tmp_path, MachineClock()).start()


@pytest.mark.process
async def test_a_stage_worker_that_could_not_write_its_last_rows_is_told(fake: StartFake, tmp_path: Path) -> None:
    """Asked to end, it ends in the status of a full disk: what it had not written is missing."""
    plan = plan_for(fake())
    stages = StageProcesses(
        WorkerPlan(
            run_id="test-run", seed=1, accounts=2, workers=1, endpoints=plan.endpoints,
            anchor=plan.anchor, request_timeout_s=1.0,
        ),
        tmp_path, MachineClock(), logs=tmp_path,
    )  # fmt: skip
    (worker,) = stages._children
    worker.log.write_text("evidence could not be written\n")
    worker.process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"import sys; sys.stdin.read(); sys.exit({errors.EVIDENCE})", stdin=subprocess.PIPE
    )
    stages.check()
    with pytest.raises(EvidenceNotWritten, match="evidence could not be written"):
        await stages.stop()
    await stages.stop()  # again: it was told


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "close other programs"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), ""),
    ],
)
async def test_a_process_that_the_machine_cannot_start_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, says: str
) -> None:
    """By its name and, where the machine has no room for it, what to do: it was an internal error of ours."""

    async def refused(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refused)
    load = LoadProcesses(plan_for(Address(host="127.0.0.1", port=1)), tmp_path, MachineClock())
    with pytest.raises(PartDied, match=f"the load process cannot be started: {error.strerror}") as told:
        await load.start()
    assert told.value.where == str(tmp_path / "logs" / "load.log")
    assert told.value.remedy.startswith(says) and bool(told.value.remedy) is bool(says)
    await load.stop()


def test_a_log_that_is_gone_hides_no_death(tmp_path: Path) -> None:
    child = LoadProcess(name="load", module="m", spool=tmp_path / "spool", log=tmp_path / "gone" / "load.log")
    assert "ended by itself (signal 9): its log cannot be read (No such file" in str(child.died(-9))


def test_a_worker_that_ends_as_it_is_looked_at_is_told_by_who_watches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of psutil's stood in the place of the death."""
    plan = plan_for(Address(host="127.0.0.1", port=1))
    workers = WorkerPlan(run_id="r", seed=1, endpoints=plan.endpoints, anchor=plan.anchor, accounts=1, workers=1)
    load = StageProcesses(workers, tmp_path, MachineClock(), logs=tmp_path)
    load._children[0].process = Mock(pid=1, returncode=None)
    monkeypatch.setattr(psutil, "Process", Mock(side_effect=psutil.NoSuchProcess(1)))
    assert load.cpu_s() == {}
