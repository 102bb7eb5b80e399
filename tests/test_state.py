"""The machine-wide state: leases, ports, and a sweep that ends what is a dead run's and nothing else."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import msgspec
import pytest

from harness.base.errors import BadInput, StackNotStarted
from harness.base.home import home, runs_folder
from harness.stack.state import (
    MARKER,
    Lease,
    PartRecord,
    PortSlot,
    ProcessIdentity,
    RunState,
    holder_of,
    identify,
    remove_run_folder,
    run_folder,
    shared_memory,
    sweep,
)
from harness.stack.state.lease import LeaseCondition, condition, home_mark, read_lease, runs_locked
from harness.stack.state.sweeping import end_run
from tests.swept import swept


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path / "home"))


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for child in started:
        child.kill()
        child.wait()


def sleeper(children: list[subprocess.Popen[bytes]], **environment: str) -> int:
    command = [sys.executable, "-S", "-c", "import time; print(1, flush=True); time.sleep(60)"]
    child = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True
    )
    assert child.stdout is not None
    child.stdout.readline()  # it runs, so its environment can be read
    child.stdout.close()
    children.append(child)
    return child.pid


def dead_owner() -> ProcessIdentity:
    child = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    identity = identify(child.pid)
    child.communicate(b"\n")
    assert identity is not None and not identity.alive()
    return identity


def plant(run_id: str, *parts: PartRecord, owner: ProcessIdentity | None = None) -> Path:
    folder = runs_folder() / run_id
    folder.mkdir(parents=True)
    lease = Lease(run_id=run_id, owner=owner or dead_owner(), parts=list(parts), home=home_mark())
    (folder / "lease.json").write_bytes(msgspec.json.encode(lease))
    return folder


def record(part: str, pid: int) -> PartRecord:
    identity = identify(pid)
    assert identity is not None
    return PartRecord(part, identity)


def runs(pid: int) -> bool:
    identity = identify(pid)
    return identity is not None and identity.alive()


def test_a_run_holds_its_folder_until_it_ends() -> None:
    state = RunState.begin("one")
    port = state.take_port()
    with pytest.raises(StackNotStarted, match="one is under way"):
        RunState.begin("one")
    lease = msgspec.json.decode((run_folder("one") / "lease.json").read_bytes(), type=Lease)
    assert lease.owner.pid == os.getpid() and lease.ports == [port]
    (state.folder / "postgres").mkdir()
    state.end()
    state.end()
    assert not run_folder("one").exists()
    remove_run_folder("one")


@pytest.mark.parametrize("name", ["", "../etc", "a/b", ".hidden", "x" * 100])
def test_a_run_id_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(StackNotStarted, match="cannot name a folder"):
        RunState.begin(name)


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(BadInput, match="TEKUTOKO_REHEARSAL_HOME"):
        RunState.begin("one")


@pytest.mark.parametrize("content", [b'{"run_id": "\xff"}', b'{"a":' + b"[" * 200_000])
def test_a_lease_that_nobody_can_decode_hinders_no_command(content: bytes) -> None:
    """As a disk that broke leaves it: every command looks at every run's lease."""
    state = RunState.begin("torn")
    (state.folder / "lease.json").write_bytes(content)
    assert read_lease(state.folder) is None and condition(state.folder) is LeaseCondition.LIVES
    state._give_up()
    assert condition(state.folder) is LeaseCondition.ABANDONED


def test_a_segment_that_this_user_may_not_remove_is_told_and_ends_no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that root's PostgreSQL left: every command of another user would have ended in its sweep."""
    refused = PermissionError(errno.EPERM, "Operation not permitted")
    segment = shared_memory.Segment(7, 2**22 + 1, 0, os.geteuid())
    monkeypatch.setattr(shared_memory, "made_by", lambda _: [segment])
    monkeypatch.setattr(shared_memory, "remove", Mock(side_effect=refused))
    state = RunState.begin("dead")
    state._give_up()
    lines = [str(each) for each in end_run(state.folder)]
    assert "run dead: could not remove shared memory segment 7: Operation not permitted" in lines
    assert not state.folder.exists()


def test_a_segment_that_ends_in_the_moment_it_is_removed_is_no_trouble() -> None:
    """PostgreSQL's own end takes it: ``stack down`` said that something was left (40)."""
    shared_memory.remove(shared_memory.Segment(2**31 - 1, 1, 0, 0))


