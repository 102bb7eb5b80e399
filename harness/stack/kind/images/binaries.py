"""Programs built from Go modules that are pinned beside this file, each once a machine.

They lie in ``home()/kind/binaries/<module>-<key>/``; a program appears there whole, by a rename, or not at all, so a
build that was killed goes on where it was. The key changes with the pinned versions and the way of building.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
from collections.abc import Collection
from pathlib import Path

import msgspec

from harness.base.clock import NS, Clock
from harness.base.errors import StackNotStarted
from harness.base.home import home, use
from harness.model.message import Tell, message
from harness.stack.kind.commands import run
from harness.stack.kind.lock import locked

USUAL_GO = Path("/usr/local/go/bin/go")
SOURCES = Path(__file__).parent / "go"
BUILD_LIMIT_S = 1500.0  # one program, cold, on two shared cores
ALL_LIMIT_S = 3600.0
_VERSION = "k8s.io/component-base/version"


class Module(msgspec.Struct, frozen=True):
    """A Go module of ``go/`` and the packages to build of it, by program name. ``version_of`` names the one that the
    programs report as theirs; ``tags`` are build tags."""

    name: str
    programs: dict[str, str]
    version_of: str = ""
    tags: tuple[str, ...] = ()

    def version(self) -> str:
        """The pinned version of ``version_of``, such as ``v1.34.4``."""
        found = re.search(rf"^(?:require)?\s+{re.escape(self.version_of)} (v\S+)", self._read("go.mod"), re.MULTILINE)
        assert found is not None, f"go/{self.name}/go.mod pins no {self.version_of}"
        return found[1]

    def folder(self) -> Path:
        """Where its programs lie, built or not."""
        programs = (f"{name}={package}" for name, package in self.programs.items())
        facts = " ".join([platform.machine(), *self.link_flags(), *self.tags, *programs])
        sources = sorted(path for path in (SOURCES / self.name).rglob("*") if path.is_file())
        key = hashlib.sha256(facts.encode() + b"".join(path.read_bytes() for path in sources))
        return home() / "kind" / "binaries" / f"{self.name}-{key.hexdigest()[:12]}"

    def link_flags(self) -> list[str]:
        """The linker's flags. kubeadm, kubelet and kind read the version that Kubernetes programs are linked with."""
        if self.name != "kubernetes":
            return ["-s", "-w"]
        version = self.version()
        major, minor, _patch = version.removeprefix("v").split(".")
        facts = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
        return ["-s", "-w", *(f"-X={_VERSION}.{name}={value}" for name, value in facts.items())]

    def _read(self, name: str) -> str:
        return (SOURCES / self.name / name).read_text()


