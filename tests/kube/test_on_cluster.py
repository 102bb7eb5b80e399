"""The rung kube's promises on the session's cluster: what it may not do, what cannot start, what a kill -9 leaves.

As ``stack up``, which makes all that a run makes. Each looks at all namespaces: none is left, none of others touched.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from harness.base.errors import Exit
from harness.stack.kind.record import Cluster
from harness.stack.state.lease import identity
from tests.kind.in_docker import kubectl
from tests.session.needs import needs_docker

pytestmark = [pytest.mark.stack, pytest.mark.kind, pytest.mark.timeout(900, func_only=True), needs_docker]
ROOT = Path(__file__).resolve().parents[2]
LABEL = {"app.kubernetes.io/managed-by": "tekutoko-rehearsal"}


class On:
    """One cluster, by its control plane's kubectl."""

    def __init__(self, made: Cluster) -> None:
        self.made = made

    def kubectl(self, *words: str, stdin: str = "") -> str:
        return kubectl(self.made, *words, stdin=stdin)

    def namespaces(self, of: str = "") -> set[str]:
        """Those that a process ``of`` made: the run's id ends in it. Others' runs may come and go meanwhile."""
        items = json.loads(self.kubectl("get", "namespaces", "-o", "json"))["items"]
        return {item["metadata"]["name"] for item in items if of in item["metadata"]["name"]}

    def make_namespace(self, name: str, annotations: dict[str, str], labels: dict[str, str]) -> None:
        metadata = {"name": name, "annotations": annotations, "labels": labels}
        document = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        self.kubectl("create", "-f", "-", stdin=json.dumps(document))


@pytest.fixture
def on(kind_cluster: Cluster) -> On:
    return On(kind_cluster)


def harness(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "harness", *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def up(on: On, folder: Path, *words: str, kubeconfig: Path | None = None) -> subprocess.Popen[str]:
    named = ["--context", on.made.context, "--kubeconfig", str(kubeconfig or on.made.kubeconfig)]
    return harness("stack", "up", "--on", "kube", *named, "--yes-use-this-cluster", "--reports", str(folder), *words)


@pytest.fixture
def powerless(on: On, tmp_path: Path) -> Iterator[Path]:
    """A kubeconfig of an account that may look at pods and nothing else."""
    name = f"powerless-{os.getpid()}"
    on.make_namespace(name, {}, {})
    try:
        on.kubectl("-n", name, "create", "serviceaccount", "somebody")
        token = on.kubectl("-n", name, "create", "token", "somebody").strip()
        config = yaml.safe_load(on.made.kubeconfig.read_text())
        for user in config["users"]:
            user["user"] = {"token": token}
        path = tmp_path / "powerless"
        path.write_text(yaml.safe_dump(config))
        yield path
    finally:
        on.kubectl("delete", "namespace", name, "--wait=false")


def test_refused_permissions_are_named_and_nothing_is_made(on: On, powerless: Path, tmp_path: Path) -> None:
    process = up(on, tmp_path / "reports", kubeconfig=powerless)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == Exit.STACK, said
    assert "may not do what a run needs" in said
    assert "create/delete/get/list namespaces" in said and "create/get pods/portforward" in said
    assert on.namespaces(f"-{process.pid:x}") == set()


def test_what_reaches_beyond_the_namespace_is_left_out_and_never_made(on: On, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "deploy" / "kubernetes", tmp_path / "kubernetes")
    folder = tmp_path / "kubernetes" / "overlays" / "kube"
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "wide"}}
    (folder / "role.yaml").write_text(yaml.safe_dump({**role, "rules": []}))
    text = (folder / "kustomization.yaml").read_text()
    assert text.endswith("- ../../base\n"), "the list of resources, to which one is added"
    (folder / "kustomization.yaml").write_text(f"{text}- role.yaml\n")
    process = up(on, tmp_path / "reports", "--manifests", str(folder))
    said, _ = process.communicate(timeout=120)
    assert process.returncode == Exit.STACK, said
    assert "ErrImageNeverPull" in said, "all else was made: this cluster has no image of ours"
    assert on.kubectl("get", "clusterrole", "wide", "--ignore-not-found") == ""
    assert on.namespaces(f"-{process.pid:x}") == set()


@pytest.mark.nightly  # the words are asked in test_parts.py; refused permissions and Ctrl-C end the same way per push
def test_an_image_that_cannot_be_pulled_is_named_and_nothing_is_left(on: On, tmp_path: Path) -> None:
    process = up(on, tmp_path / "reports", "--image-registry", "127.0.0.1:1/nowhere")
    said, _ = process.communicate(timeout=300)
    assert process.returncode == Exit.STACK, said
    assert "ErrImagePull" in said or "ImagePullBackOff" in said
    assert "image 127.0.0.1:1/nowhere/tekutoko-rehearsal/" in said and "--image-registry" in said
    assert "LEAK" not in said
    assert on.namespaces(f"-{process.pid:x}") == set()


def seen(on: On, process: subprocess.Popen[str]) -> None:
    """Returns when the namespace of ``process`` is there."""
    deadline = time.monotonic() + 180
    while not on.namespaces(f"-{process.pid:x}"):
        assert process.poll() is None and time.monotonic() < deadline, "no namespace was made"
        time.sleep(0.5)


@pytest.fixture
def cordoned(on: On) -> Iterator[None]:
    """Pods wait for a node, so that a run is in the middle for as long as a test wants."""
    nodes = on.kubectl("get", "nodes", "-o", "name").split()
    on.kubectl("cordon", *nodes)
    try:
        yield
    finally:
        on.kubectl("uncordon", *nodes)


@pytest.mark.usefixtures("cordoned")
def test_ctrl_c_in_the_middle_leaves_nothing(on: On, tmp_path: Path) -> None:
    process = up(on, tmp_path / "reports")
    seen(on, process)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == Exit.INTERRUPTED, said
    assert "LEAK" not in said
    assert on.namespaces(f"-{process.pid:x}") == set()


@pytest.mark.nightly  # per push a killed run is swept on local, and a half-made cluster on kind
@pytest.mark.usefixtures("cordoned")
def test_what_a_killed_run_leaves_goes_with_stack_down_and_nothing_else_does(on: On, tmp_path: Path) -> None:
    foreign, remote = f"foreign-{os.getpid()}", f"remote-{os.getpid()}"
    dead = {"tekutoko-rehearsal.owner": "1/none", "tekutoko-rehearsal.run": "x"}
    on.make_namespace(foreign, {**dead, "tekutoko-rehearsal.machine": identity()}, {})  # without our label
    on.make_namespace(remote, {**dead, "tekutoko-rehearsal.machine": "another"}, LABEL)
    process = up(on, tmp_path / "reports")
    try:
        seen(on, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert len(on.namespaces(f"-{process.pid:x}")) == 1
        words = ["--context", on.made.context, "--kubeconfig", str(on.made.kubeconfig)]
        unconfirmed = harness("stack", "down", "--on", "kube", *words)
        assert unconfirmed.communicate(timeout=60) and unconfirmed.returncode == Exit.USAGE
        down = harness("stack", "down", "--on", "kube", *words, "--yes-use-this-cluster")
        said, _ = down.communicate(timeout=180)
        assert down.returncode == Exit.OK, said
        assert f"-{process.pid:x}" in said and remote in said, said
        assert on.namespaces(f"-{process.pid:x}") == set()
        assert on.namespaces() >= {foreign, remote}
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
        on.kubectl("delete", "namespace", foreign, remote, "--wait=false")
        harness("stack", "down", "--on", "local").communicate(timeout=60)  # the killed run's own processes and folder
