"""The doctor: each lack is named with what to do, and what a rung does not need is no lack."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from harness.base.errors import Exit
from harness.cli import machine
from harness.cli.main import main
from harness.stack.local import postgres_programs


@pytest.mark.process
@pytest.mark.parametrize(
    ("instances", "lacking", "ok"), [("128", "", False), ("1024", "", True), ("128", "there is no Docker", True)]
)
def test_inotify_instances(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, instances: str, lacking: str, ok: bool
) -> None:
    file = tmp_path / "max_user_instances"
    file.write_text(instances + "\n")
    monkeypatch.setattr(machine, "INOTIFY", file)
    monkeypatch.setattr("harness.stack.kind.at_hand.lacking", lambda: lacking)
    found = next(check for check in machine.examine() if check.name == "inotify instances")
    assert found.ok is ok
    assert instances in str(found.found) and "sysctl" in str(found.remedy)


def refused(*_: object) -> None:
    raise OSError("there is no 127.0.0.1")


@pytest.mark.process
def test_every_lack_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that lacks all that one can lack."""
    few = tmp_path / "max_user_instances"
    few.write_text("128\n")
    monkeypatch.setattr(machine, "INOTIFY", few)
    monkeypatch.setattr("harness.stack.kind.at_hand.lacking", lambda: "")
    monkeypatch.setattr("harness.stack.kind.at_hand.node_image", lambda: "an image")
    monkeypatch.setattr(machine, "MEMORY_NEEDED", 2**60)
    monkeypatch.setattr(machine, "DISK_NEEDED", 2**60)
    monkeypatch.setattr("harness.stack.state.dead_runs", lambda: ["a-run"])
    monkeypatch.setattr(socket.socket, "bind", refused)
    monkeypatch.setattr("harness.stack.state.npm._wheel_folder", lambda: None)
    monkeypatch.setattr("shutil.which", lambda *_: None)
    monkeypatch.setattr(postgres_programs, "_PACKAGE", "@embedded-postgres/sparc")
    monkeypatch.setattr(machine, "CHECKS", [*machine.CHECKS, machine._wheel("a wheel", "harness", "_bin/none*")])
    lacks = {check.name: check for check in machine.examine() if not check.ok}
    assert set(lacks) == {
        "machine-wide folder", "memory", "loopback", "PostgreSQL", "Node.js", "inotify instances", "killed runs", "a wheel"
    }  # fmt: skip
    assert {name: bool(check.found and check.remedy) for name, check in lacks.items()} == dict.fromkeys(lacks, True)


@pytest.mark.process
def test_what_this_machine_lacks_is_told_in_the_same_form() -> None:
    checks = machine.examine()
    assert [check.name for check in checks if not check.found] == []
    assert [check.name for check in checks if not check.ok and not check.remedy] == []
    assert len(checks) == len(machine.CHECKS)


@pytest.mark.process
def test_it_is_told_in_the_language_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harness.stack.state.dead_runs", lambda: ["a-run"])
    assert main(["doctor", "--lang", "ja"]) == Exit.HOLD
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "FAIL 強制終了された実行: 残っている: a-run",
        "       対処: 次の実行が自分で消す",
    ]