def test_why_a_segment_stays_is_said_in_the_system_s_words_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number stood in the line twice."""
    monkeypatch.setattr("ctypes.CDLL", Mock(return_value=Mock(shmctl=Mock(return_value=-1))))
    monkeypatch.setattr("ctypes.get_errno", lambda: errno.EPERM)
    with pytest.raises(PermissionError) as refused:
        shared_memory.remove(shared_memory.Segment(7, 1, 0, 0))
    assert refused.value.strerror == "Operation not permitted"


def test_links_in_a_circle_are_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was said that HOME is not set."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path / "a"))
    with pytest.raises(BadInput, match="cannot be looked at: Too many levels of symbolic links") as told:
        home()
    assert str(tmp_path / "a") in told.value.where


def test_a_folder_where_nothing_can_be_locked_is_told_by_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one of another user's: every command begins with the sweep."""
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path))
    (tmp_path / "runs.lock").mkdir()
    with pytest.raises(StackNotStarted, match="the machine-wide folder cannot be written") as told, runs_locked():
        raise AssertionError
    assert "TEKUTOKO_REHEARSAL_HOME" in told.value.remedy


def test_two_runs_never_share_a_port() -> None:
    one, other = PortSlot(), PortSlot()
    assert not {one.take() for _ in range(20)} & {other.take() for _ in range(20)}
    one.release()
    other.release()
    again = PortSlot()  # what was released can be had again
    assert again.take() < max(one.taken | other.taken)
    again.release()


def test_a_port_that_somebody_listens_on_is_passed_over() -> None:
    slot = PortSlot()
    first = slot.take()
    slot.give_back(first)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", first + 1))
        taken.listen()
        got = {slot.take() for _ in range(5)}
        assert first + 1 not in got
        holder = holder_of(first + 1)
        assert holder is not None and holder.pid == os.getpid()
    assert holder_of(first + 1) is None
    slot.release()


def test_a_range_that_is_used_up_says_so() -> None:
    slot = PortSlot()
    with pytest.raises(StackNotStarted, match="no free port left"):
        for _ in range(1000):
            slot.take()
    slot.release()


@pytest.mark.process
def test_a_dead_run_is_swept_by_lease_and_by_marker(children: list[subprocess.Popen[bytes]]) -> None:
    by_lease = sleeper(children)
    dead = f"dead-{os.getpid()}"  # no other test's, whose processes would be ended too
    by_marker = sleeper(children, **{MARKER: dead})
    folder = plant(dead, record("envoy", by_lease))
    (folder / "spool").mkdir()
    lines = [str(line) for line in sweep(lambda line: None)]
    assert not runs(by_lease) and not runs(by_marker)
    assert not folder.exists()
    assert f"run {dead}: ended envoy (process {by_lease})" in lines
    assert f"run {dead}: ended load (process {by_marker})" in lines
    assert swept() == []


@pytest.mark.process
def test_a_live_run_and_everybody_else_is_spared(children: list[subprocess.Popen[bytes]]) -> None:
    state = RunState.begin("live")
    ours = sleeper(children, **state.environment("auth"))
    state.record("auth", ours)
    unmarked = sleeper(children)
    other_run = sleeper(children, **{MARKER: "of-another-home"})
    recycled = sleeper(children)
    plant(f"dead-{os.getpid()}", PartRecord("auth", ProcessIdentity(recycled, "another-boot:1")))
    lines = [str(line) for line in sweep(lambda line: None)]
    assert [pid for pid in (ours, unmarked, other_run, recycled) if not runs(pid)] == []
    assert state.folder.exists()
    assert [line for line in lines if line.startswith("run live")] == []
    children[0].kill()
    assert children[0].wait() != 0
    state.end()
    assert not state.folder.exists()


@pytest.mark.process
def test_a_run_with_a_process_that_lives_keeps_its_folder_by_which_the_next_command_finds_it(
    children: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.stack.state.lease._GONE_LIMIT_S", 0.1)
    state = RunState.begin("left")
    left = sleeper(children, **state.environment("auth"))
    state.end()
    lease = read_lease(state.folder)
    assert lease is not None and runs(left)
    lease.owner = dead_owner()
    (state.folder / "lease.json").write_bytes(msgspec.json.encode(lease))
    sweep(lambda line: None)
    assert not runs(left) and not state.folder.exists()


@pytest.mark.process
def test_a_folder_without_a_lease_is_a_run_that_was_killed_at_birth() -> None:
    folder = runs_folder() / "unborn"
    folder.mkdir(parents=True)
    assert any(str(folder) in str(line) for line in sweep(lambda line: None))
    assert not folder.exists()


@pytest.mark.process
def test_a_process_s_identity_is_not_its_number_alone(children: list[subprocess.Popen[bytes]]) -> None:
    pid = sleeper(children)
    identity = identify(pid)
    assert identity is not None and identity.alive()
    assert not ProcessIdentity(pid, "0").alive()
    children[0].kill()
    assert children[0].wait() != 0
    assert not identity.alive() and identify(pid) is None
