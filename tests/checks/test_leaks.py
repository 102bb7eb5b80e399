"""The leak checker finds each kind of leak when one is planted, and nothing where there is none."""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from harness.stack.state import MARKER, identify, shared_memory
from harness.stack.state import leaks as checker
from harness.stack.state.leaks import Traces, leaks

RUN = f"leaks-test-{os.getpid()}"  # other workers look beside this one, each for its own


def traces(tmp_path: Path) -> Traces:
    return Traces(run_id=RUN, folder=tmp_path / "gone", processes=(), ports=(), shared_files_before=frozenset())


def test_nothing_left_is_nothing_said(tmp_path: Path) -> None:
    assert leaks(traces(tmp_path)) == []


@pytest.mark.process
@pytest.mark.parametrize("by", ["lease", "marker"])
def test_a_process_that_still_runs(by: str, tmp_path: Path) -> None:
    environment = {MARKER: RUN} if by == "marker" else {}
    command = [sys.executable, "-S", "-c", "print(1, flush=True); input()"]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        identity = identify(child.pid)
        assert identity is not None
        had = msgspec.structs.replace(traces(tmp_path), processes=(identity,) if by == "lease" else ())
        found = leaks(had)
        child.communicate(b"\n")
    assert len(found) == 1 and str(child.pid) in found[0]
    assert leaks(had) == []


def test_a_port_that_is_still_listened_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "_LEFT_S", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        had = msgspec.structs.replace(traces(tmp_path), ports=(listener.getsockname()[1],))
        assert len(leaks(had)) == 1
    assert leaks(had) == []


LEFT = ["port 20161 is still listened on by process unknown"]


@pytest.mark.parametrize(
    ("seen", "said"),
    [(1, []), (3, []), (10, []), (11, LEFT)],
    ids=["tried once", "tried three times", "opened at the last moment", "held by another user's process"],
)
def test_a_port_without_a_process_is_left_when_every_look_finds_it(
    seen: int, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that began since tries the port, or opens it: its emulators try theirs more than once."""
    looks = iter([{20161: 0}] * seen + [{}])
    monkeypatch.setattr(checker, "listening", lambda ports: next(looks))
    monkeypatch.setattr(checker, "_LEFT_S", 0.0)
    assert leaks(msgspec.structs.replace(traces(tmp_path), ports=(20161,))) == said


def test_a_folder(tmp_path: Path) -> None:
    had = traces(tmp_path)
    had.folder.mkdir()
    assert leaks(had) == [f"folder {had.folder} is left"]


def test_a_shared_memory_segment(tmp_path: Path) -> None:
    if not Path("/proc/sysvipc/shm").exists():
        pytest.skip("System V segments are listed on Linux only")
    shmid = ctypes.CDLL(None).shmget(0, 56, 0o600 | 0o1000)
    me = identify(os.getpid())
    assert me is not None and shmid >= 0
    ours = msgspec.structs.replace(me, started="an earlier process of this number")
    had = msgspec.structs.replace(traces(tmp_path), processes=(ours,))
    try:
        assert leaks(had) == [f"shared memory segment {shmid} is left"]
    finally:
        for segment in shared_memory.made_by([os.getpid()]):
            shared_memory.remove(segment)
    assert leaks(had) == []


def test_a_shared_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "_DEV_SHM", tmp_path)
    (tmp_path / "PostgreSQL.1").touch()
    (tmp_path / "somebody-else").touch()
    held = tmp_path / "PostgreSQL.2"
    held.write_bytes(bytes(4096))
    with held.open("r+b") as file, mmap.mmap(file.fileno(), 0):  # another server's, which lives
        assert leaks(traces(tmp_path)) == [f"{tmp_path / 'PostgreSQL.1'} is left"]
    held.unlink()
    assert leaks(msgspec.structs.replace(traces(tmp_path), shared_files_before=checker.shared_files())) == []
