"""Programs built from Go modules that are pinned in ``go/``, each once a machine.

They lie in ``<store>/binaries/<module>-<key>/``; a program appears there whole, by a rename, or not at all, so a
build that was killed goes on where it was. The key changes with the pinned versions and the way of building.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from offline_kind.running import Failed, locked, run, say

USUAL_GO = Path("/usr/local/go/bin/go")
SOURCES = Path(__file__).resolve().parents[1] / "go"
BUILD_LIMIT_S = 1500.0  # one program, cold, on two shared cores
_VERSION = "k8s.io/component-base/version"
_KUBERNETES = (
    *("kubeadm", "kubelet", "kube-apiserver", "kube-controller-manager"),
    *("kube-scheduler", "kube-proxy", "kubectl"),
)


class Module(NamedTuple):
    """A Go module of ``go/`` and the packages to build of it, by program name. ``version_of`` names the one that the
    programs report as theirs; ``tags`` are build tags."""

    source: str
    programs: dict[str, str]
    version_of: str = ""
    tags: tuple[str, ...] = ()

    def version(self) -> str:
        """The pinned version of ``version_of``, such as ``v1.34.4``; "" where it names none."""
        written = (SOURCES / self.source / "go.mod").read_text()
        found = re.search(rf"^(?:require)?\s+{re.escape(self.version_of)} (v\S+)", written, re.MULTILINE)
        return found[1] if found and self.version_of else ""

    def folder(self, store: Path) -> Path:
        """Where its programs lie, built or not."""
        programs = (f"{name}={package}" for name, package in self.programs.items())
        facts = " ".join([platform.machine(), *self.link_flags(), *self.tags, *programs])
        sources = sorted(path for path in (SOURCES / self.source).rglob("*") if path.is_file())
        key = hashlib.sha256(facts.encode() + b"".join(path.read_bytes() for path in sources))
        return store / "binaries" / f"{self.source}-{key.hexdigest()[:12]}"

    def link_flags(self) -> list[str]:
        """The linker's flags. kubeadm, kubelet and kind read the version that Kubernetes programs are linked with."""
        if self.source != "kubernetes":
            return ["-s", "-w"]
        version = self.version()
        major, minor, _patch = version.removeprefix("v").split(".")
        facts = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
        return ["-s", "-w", *(f"-X={_VERSION}.{name}={value}" for name, value in facts.items())]


