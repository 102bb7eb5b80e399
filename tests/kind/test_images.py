"""What is pinned is what is built; a killed build goes on; the cluster's configuration for our own image."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness.base.clock import MachineClock
from harness.stack.kind import config, docker, parts, record
from harness.stack.kind.images import base, binaries, building, choice, node
from harness.stack.kind.images.node import NodeImages
from harness.stack.state import sweep
from harness.stack.state.processes import identify
from tests.lines import Lines
from tests.session.needs import needs_docker

CLOCK = MachineClock()
_HAS_GO = os.access(binaries.USUAL_GO, os.X_OK)


@pytest.mark.process
def test_the_official_image_is_the_pinned_kinds_default() -> None:
    if not _HAS_GO:
        pytest.skip("no Go here to ask for kind's source")
    # From Go's module cache, into which it comes where no build of kind brought it yet.
    command: list[str | Path] = [binaries.USUAL_GO, "mod", "download", "-json", "sigs.k8s.io/kind"]
    ran = subprocess.run(
        command, cwd=binaries.SOURCES / "kind", capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "GOFLAGS": "-mod=mod"},
    )  # fmt: skip
    if ran.returncode:
        pytest.skip("kind's source is not in Go's module cache, and cannot be had from here")
    source = (Path(json.loads(ran.stdout)["Dir"]) / "pkg/apis/config/defaults/image.go").read_text()
    assert f'"{choice.PINNED.name("")}"' in source


def test_manifests_name_the_versions_that_are_built() -> None:
    assert f"image: {node.METRICS_SERVER}\n" in parts.METRICS_SERVER.read_text()
    assert f"image: {node.KUBE_ROUTER}\n" in parts.METRICS_SERVER.with_name("kube-router.yaml").read_text()
    assert binaries.KUBE_ROUTER.version() == node.KUBE_ROUTER.rpartition(":")[2]
    pinned = (binaries.SOURCES / "kubernetes" / "go.mod").read_text()
    assert f"sigs.k8s.io/metrics-server {node.METRICS_SERVER.rpartition(':')[2]} " in pinned
    minor = re.search(r"v1\.(\d+)", binaries.KUBERNETES.version())
    assert minor is not None
    assert f"v1.{minor[1]}." in choice.PINNED.tag  # both images run the same Kubernetes line


def test_the_names_of_images_follow_what_is_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert base.tag(["b", "a"], "trixie") == base.tag(["a", "b"], "trixie")
    assert base.tag(["a"], "trixie") != base.tag(["a"], "bookworm")
    before = node.images()
    monkeypatch.setattr(node, "_NETWORK_PACKAGES", ("iptables",))
    assert node.images() != before


@pytest.mark.process
async def test_a_killed_build_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if not _HAS_GO:
        pytest.skip("no Go here to build with")
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path))
    folder = binaries.PAUSE.folder()
    folder.mkdir(parents=True)
    (folder / "pause.half").write_bytes(b"half of a program")
    assert binaries.missing(binaries.PAUSE) == ["pause"]
    lines = Lines()
    assert await binaries.ensure(binaries.PAUSE, CLOCK, lines.tell) == folder
    assert [path.name for path in folder.iterdir()] == ["pause"]
    assert "1 of 1" in lines[0]
    process = await asyncio.create_subprocess_exec(folder / "pause")
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 5) in {0, -15}  # 0 when it had set up its handler already
    lines.clear()
    await binaries.ensure(binaries.PAUSE, CLOCK, lines.tell)
    assert lines == []


#: Says what it was asked, and makes the archive that it is to make; a container that it runs is killed with its builder.
_DOCKER = """
echo "$*" >>"$(dirname "$0")/asked"
[ "$1" != save ] || echo >"$3"
[ "$1" != run ] || [ ! -e "$(dirname "$0")/kill" ] || kill -9 $PPID
"""
#: Builds the node image of programs that are no programs.
_BUILDS = """
import asyncio
from harness.base.clock import MachineClock
from harness.stack.kind import docker
from harness.stack.kind.images import base, binaries, node
async def no(*_): return False
async def nothing(*_, **__): pass
async def based(packages, *_, **__): return base.tag(packages, "trixie")
docker.has_image, docker.check_privileged, docker.remove, binaries.ensure = no, nothing, nothing, nothing
base.ensure = based
binaries.go = lambda _program: "go"
print(asyncio.run(node.ensure(MachineClock(), lambda line: None)))
"""
_PARTS = ("proxy", "apiserver", "controller-manager", "scheduler")
_KUBEADM = "\n".join(
    f"registry.k8s.io/{name}:v1" for name in ("pause", "etcd", "coredns/coredns", *(f"kube-{part}" for part in _PARTS))
)


def planted_programs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(folder / "home"))
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    for module in node._MODULES:
        module.folder().mkdir(parents=True)
        for program in module.programs:
            (module.folder() / program).touch()
    (folder / "kind" / "images" / "base" / "files" / "usr" / "local" / "bin").mkdir(parents=True)
    kubeadm = binaries.KUBERNETES.folder() / "kubeadm"
    said = {folder / "docker": _DOCKER, folder / "go": f"echo {folder}/kind", kubeadm: f"echo '{_KUBEADM}'"}
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
    (loaded, *_) = [words for words in asked if words[0] == "run"]
    assert f"{node.METRICS_SERVER}" in {word.partition("=")[2] for word in loaded}
    container = loaded[loaded.index("--name") + 1]
    assert container.startswith(record.mark()) and building.left_behind(container)
    sweep(lambda line: None)
    assert not list((tmp_path / "home" / "runs").iterdir()) and not list((tmp_path / "home" / "kind").glob("context-*"))


@pytest.mark.kind
@pytest.mark.nightly
@pytest.mark.timeout(900)
@needs_docker
async def test_a_node_has_its_parts_by_the_manifests_names_and_docker_by_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a node no more than its packages, and one small part under two names."""
    if not _HAS_GO:
        pytest.skip("no Go here to build with")
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path))
    pause = await binaries.ensure(binaries.PAUSE, CLOCK, print) / "pause"
    (tmp_path / "another").write_bytes(pause.read_bytes())
    (tmp_path / "another").chmod(0o755)
    parts = [
        node.Component("registry.k8s.io/pause:test", pause),
        node.Component("docker.io/a/b:v1", tmp_path / "another"),
    ]
    parent, made = (f"tekutoko-rehearsal/test-{os.getpid()}:{name}" for name in ("parent", "made"))
    based = await base.ensure(node._NODE_PACKAGES, CLOCK, print)
    context = tmp_path / "context"
    context.mkdir()
    (context / "import-images").write_bytes((node.SOURCES / "import-images").read_bytes())
    (context / "import-images").chmod(0o755)
    (context / "Dockerfile").write_text(f"FROM {based}\nCOPY import-images /usr/local/bin/\n")
    try:
        await docker.docker("build", "--tag", parent, context, what="building")
        with building.building(made) as state:
            await node._load(state, parent, made, parts)
        listing = "containerd >/dev/null 2>&1 & sleep 5; ctr --namespace k8s.io images list --quiet"
        of = ("run", "--rm", "--privileged", "--entrypoint", "sh", made, "-c", listing)
        listed = (await docker.docker(*of, what="listing")).split()
        names = [name for name in listed if not name.startswith("sha256:")]  # those are the kubelet's, of each id
        assert names == ["docker.io/a/b:v1", "registry.k8s.io/pause:test"]
        named = await docker.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", what="listing")
        assert not {"registry.k8s.io/pause:test", "a/b:v1"} & set(named.split())
        assert not await docker.tags(building.INTERIM)
        label = "{{json .Config.Labels}}"
        found = json.loads(await docker.docker("image", "inspect", "--format", label, made, what="looking"))
        assert found["app.kubernetes.io/managed-by"] == "tekutoko-rehearsal"
        assert not [each for each in found if each.startswith("tekutoko-rehearsal.")], (
            "each node would carry its builder's"
        )
    finally:
        for image in (made, parent):
            if await docker.has_image(image):
                await docker.docker("image", "rm", image, what="removing")


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
