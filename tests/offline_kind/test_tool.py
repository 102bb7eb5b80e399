"""What is pinned is what is built; a killed build goes on; the tool needs no package, and says why it has no answer."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from offline_kind import base, connect, node, programs
from offline_kind.running import Failed

from harness.stack.kind import docker, parts
from harness.stack.kind.images import choice
from tests.offline_kind import TOOL
from tests.session.needs import needs_docker

HAS_GO = os.access(programs.USUAL_GO, os.X_OK)


def test_manifests_name_the_versions_that_are_built() -> None:
    assert f"image: {node.METRICS_SERVER}\n" in parts.METRICS_SERVER.read_text()
    assert f"image: {node.KUBE_ROUTER}\n" in (TOOL / "kube-router.yaml").read_text()
    assert programs.MODULES["kube-router"].version() == node.KUBE_ROUTER.rpartition(":")[2]
    pinned = (programs.SOURCES / "kubernetes" / "go.mod").read_text()
    assert f"sigs.k8s.io/metrics-server {node.METRICS_SERVER.rpartition(':')[2]} " in pinned
    minor = re.search(r"v1\.(\d+)", programs.MODULES["kubernetes"].version())
    assert minor is not None
    assert f"v1.{minor[1]}." in choice.PINNED.tag  # both images run the same Kubernetes line


def test_each_module_lies_here_and_has_its_version() -> None:
    for name, module in programs.MODULES.items():
        assert (programs.SOURCES / module.source / "go.mod").is_file()
        assert bool(module.version()) == bool(module.version_of), f"go.mod of {name} pins no {module.version_of}"
    of_pods, usual = programs.MODULES["prometheus-in-cluster"], programs.MODULES["prometheus"]
    assert of_pods.version() == usual.version() and "enable_kubernetes_sd" in of_pods.tags


def test_the_names_of_images_follow_what_is_in_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert base.tag(["b", "a"], "trixie") == base.tag(["a", "b"], "trixie")
    assert base.tag(["a"], "trixie") != base.tag(["a"], "bookworm")
    before = node.images(tmp_path)
    assert node.images(tmp_path / "elsewhere") == before
    monkeypatch.setattr(node, "_NETWORK_PACKAGES", ("iptables",))
    assert node.images(tmp_path) != before


def test_our_own_go_is_part_of_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = tmp_path / "secrets-store"
    (module / "registrar").mkdir(parents=True)
    (module / "go.mod").write_text("module m\n")
    (module / "registrar" / "main.go").write_text("package main\n")
    monkeypatch.setattr(programs, "SOURCES", tmp_path)
    before = programs.MODULES["secrets-store"].folder(tmp_path)
    (module / "registrar" / "main.go").write_text("package main // changed\n")
    assert programs.MODULES["secrets-store"].folder(tmp_path) != before


def test_a_node_leads_its_pods_to_the_others_and_services_stay_inside() -> None:
    first, second = connect.Node("a", "172.19.0.2", "10.244.0.0/24"), connect.Node("b", "172.19.0.3", "10.244.1.0/24")
    said = connect.commands(first, [second])
    assert "ip route replace 10.244.1.0/24 via 172.19.0.3" in said
    assert not any(first.address in line for line in said), "no route to its own pods by another node"
    (written,) = (line for line in said if line.startswith("printf"))
    assert json.loads(written.split("'")[3])["plugins"][0]["ipam"]["ranges"] == [[{"subnet": first.pod_cidr}]]
    assert sum("-j REJECT" in line and "10.96.0.0/16" in line for line in said) == 2


def test_without_go_a_person_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "USUAL_GO", tmp_path / "go")
    with pytest.raises(Failed, match="no Go to build it with") as error:
        programs.ensure("pause", tmp_path)
    assert "install Go" in error.value.remedy


def tool(*words: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-ES", str(TOOL), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env={"PATH": path})


@pytest.mark.process
def test_it_needs_no_package_and_says_why_it_has_no_answer(tmp_path: Path) -> None:
    assert "node-images" in tool("--help").stdout
    words = ("--store", str(tmp_path), "base-image", "mount")
    lacking = tool(*words, path=str(tmp_path))
    assert lacking.returncode == 1 and "looking for the image" in lacking.stderr and not lacking.stdout
    (said,) = json.loads(tool("--json", *words, path=str(tmp_path)).stdout).values()
    assert said["where"] == "docker"


@pytest.mark.process
def test_a_killed_build_goes_on(tmp_path: Path) -> None:
    if not HAS_GO:
        pytest.skip("no Go here to build with")
    folder = programs.MODULES["pause"].folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "pause.half").write_bytes(b"half of a program")
    for heard in ("1 of 1", ""):
        done = subprocess.run(
            [sys.executable, "-ES", str(TOOL), "--store", str(tmp_path), "programs", "pause"],
            capture_output=True, text=True, check=True, timeout=300,
        )  # fmt: skip
        assert heard in done.stderr and bool(heard) == bool(done.stderr)
        assert done.stdout.strip() == str(folder)
    assert [path.name for path in folder.iterdir()] == ["pause"]
    process = subprocess.Popen([folder / "pause"])
    process.terminate()
    assert process.wait(5) in {0, -15}  # 0 when it had set up its handler already


@pytest.mark.kind
@pytest.mark.nightly
@pytest.mark.timeout(900)
@needs_docker
async def test_a_node_has_its_parts_by_the_manifests_names_and_docker_by_ours(tmp_path: Path) -> None:
    """Of a node no more than its packages, and one small part under two names."""
    if not HAS_GO:
        pytest.skip("no Go here to build with")
    pause = programs.ensure("pause", tmp_path) / "pause"
    (tmp_path / "another").write_bytes(pause.read_bytes())
    (tmp_path / "another").chmod(0o755)
    components = [
        node.Component("registry.k8s.io/pause:test", pause),
        node.Component("docker.io/a/b:v1", tmp_path / "another"),
    ]
    parent, made = (f"tekutoko-rehearsal/test-{os.getpid()}:{name}" for name in ("parent", "made"))
    (tmp_path / "scratch").mkdir()
    work = node.Work(tmp_path, tmp_path / "scratch", f"test-{os.getpid()}.")
    based = base.ensure(node._NODE_PACKAGES, node.SUITE, work.store, work.scratch)
    context = tmp_path / "context"
    context.mkdir()
    (context / "import-images").write_bytes((node.SOURCES / "import-images").read_bytes())
    (context / "import-images").chmod(0o755)
    (context / "Dockerfile").write_text(f"FROM {based}\nCOPY import-images /usr/local/bin/\n")
    try:
        await docker.docker("build", "--tag", parent, context, what="building")
        node.load(work, parent, made, components)
        listing = "containerd >/dev/null 2>&1 & sleep 5; ctr --namespace k8s.io images list --quiet"
        of = ("run", "--rm", "--privileged", "--entrypoint", "sh", made, "-c", listing)
        listed = (await docker.docker(*of, what="listing")).split()
        names = [name for name in listed if not name.startswith("sha256:")]  # those are the kubelet's, of each id
        assert names == ["docker.io/a/b:v1", "registry.k8s.io/pause:test"]
        named = await docker.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", what="listing")
        assert not {"registry.k8s.io/pause:test", "a/b:v1"} & set(named.split())
        assert not [tag for tag in await docker.tags(node.INTERIM) if tag.startswith(work.interim)]
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
