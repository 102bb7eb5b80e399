"""A cluster that a person made by kind: taken when that is asked for, used by runs, and never deleted."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from harness.base.data import ROOT
from harness.base.errors import Exit
from harness.base.free_port import any_free_port
from harness.stack.kind import at_hand, cluster, config
from harness.stack.kind.ground import KEPT
from harness.stack.kind.images import choice
from tests.kind.creating import quiet
from tests.kind.shared import cannot_build
from tests.session.needs import needs_docker

pytestmark = [pytest.mark.kind, pytest.mark.slow, pytest.mark.timeout(900), needs_docker]
NAME = f"by-hand-{os.getpid()}"
_LIMIT_S = 400.0


def harness(*words: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "harness", *words]
    return subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def said(*words: str) -> str:
    process = harness(*words)
    told, _ = process.communicate(timeout=_LIMIT_S)
    assert process.returncode == Exit.OK, told
    return told


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the file of which kind has made a cluster: of two nodes, and with a name and ports of its own."""
    if lacking := cannot_build():
        pytest.skip(lacking)
    path = tmp_path / "kind-config.yaml"
    images = asyncio.run(choice.ensure_images(quiet))
    kind = asyncio.run(choice.ensure_kind(quiet))
    document = config.read() | {"name": NAME}
    document["nodes"] = document["nodes"][:2]
    for mapping in document["nodes"][0]["extraPortMappings"]:
        mapping["hostPort"] = any_free_port()
    path.write_text(yaml.safe_dump(document))
    monkeypatch.setenv("KIND_EXPERIMENTAL_DOCKER_NETWORK", NAME)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv(KEPT, NAME)
    try:
        words = ("create", "cluster", "--config", str(path), "--image", images.control_plane)
        subprocess.run([kind, *words], check=True, timeout=_LIMIT_S, capture_output=True)
        yield path
    finally:
        subprocess.run([kind, "delete", "cluster", "--name", NAME], check=True, timeout=_LIMIT_S, capture_output=True)
        at_hand.ask("network", "rm", NAME)


def test_it_is_taken_for_runs_and_given_back(file: Path, tmp_path: Path) -> None:
    taken = said("cluster", "up", "--by-hand", "--label", NAME, "--config", str(file))
    assert "loading 2 images into 1 nodes" in taken
    nodes = asyncio.run(cluster.made_by_kind(NAME))

    assert nodes == [f"{NAME}-control-plane", f"{NAME}-worker"]

    with harness("stack", "up", "--on", "kind", "--reports", str(tmp_path / "reports")) as stack:
        assert stack.stdout is not None
        lines: list[str] = []
        while not (lines and "is up" in lines[-1]):
            lines.append(stack.stdout.readline())
            assert lines[-1], lines
        stack.send_signal(signal.SIGINT)
        stack.communicate(timeout=_LIMIT_S)
    assert stack.returncode == Exit.OK
    assert any(f"-{NAME} is used" in line for line in lines)

    assert f"kind delete cluster --name {NAME}" in said("cluster", "down", "--label", NAME)
    assert asyncio.run(cluster.made_by_kind(NAME)) == nodes
