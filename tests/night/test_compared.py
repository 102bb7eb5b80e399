"""Two rungs side by side: the newest run of the rehearsal on each, of one seed, or a sentence."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from night import compared
from night.command import main
from night.errors import USAGE


def run(reports: Path, run_id: str, rung: str, *, seed: int = 7, rehearsal: str = "scaling") -> Path:
    folder = reports / run_id
    folder.mkdir(parents=True)
    result = {"rehearsal": rehearsal, "facts": {"rung": rung, "seed": seed}}
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def test_the_newest_run_on_each_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def ran(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        asked.append(command[1:])
        return subprocess.CompletedProcess(command, 10)

    monkeypatch.setattr(subprocess, "run", ran)
    run(tmp_path, "20260101T000000Z-a", "kind", seed=6)
    kind = run(tmp_path, "20260102T000000Z-b", "kind")
    run(tmp_path, "20260103T000000Z-c", "kind", rehearsal="network")
    local = run(tmp_path, "20260102T010000Z-d", "local")
    (tmp_path / "latest").symlink_to(local)
    assert main(["compared", "scaling", "kind", "local", "--reports", str(tmp_path)]) == 10
    assert asked == [["-m", "harness", "compare", str(kind), str(local), "--across"]]


def test_what_was_not_made_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compared", "scaling", "kind", "local", "--reports", str(tmp_path)]
    run(tmp_path, "20260102T000000Z-b", "kind", seed=6)
    assert main(words) == USAGE
    assert "there is no run of scaling on local" in capsys.readouterr().err
    run(tmp_path, "20260102T010000Z-d", "local")
    assert main(words) == USAGE
    assert "of two seeds, 6 and 7" in capsys.readouterr().err


def test_a_result_that_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run(tmp_path, "20260102T000000Z-b", "kind") / compared.RESULT).write_text("{")
    assert main(["compared", "scaling", "kind", "local", "--reports", str(tmp_path)]) == USAGE
    assert "cannot be read" in capsys.readouterr().err