#: By the name that the command knows.
MODULES = {
    "kubernetes": Module(
        "kubernetes",
        {name: f"k8s.io/kubernetes/cmd/{name}" for name in _KUBERNETES}
        # In Kubernetes' own module, where it shares most packages: half the time of a module of its own.
        | {"metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server"},
        "k8s.io/kubernetes",
    ),
    "etcd": Module("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}, "go.etcd.io/etcd/server/v3"),
    "kind": Module("kind", {"kind": "sigs.k8s.io/kind"}, "sigs.k8s.io/kind"),
    "kube-router": Module(
        "kube-router",
        {"kube-router": "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"},
        "github.com/cloudnativelabs/kube-router/v2",
    ),
    "coredns": Module("coredns", {"coredns": "github.com/coredns/coredns"}, "github.com/coredns/coredns"),
    "pause": Module("pause", {"pause": "."}),
    "secrets-store": Module(
        "secrets-store",
        {
            "secrets-store-csi-driver": "sigs.k8s.io/secrets-store-csi-driver/cmd/secrets-store-csi-driver",
            "registrar": "./registrar",  # kubernetes-csi's own is not served by every module proxy
            "secretmanager": "./secretmanager",
        },
        "sigs.k8s.io/secrets-store-csi-driver",
    ),
    # Apache-2.0, of the CNCF: an Ingress controller that needs no cluster-wide rights
    "contour": Module(
        "contour", {"contour": "github.com/projectcontour/contour/cmd/contour"}, "github.com/projectcontour/contour"
    ),
    # Apache-2.0; of the tests alone: no environment needs it
    "compose": Module(
        "compose", {"docker-compose": "github.com/docker/compose/v2/cmd"}, "github.com/docker/compose/v2"
    ),
    # Apache-2.0, the reference registry; of the tests alone: images pulled as from docker.io
    "registry": Module(
        "registry",
        {"registry": "github.com/distribution/distribution/v3/cmd/registry"},
        "github.com/distribution/distribution/v3",
    ),
    # Apache-2.0, of the CNCF; no service discovery but files, which halves what is compiled
    "prometheus": Module(
        "prometheus",
        {
            "promtool": "github.com/prometheus/prometheus/cmd/promtool",
            "prometheus": "github.com/prometheus/prometheus/cmd/prometheus",
        },
        "github.com/prometheus/prometheus",
        ("remove_all_sd",),
    ),
    # The same pinned Prometheus as a pod, which finds other pods by asking the API server.
    "prometheus-in-cluster": Module(
        "prometheus",
        {"prometheus": "github.com/prometheus/prometheus/cmd/prometheus"},
        "github.com/prometheus/prometheus",
        ("remove_all_sd", "enable_kubernetes_sd"),
    ),
    # Apache-2.0, of Kubernetes' SIG Instrumentation: external metrics for the autoscaler
    "prometheus-adapter": Module(
        "prometheus-adapter",
        {"prometheus-adapter": "sigs.k8s.io/prometheus-adapter/cmd/adapter"},
        "sigs.k8s.io/prometheus-adapter",
    ),
    # Apache-2.0, of the CNCF; later ones need a page that their module does not hold
    "alertmanager": Module(
        "alertmanager",
        {"alertmanager": "github.com/prometheus/alertmanager/cmd/alertmanager"},
        "github.com/prometheus/alertmanager",
    ),
    # Apache-2.0: the burn-rate rules of the objectives, when they are rendered
    "sloth": Module("sloth", {"sloth": "github.com/slok/sloth/cmd/sloth"}, "github.com/slok/sloth"),
    # MIT; of lint alone: what the workflows say
    "actionlint": Module(
        "actionlint", {"actionlint": "github.com/rhysd/actionlint/cmd/actionlint"}, "github.com/rhysd/actionlint"
    ),
}


def ensure(name: str, store: Path, only: Sequence[str] = ()) -> Path:
    """Return the folder with the module's programs (``only`` some of them), built first where they are missing.

    Raises ``Failed`` when there is no Go, modules cannot be fetched, or a build fails.
    """
    module, folder = MODULES[name], MODULES[name].folder(store)
    wanted = only or tuple(module.programs)
    if all((folder / program).exists() for program in wanted):
        return folder
    with locked(folder.with_suffix(".lock")) as lock:
        left = [program for program in wanted if not (folder / program).exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for number, program in enumerate(left, 1):
            say(f"building {program} from Go modules ({name}: {number} of {len(left)}, once a machine)")
            start_s = time.monotonic()
            _build(module, program, folder, lock)
            say(f"built {program} in {time.monotonic() - start_s:.0f} s")
    return folder


def source(name: str, of: str = "") -> Path:
    """Return the folder in Go's cache with the source that the module pins. Raises ``Failed``."""
    module = MODULES[name]
    command = (go(f"the source of {name}"), "list", "-m", "-f", "{{.Dir}}", of or module.version_of)
    return Path(run(*command, what=f"finding the module of {name}", folder=SOURCES / module.source).strip())


def go(program: str) -> str:
    """Return the Go to build ``program`` with. Raises ``Failed`` when there is none."""
    if (found := shutil.which("go")) is not None:
        return found
    if os.access(USUAL_GO, os.X_OK):
        return str(USUAL_GO)
    raise Failed(
        f"{program} has to be built, and there is no Go to build it with",
        f"PATH and {USUAL_GO}",
        "install Go 1.26 or newer (or kind of the pinned version, and let Docker reach docker.io)",
    )


def _build(module: Module, program: str, folder: Path, lock: int) -> None:
    half = folder / f"{program}.half"
    half.unlink(missing_ok=True)  # Go does not write over what is no program, as half of one may be
    tags = ["-tags", ",".join(module.tags)] if module.tags else []
    flags: list[str | Path] = ["-trimpath", *tags, "-ldflags", " ".join(module.link_flags()), "-o", half]
    run(
        *(go(program), "build", *flags, module.programs[program]),
        what=f"building {program}",
        limit_s=BUILD_LIMIT_S,
        folder=SOURCES / module.source,
        environment={"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"},
        remedy="check that Go's module proxy can be reached (go env GOPROXY), and the space on the disk",
        keep=[lock],  # a killed process' build ends before the next one begins
    )
    half.rename(folder / program)
