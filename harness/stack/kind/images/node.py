"""Our own node images, for machines where the official ``kindest/node`` cannot be pulled.

Two, of the same layers: workers hold kube-proxy, pause, CoreDNS, metrics-server and kube-router; the control plane also
etcd and Kubernetes' own. kind copies an image's ``/var`` into each node, so what a worker does not run is not there.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec

from harness.base.clock import Clock
from harness.base.errors import StackNotStarted
from harness.base.home import home
from harness.model.message import Tell, message
from harness.stack.kind import docker
from harness.stack.kind.commands import run
from harness.stack.kind.images import base, binaries
from harness.stack.kind.images.building import INTERIM, LABEL, building, interim
from harness.stack.kind.lock import locked
from harness.stack.kubernetes import labels
from harness.stack.state import RunState

SOURCES = Path(__file__).parent / "node"
LIMIT_S = 3600.0
STEP_LIMIT_S = 600.0
CURRENT = "tekutoko-rehearsal/node:current"  # of which `kind create cluster --image` makes any node
_NETWORK_MANIFEST = SOURCES.parents[1] / "addons" / "kube-router.yaml"  # what kind applies in place of kindnet's
METRICS_SERVER = "registry.k8s.io/metrics-server/metrics-server:v0.8.0"
KUBE_ROUTER = "docker.io/cloudnativelabs/kube-router:v2.1.0"
_NODE_PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "containerd", "runc", "containernetworking-plugins"),
    *("iptables", "nftables", "ebtables", "ipset", "conntrack", "ethtool", "socat", "iproute2"),
    *("kmod", "mount", "util-linux", "procps", "hostname", "jq", "curl", "ca-certificates"),
)
_NETWORK_PACKAGES = ("iptables", "conntrack", "ipset", "iproute2", "ca-certificates")
_MODULES = (
    *(binaries.PAUSE, binaries.KIND, binaries.ETCD, binaries.KUBERNETES),
    *(binaries.KUBE_ROUTER, binaries.COREDNS),
)


class NodeImages(msgspec.Struct, frozen=True):
    """The images of the nodes, as kind's configuration names them; ``own`` when built here."""

    control_plane: str
    worker: str
    own: bool


class Component(msgspec.Struct, frozen=True):
    """An image inside the node image: a program on ``parent``, under the name that manifests use."""

    name: str
    program: Path
    parent: str = "scratch"


def images() -> NodeImages:
    """The names of our images for the pinned versions, built or not."""
    facts = [module.folder().name for module in _MODULES]
    facts += [base.tag(_NODE_PACKAGES, "trixie"), base.tag(_NETWORK_PACKAGES, "trixie"), METRICS_SERVER, KUBE_ROUTER]
    files = b"".join(path.read_bytes() for path in (*sorted(SOURCES.iterdir()), _NETWORK_MANIFEST))
    key = hashlib.sha256(" ".join(facts).encode() + files).hexdigest()[:12]
    name = f"tekutoko-rehearsal/node:{binaries.KUBERNETES.version()}-{key}"
    return NodeImages(f"{name}-control-plane", f"{name}-worker", own=True)


async def ensure(clock: Clock, progress: Tell) -> NodeImages:
    """Our node images, built first where Docker lacks them (about 15 minutes, once a machine; goes on where killed).

    Raises ``StackNotStarted`` with what is missing.
    """
    wanted = images()
    if await docker.has_image(wanted.control_plane) and await docker.has_image(wanted.worker):
        return wanted
    async with locked(home() / "kind" / "node-image.lock", clock, progress, limit_s=LIMIT_S):
        if not (await docker.has_image(wanted.control_plane) and await docker.has_image(wanted.worker)):
            progress(message("no image registry answers: building the node image (about 15 minutes, once a machine)"))
            with building(wanted.worker) as state:
                network = await base.ensure(_NETWORK_PACKAGES, clock, progress)
                await docker.check_privileged(network, labels.marks(state.lease))
                node = await base.ensure(_NODE_PACKAGES, clock, progress)
                for module in _MODULES:
                    await binaries.ensure(module, clock, progress)
                await _build(wanted, node, network, state, progress)
    return wanted


async def _build(wanted: NodeImages, node: str, network: str, state: RunState, progress: Tell) -> None:
    names = await _kubeadm_names()
    progress(message("building the node image: Debian, kind's own files, kubelet"))
    bare = f"{INTERIM}:{interim(state, 'bare')}"
    await _build_bare(state.folder / "node", bare, node, names["pause"])
    try:
        progress(message("building the node image: what workers run"))
        await _load(state, bare, wanted.worker, _on_workers(names, network))
        progress(message("building the node image: what the control plane runs"))
        await _load(state, wanted.worker, wanted.control_plane, _on_control_plane(names))
    finally:
        await docker.docker("image", "rm", bare, what="removing an interim image")


def _on_workers(names: dict[str, str], network: str) -> list[Component]:
    kubernetes, router = binaries.KUBERNETES.folder(), binaries.KUBE_ROUTER.folder()
    return [
        Component(names["pause"], binaries.PAUSE.folder() / "pause"),
        Component(names["coredns"], binaries.COREDNS.folder() / "coredns"),
        Component(METRICS_SERVER, kubernetes / "metrics-server"),
        Component(names["kube-proxy"], kubernetes / "kube-proxy", network),
        Component(KUBE_ROUTER, router / "kube-router", network),
    ]


