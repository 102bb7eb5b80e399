"""The official image is the pinned kind's; our own is built by the tool; the cluster's configuration for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from offline_kind import node
from offline_kind.programs import MODULES, SOURCES, USUAL_GO

from harness.stack.kind import config, record
from harness.stack.kind.images import building, choice
from harness.stack.kind.images.offline import NodeImages
from harness.stack.state import sweep
from harness.stack.state.processes import identify
from tests.offline_kind.test_tool import HAS_GO


@pytest.mark.process
def test_the_official_image_is_the_pinned_kinds_default() -> None:
    if not HAS_GO:
        pytest.skip("no Go here to ask for kind's source")
    # From Go's module cache, into which it comes where no build of kind brought it yet.
    command: list[str | Path] = [USUAL_GO, "mod", "download", "-json", "sigs.k8s.io/kind"]
    ran = subprocess.run(
        command, cwd=SOURCES / "kind", capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "GOFLAGS": "-mod=mod"},
    )  # fmt: skip
    if ran.returncode:
        pytest.skip("kind's source is not in Go's module cache, and cannot be had from here")
    source = (Path(json.loads(ran.stdout)["Dir"]) / "pkg/apis/config/defaults/image.go").read_text()
    assert f'"{choice.PINNED.name("")}"' in source


#: Says what it was asked, and makes the archive that it is to make; with a container that it runs its builders die, the
#: tool and who asked it.
_DOCKER = """
echo "$*" >>"$(dirname "$0")/asked"
[ "$1" != save ] || echo >"$3"
[ "$1 $2 $3" != "run --privileged --name" ] || [ ! -e "$(dirname "$0")/kill" ] || kill -9 $(ps -o ppid= $PPID) $PPID
"""
#: Builds the node image of programs that are no programs.
_BUILDS = """
import asyncio
from harness.stack.kind import docker
from harness.stack.kind.images import choice
async def no(*_): return False
docker.has_image = no
print(asyncio.run(choice._own(lambda line: None)))
"""
_PARTS = ("proxy", "apiserver", "controller-manager", "scheduler")
_KUBEADM = "\n".join(
    f"registry.k8s.io/{name}:v1" for name in ("pause", "etcd", "coredns/coredns", *(f"kube-{part}" for part in _PARTS))
)


def planted_programs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(folder / "home"))
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    for name in node._BUILT:
        programs = MODULES[name].folder(folder / "home" / "kind")
        programs.mkdir(parents=True)
        for program in MODULES[name].programs:
            (programs / program).touch()
    (folder / "kind" / "images" / "base" / "files" / "usr" / "local" / "bin").mkdir(parents=True)
    kubeadm = MODULES["kubernetes"].folder(folder / "home" / "kind") / "kubeadm"
    said = {folder / "docker": _DOCKER, folder / "go": f"echo {folder}/kind", kubeadm: f"echo '{_KUBEADM}'"}
    said[folder / "mmdebstrap"] = 'for last; do :; done; : >"$last"'
    for path, text in said.items():
        path.write_text(f"#!/bin/sh\n{text}")
        path.chmod(0o755)


@pytest.mark.process
@pytest.mark.parametrize("killed", [False, True])
def test_the_node_image_is_built_under_our_own_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    """In Docker; in the node's containerd its parts have the names of the manifests. A killed build leaves nothing."""
    planted_programs(tmp_path, monkeypatch)
    if killed:
        (tmp_path / "kill").touch()
    done = subprocess.run([sys.executable, "-c", _BUILDS], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == (-9 if killed else 0), done.stderr
    asked = [line.split() for line in (tmp_path / "asked").read_text().splitlines()]
    builds = [words for words in asked if words[0] in ("build", "run")]
    assert builds and all("app.kubernetes.io/managed-by=tekutoko-rehearsal" in words for words in builds)
    named = [words[words.index("--tag") + 1] for words in builds if "--tag" in words]
    named += [word for words in asked if words[:2] == ["image", "rm"] for word in words[2:]]
    named += [words[-1] for words in asked if words[0] == "commit"]
    assert {name.partition("/")[0] for name in named} == {"tekutoko-rehearsal"}
    (loaded, *_) = [words for words in asked if words[0] == "run" and "--name" in words]
    assert f"{node.METRICS_SERVER}" in {word.partition("=")[2] for word in loaded}
    container = loaded[loaded.index("--name") + 1]
    assert container.startswith(record.mark()) and building.left_behind(container)
    assert {name.rpartition(":")[0] for name in named if ":tekutoko-" in name} == {building.INTERIM}
    sweep(lambda line: None)
    assert not list((tmp_path / "home" / "runs").iterdir()) and not list((tmp_path / "home" / "kind").glob("context-*"))


def made(images: NodeImages) -> dict[str, object]:
    maker = identify(os.getpid())
    assert maker is not None
    wanted = config.read()
    cluster = record.Cluster(
        name="tekutoko-x", maker=maker, kept=False, complete=False, own_images=images.own, images=[], config_digest="",
        api_port=32100, ports={port: port + 2000 for port in config.node_ports(wanted)},
        nodes=config.node_names(wanted, "tekutoko-x"),
    )  # fmt: skip
    assert cluster.control_plane == "tekutoko-x-control-plane"
    assert cluster.nodes[1:] == ["tekutoko-x-worker", "tekutoko-x-worker2", "tekutoko-x-worker3"]
    return config.merged(wanted, cluster, images)


def test_the_file_pins_the_official_image() -> None:
    assert {each["image"] for each in config.read()["nodes"]} == {choice.PINNED.name("")}


def test_images_need_no_further_settings() -> None:
    found = made(NodeImages("ours-control-plane", "ours-worker", own=True))
    assert set(found) == set(config.read())
    assert found["networking"] == {"apiServerAddress": "127.0.0.1", "apiServerPort": 32100}
    own = yaml.safe_dump(found)
    assert own.count("image: ours-worker") == 3
    assert own.count("image: ours-control-plane") == 1
    assert "hostPort: 32080" in own


def test_ports_of_other_clusters_are_left_alone() -> None:
    first = config.free_ports(3, set())
    assert len(set(first)) == 3
    assert not set(first) & set(config.free_ports(3, set(first)))
