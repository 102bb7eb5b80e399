"""Node images for machines where the official ``kindest/node`` cannot be pulled.

Two, of the same layers: workers hold kube-proxy, pause, CoreDNS, metrics-server and kube-router; the control plane also
etcd and Kubernetes' own. kind copies an image's ``/var`` into each node, so what a worker does not run is not there.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from offline_kind import base, programs
from offline_kind.programs import MODULES
from offline_kind.running import LABEL, REPOSITORY, Failed, docker, has_image, locked, run, say

SOURCES = Path(__file__).resolve().parents[1] / "node"
STEP_LIMIT_S = 600.0
INTERIM = f"{REPOSITORY}/interim"
METRICS_SERVER = "registry.k8s.io/metrics-server/metrics-server:v0.8.0"
KUBE_ROUTER = "docker.io/cloudnativelabs/kube-router:v2.1.0"
SUITE = "trixie"
_NETWORK_MANIFEST = SOURCES.parent / "kube-router.yaml"  # what kind applies in place of kindnet's
_NODE_PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "containerd", "runc", "containernetworking-plugins"),
    *("iptables", "nftables", "ebtables", "ipset", "conntrack", "ethtool", "socat", "iproute2"),
    *("kmod", "mount", "util-linux", "procps", "hostname", "jq", "curl", "ca-certificates"),
)
_NETWORK_PACKAGES = ("iptables", "conntrack", "ipset", "iproute2", "ca-certificates")
_BUILT = ("pause", "kind", "etcd", "kubernetes", "kube-router", "coredns")


class Images(NamedTuple):
    """The images of the nodes, as kind's configuration names them."""

    control_plane: str
    worker: str


class Work(NamedTuple):
    """Where a build works: ``store`` holds the programs, ``scratch`` what is gone afterwards; the names of Docker's
    interim things begin with ``interim``, so that whoever asked can take away what a killed build left."""

    store: Path
    scratch: Path
    interim: str

    def program(self, module: str, name: str) -> Path:
        """Where a program of ``module`` lies."""
        return MODULES[module].folder(self.store) / name


class Component(NamedTuple):
    """An image inside the node image: a program on ``parent``, under the name that manifests use."""

    name: str
    program: Path
    parent: str = "scratch"


def images(store: Path) -> Images:
    """Return the names of the images for the pinned versions, built or not."""
    facts = [MODULES[name].folder(store).name for name in _BUILT]
    facts += [base.tag(_NODE_PACKAGES, SUITE), base.tag(_NETWORK_PACKAGES, SUITE), METRICS_SERVER, KUBE_ROUTER]
    files = b"".join(path.read_bytes() for path in (*sorted(SOURCES.iterdir()), _NETWORK_MANIFEST))
    key = hashlib.sha256(" ".join(facts).encode() + files).hexdigest()[:12]
    name = f"{REPOSITORY}/node:{MODULES['kubernetes'].version()}-{key}"
    return Images(f"{name}-control-plane", f"{name}-worker")


def ensure(work: Work) -> Images:
    """Build the node images where Docker lacks them (about 15 minutes, once a machine; goes on where killed).

    Raises ``Failed`` with what is missing.
    """
    wanted = images(work.store)
    with locked(work.store / "node-image.lock"):
        if not all(map(has_image, wanted)):
            say("building the node image (about 15 minutes, once a machine)")
            network = base.ensure(_NETWORK_PACKAGES, SUITE, work.store, work.scratch)
            check_privileged(network)
            node = base.ensure(_NODE_PACKAGES, SUITE, work.store, work.scratch)
            for name in _BUILT:
                programs.ensure(name, work.store)
            _build(wanted, node, network, work)
    return wanted


def check_privileged(image: str) -> None:
    """Run a privileged container of ``image``, as each node is one. Raises ``Failed`` when it may not."""
    docker(
        *("run", "--rm", "--privileged", *LABEL, "--entrypoint", "/bin/true", image),
        what="running a privileged container",
        remedy="kind's nodes are privileged containers; where root lacks CAP_SYS_RESOURCE, .ci/dockerd starts a Docker "
        "that does without it",
    )


def _build(wanted: Images, node: str, network: str, work: Work) -> None:
    names = _kubeadm_names(work)
    say("building the node image: Debian, kind's own files, kubelet")
    bare = f"{INTERIM}:{work.interim}bare"
    _build_bare(work, bare, node, names["pause"])
    try:
        say("building the node image: what workers run")
        load(work, bare, wanted.worker, _on_workers(work, names, network))
        say("building the node image: what the control plane runs")
        load(work, wanted.worker, wanted.control_plane, _on_control_plane(work, names))
    finally:
        docker("image", "rm", bare, what="removing an interim image")