def _on_control_plane(names: dict[str, str]) -> list[Component]:
    kubernetes = binaries.KUBERNETES.folder()
    own = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    return [
        Component(names["etcd"], binaries.ETCD.folder() / "etcd"),
        *(Component(names[program], kubernetes / program) for program in own),
    ]


async def _kubeadm_names() -> dict[str, str]:
    """Which image kubeadm expects for each part, such as ``registry.k8s.io/etcd:3.6.5-0`` for ``etcd``."""
    kubeadm = binaries.KUBERNETES.folder() / "kubeadm"
    version = binaries.KUBERNETES.version()
    command = (str(kubeadm), "config", "images", "list", "--kubernetes-version", version)
    listed = (await run(command, what="asking kubeadm for its images", limit_s=60)).split()
    names = {name.rpartition(":")[0].rpartition("/")[2]: name for name in listed}
    if lacking := {"pause", "etcd", "coredns", "kube-proxy", "kube-apiserver"} - names.keys():
        raise StackNotStarted(
            message("kubeadm {version} names no image for {names}", version=version, names=", ".join(sorted(lacking))),
            where=str(kubeadm),
        )
    return names


async def _build_bare(context: Path, name: str, parent: str, pause: str) -> None:
    """The node without any image in it. kind's own files come from its module, of which the binary was built."""
    command = [binaries.go("the node image"), "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kind"]
    where = await run(command, what="finding kind's module", limit_s=60, folder=binaries.SOURCES / "kind")
    _fill(context, Path(where.strip()) / "images" / "base" / "files")
    facts = {"BASE": parent, "PAUSE": pause, "VERSION": binaries.KUBERNETES.version()}
    arguments = [part for key, value in facts.items() for part in ("--build-arg", f"{key}={value}")]
    versions = [f"--label=harness.version.{module.name}={module.version()}" for module in _MODULES if module.version_of]
    options = ("--force-rm", "--tag", name, *arguments, *versions, *LABEL)
    await docker.docker("build", *options, context, what="building the node image", limit_s=STEP_LIMIT_S)


def _fill(context: Path, kind_files: Path) -> None:
    # Contents without modes: Go's module cache is read-only.
    shutil.copytree(kind_files, context / "files", copy_function=shutil.copyfile)
    for folder in (context / "files").rglob("*/"):
        folder.chmod(0o755)
    (context / "files").chmod(0o755)
    for script in ("start-node", "import-images"):
        shutil.copyfile(SOURCES / script, context / "files" / "usr" / "local" / "bin" / script)
    (context / "programs").mkdir()
    for program in ("kubeadm", "kubelet", "kubectl"):
        shutil.copy(binaries.KUBERNETES.folder() / program, context / "programs" / program)
    manifests = context / "files" / "kind" / "manifests"
    manifests.mkdir(parents=True)
    shutil.copyfile(_NETWORK_MANIFEST, manifests / "default-cni.yaml")
    shutil.copyfile(SOURCES / "Dockerfile", context / "Dockerfile")


async def _load(state: RunState, parent: str, name: str, components: Iterable[Component]) -> None:
    """``name`` is ``parent`` with the components' images in its containerd."""
    wanted = {f"{INTERIM}:{interim(state, component.program.name)}": component for component in components}
    for tag, component in wanted.items():
        await _build_component(state.folder / component.program.name, tag, component)
    archive, container = state.folder / "images.tar", interim(state, "node")
    await docker.docker("save", "--output", archive, *wanted, what="saving images", limit_s=STEP_LIMIT_S)
    await docker.docker("image", "rm", *wanted, what="removing interim images")
    mount = ("--volume", f"{archive}:/images.tar:ro")
    named = ("run", "--privileged", "--name", container, *LABEL, *mount)
    run_in = (*named, "--entrypoint", "/usr/local/bin/import-images", parent)
    renamed = [f"{tag}={component.name}" for tag, component in wanted.items()]
    try:
        await docker.docker(*run_in, *renamed, what="loading images into the node image", limit_s=STEP_LIMIT_S)
        change = ("--change", 'ENTRYPOINT ["/usr/local/bin/start-node"]', "--change", "CMD []")
        await docker.docker("commit", *change, container, name, what="keeping the node image", limit_s=STEP_LIMIT_S)
    finally:
        await docker.remove([container], what="removing the interim container", limit_s=60)


async def _build_component(context: Path, tag: str, component: Component) -> None:
    program = component.program.name
    _fill_component(context, component)
    what = f"building the image of {program}"
    await docker.docker("build", "--force-rm", *LABEL, "--tag", tag, context, what=what, limit_s=STEP_LIMIT_S)
    shutil.rmtree(context)


def _fill_component(context: Path, component: Component) -> None:
    program = component.program.name
    context.mkdir()
    shutil.copy(component.program, context / program)
    lines = [f"FROM {component.parent}", f"COPY {program} /usr/local/bin/", f'ENTRYPOINT ["/usr/local/bin/{program}"]']
    lines.append("ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    (context / "Dockerfile").write_text("\n".join(lines) + "\n")