_KUBERNETES = (
    "kubeadm",
    "kubelet",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubectl",
)
KUBERNETES = Module(
    "kubernetes",
    {name: f"k8s.io/kubernetes/cmd/{name}" for name in _KUBERNETES}
    # In Kubernetes' own module, where it shares most packages: half the time of a module of its own.
    | {"metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server"},
    "k8s.io/kubernetes",
)
ETCD = Module("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}, "go.etcd.io/etcd/server/v3")
KIND = Module("kind", {"kind": "sigs.k8s.io/kind"}, "sigs.k8s.io/kind")
KUBE_ROUTER = Module(
    "kube-router",
    {"kube-router": "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"},
    "github.com/cloudnativelabs/kube-router/v2",
)
COREDNS = Module("coredns", {"coredns": "github.com/coredns/coredns"}, "github.com/coredns/coredns")
PAUSE = Module("pause", {"pause": "."})
SECRETS_STORE = Module(
    "secrets-store",
    {
        "secrets-store-csi-driver": "sigs.k8s.io/secrets-store-csi-driver/cmd/secrets-store-csi-driver",
        "registrar": "./registrar",  # kubernetes-csi's own is not served by every module proxy
        "secretmanager": "./secretmanager",
    },
    "sigs.k8s.io/secrets-store-csi-driver",
)
CONTOUR = Module(  # Apache-2.0, of the CNCF: an Ingress controller that needs no cluster-wide rights
    "contour",
    {"contour": "github.com/projectcontour/contour/cmd/contour"},
    "github.com/projectcontour/contour",
)
COMPOSE = Module(  # Apache-2.0; of the tests alone: no rung needs it
    "compose", {"docker-compose": "github.com/docker/compose/v2/cmd"}, "github.com/docker/compose/v2"
)
REGISTRY = Module(  # Apache-2.0, the reference registry; of the tests alone: images pulled as from docker.io
    "registry",
    {"registry": "github.com/distribution/distribution/v3/cmd/registry"},
    "github.com/distribution/distribution/v3",
)
PROMETHEUS = Module(  # Apache-2.0, of the CNCF; no service discovery but files, which halves what is compiled
    "prometheus",
    {
        "promtool": "github.com/prometheus/prometheus/cmd/promtool",
        "prometheus": "github.com/prometheus/prometheus/cmd/prometheus",
    },
    "github.com/prometheus/prometheus",
    ("remove_all_sd",),
)
#: The same pinned Prometheus as a pod, which finds other pods by asking the API server.
PROMETHEUS_IN_CLUSTER = msgspec.structs.replace(
    PROMETHEUS,
    programs={"prometheus": PROMETHEUS.programs["prometheus"]},
    tags=(*PROMETHEUS.tags, "enable_kubernetes_sd"),
)
PROMETHEUS_ADAPTER = Module(  # Apache-2.0, of Kubernetes' SIG Instrumentation: external metrics for the autoscaler
    "prometheus-adapter",
    {"prometheus-adapter": "sigs.k8s.io/prometheus-adapter/cmd/adapter"},
    "sigs.k8s.io/prometheus-adapter",
)
ALERTMANAGER = Module(  # Apache-2.0, of the CNCF; later ones need a page that their module does not hold
    "alertmanager",
    {"alertmanager": "github.com/prometheus/alertmanager/cmd/alertmanager"},
    "github.com/prometheus/alertmanager",
)
SLOTH = Module(  # Apache-2.0: the burn-rate rules of the objectives, when they are rendered
    "sloth", {"sloth": "github.com/slok/sloth/cmd/sloth"}, "github.com/slok/sloth"
)
ACTIONLINT = Module(  # MIT; of lint alone: what the workflows say
    "actionlint", {"actionlint": "github.com/rhysd/actionlint/cmd/actionlint"}, "github.com/rhysd/actionlint"
)


async def ensure(module: Module, clock: Clock, progress: Tell, only: Collection[str] = ()) -> Path:
    """The folder with the module's programs (``only`` some of them), built first where they are missing: one at a time,
    a line each.

    Raises ``StackNotStarted`` when there is no Go, modules cannot be fetched, or a build fails.
    """
    folder = use(module.folder())
    if not missing(module, only):
        return folder
    async with locked(folder.with_suffix(".lock"), clock, progress, limit_s=ALL_LIMIT_S) as lock:
        left = missing(module, only)
        _make_folder(folder)
        for number, program in enumerate(left, 1):
            progress(
                message(
                    "building {program} from Go modules ({module}: {number} of {all}, once a machine)",
                    program=program,
                    module=module.name,
                    number=str(number),
                    all=str(len(left)),
                )
            )
            start_ns = clock.now_ns()
            await _build(module, program, folder, lock)
            progress(
                message(
                    "built {program} in {seconds} s", program=program, seconds=f"{(clock.now_ns() - start_ns) / NS:.0f}"
                )
            )
    return folder


def missing(module: Module, only: Collection[str] = ()) -> list[str]:
    """The module's programs (``only`` some of them) that are not built yet."""
    return [each for each in only or module.programs if not (module.folder() / each).exists()]


async def _build(module: Module, program: str, folder: Path, lock: int) -> None:
    half = folder / f"{program}.half"
    _remove(half)  # Go does not write over what is no program, as half of one may be
    tags = ["-tags", ",".join(module.tags)] if module.tags else []
    flags: list[str | Path] = ["-trimpath", *tags, "-ldflags", " ".join(module.link_flags()), "-o", half]
    await run(
        [go(program), "build", *flags, module.programs[program]],
        what=f"building {program}",
        limit_s=BUILD_LIMIT_S,
        folder=SOURCES / module.name,
        environment={"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"},
        remedy="check that Go's module proxy can be reached (go env GOPROXY), and the space on the disk",
        keep=[lock],  # a killed harness' build ends before the next one begins
    )
    half.rename(folder / program)


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)


def go(program: str) -> str:
    """The Go to build ``program`` with. Raises ``StackNotStarted`` when there is none."""
    if (found := shutil.which("go")) is not None:
        return found
    if os.access(USUAL_GO, os.X_OK):
        return str(USUAL_GO)
    raise StackNotStarted(
        message("{program} has to be built, and there is no Go to build it with", program=program),
        where=message("PATH and {usual_go}", usual_go=str(USUAL_GO)),
        remedy="install Go 1.26 or newer (or kind of the pinned version, and let Docker reach docker.io)",
    )