def _on_workers(work: Work, names: dict[str, str], network: str) -> list[Component]:
    return [
        Component(names["pause"], work.program("pause", "pause")),
        Component(names["coredns"], work.program("coredns", "coredns")),
        Component(METRICS_SERVER, work.program("kubernetes", "metrics-server")),
        Component(names["kube-proxy"], work.program("kubernetes", "kube-proxy"), network),
        Component(KUBE_ROUTER, work.program("kube-router", "kube-router"), network),
    ]


def _on_control_plane(work: Work, names: dict[str, str]) -> list[Component]:
    own = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    return [
        Component(names["etcd"], work.program("etcd", "etcd")),
        *(Component(names[program], work.program("kubernetes", program)) for program in own),
    ]


def _kubeadm_names(work: Work) -> dict[str, str]:
    """Which image kubeadm expects for each part, such as ``registry.k8s.io/etcd:3.6.5-0`` for ``etcd``."""
    kubeadm, version = work.program("kubernetes", "kubeadm"), MODULES["kubernetes"].version()
    command = (kubeadm, "config", "images", "list", "--kubernetes-version", version)
    listed = run(*command, what="asking kubeadm for its images").split()
    names = {name.rpartition(":")[0].rpartition("/")[2]: name for name in listed}
    if lacking := {"pause", "etcd", "coredns", "kube-proxy", "kube-apiserver"} - names.keys():
        raise Failed(f"kubeadm {version} names no image for {', '.join(sorted(lacking))}", str(kubeadm))
    return names


def _build_bare(work: Work, name: str, parent: str, pause: str) -> None:
    """The node without any image in it. kind's own files come from its module, of which the binary was built."""
    context = work.scratch / "node"
    _fill(work, context, programs.source("kind") / "images" / "base" / "files")
    facts = {"BASE": parent, "PAUSE": pause, "VERSION": MODULES["kubernetes"].version()}
    arguments = [part for key, value in facts.items() for part in ("--build-arg", f"{key}={value}")]
    versions = [f"--label=harness.version.{each}={MODULES[each].version()}" for each in _BUILT if each != "pause"]
    options = ("--force-rm", "--tag", name, *arguments, *versions, *LABEL)
    docker("build", *options, context, what="building the node image", limit_s=STEP_LIMIT_S)


def _fill(work: Work, context: Path, kind_files: Path) -> None:
    # Contents without modes: Go's module cache is read-only.
    shutil.copytree(kind_files, context / "files", copy_function=shutil.copyfile)
    for folder in (context / "files").rglob("*/"):
        folder.chmod(0o755)
    (context / "files").chmod(0o755)
    for script in ("start-node", "import-images"):
        shutil.copyfile(SOURCES / script, context / "files" / "usr" / "local" / "bin" / script)
    (context / "programs").mkdir()
    for program in ("kubeadm", "kubelet", "kubectl"):
        shutil.copy(work.program("kubernetes", program), context / "programs" / program)
    manifests = context / "files" / "kind" / "manifests"
    manifests.mkdir(parents=True)
    shutil.copyfile(_NETWORK_MANIFEST, manifests / "default-cni.yaml")
    shutil.copyfile(SOURCES / "Dockerfile", context / "Dockerfile")


def load(work: Work, parent: str, name: str, components: Iterable[Component]) -> None:
    """Make the image ``name``: ``parent`` with the components' images in its containerd. Raises ``Failed``."""
    wanted = {f"{INTERIM}:{work.interim}{each.program.name}": each for each in components}
    for tag, component in wanted.items():
        _build_component(work.scratch / component.program.name, tag, component)
    archive, container = work.scratch / "images.tar", f"{work.interim}node"
    docker("save", "--output", archive, *wanted, what="saving images", limit_s=STEP_LIMIT_S)
    docker("image", "rm", *wanted, what="removing interim images")
    mount = ("--volume", f"{archive}:/images.tar:ro")
    named = ("run", "--privileged", "--name", container, *LABEL, *mount)
    run_in = (*named, "--entrypoint", "/usr/local/bin/import-images", parent)
    renamed = [f"{tag}={component.name}" for tag, component in wanted.items()]
    try:
        docker(*run_in, *renamed, what="loading images into the node image", limit_s=STEP_LIMIT_S)
        change = ("--change", 'ENTRYPOINT ["/usr/local/bin/start-node"]', "--change", "CMD []")
        docker("commit", *change, container, name, what="keeping the node image", limit_s=STEP_LIMIT_S)
    finally:
        docker("rm", "--force", "--volumes", container, what="removing the interim container")


def _build_component(context: Path, tag: str, component: Component) -> None:
    program = component.program.name
    context.mkdir()
    shutil.copy(component.program, context / program)
    lines = [f"FROM {component.parent}", f"COPY {program} /usr/local/bin/", f'ENTRYPOINT ["/usr/local/bin/{program}"]']
    lines.append("ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    (context / "Dockerfile").write_text("\n".join(lines) + "\n")
    what = f"building the image of {program}"
    docker("build", "--force-rm", *LABEL, "--tag", tag, context, what=what, limit_s=STEP_LIMIT_S)
    shutil.rmtree(context)
