"""The week on somebody's own cluster: made, filled, used by its kubeconfig and context, and gone whatever happened."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from night import own_cluster
from night.command import main
from night.errors import Trouble


class Harness:
    """In the place of the harness' commands: records them, and makes the kubeconfig that ``up`` would."""

    def __init__(self, folder: Path, **statuses: int) -> None:
        self._folder, self._statuses = folder, statuses
        self.asked: list[list[str]] = []

    def run(self, command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        words = command[3:]
        self.asked.append(words)
        if words[1] == "up" and self._statuses.get("up", 0) == 0:
            at = self._folder / "kind" / "clusters" / "tekutoko-0123-night"
            at.mkdir(parents=True)
            (at / "kubeconfig").touch()
        return subprocess.CompletedProcess(
            command, self._statuses.get(words[1 if words[0] != "run" else 0].strip("-"), 0)
        )


def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **statuses: int) -> Harness:
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path))
    found = Harness(tmp_path, **statuses)
    monkeypatch.setattr(subprocess, "run", found.run)
    return found


def test_the_week_s_status_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = harness(tmp_path, monkeypatch, run=20)
    assert main(["week-on-kube", "--seed", "7"]) == 20
    up, load, week, down = found.asked
    assert up == ["cluster", "up", "--label", "night"]
    assert load == ["images", "--load", "tekutoko-0123-night"]
    assert week[:4] == ["run", "rollout_week3", "--seed", "7"]
    kubeconfig = str(tmp_path / "kind/clusters/tekutoko-0123-night/kubeconfig")
    assert week[4:] == [
        "--on", "kube", "--context", "kind-tekutoko-0123-night", "--kubeconfig", kubeconfig, "--yes-use-this-cluster",
    ]  # fmt: skip
    assert down == ["cluster", "down", "--label", "night"]


@pytest.mark.parametrize(("broken", "asked"), [({"up": 30}, 2), ({"load": 30}, 3)])
def test_a_cluster_that_cannot_be_made_is_taken_down_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: dict[str, int], asked: int
) -> None:
    found = harness(tmp_path, monkeypatch, **broken)
    with pytest.raises(Trouble, match="status 30: -m harness") as error:
        own_cluster.week(["rollout_week3"])
    assert error.value.status == 30
    assert len(found.asked) == asked and found.asked[-1][1] == "down"
