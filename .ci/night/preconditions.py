"""What a job needs of its runner, looked at before anything else: each with its source and what to do without it.

A stock ``ubuntu-24.04`` runner has all of it; docs/night.md lists the same table.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GIB = 2**30
_ASK_S = 15.0
#: A local run's packages, emulators and reports; beside them a cluster's four nodes and their images.
DISK_GIB = {"local": 4, "kind": 12}
MEMORY_GIB = {"local": 3, "kind": 7}
BASE = "library/python:3.11-slim-bookworm"  # what most images of ours are made of (harness/stack/kind/images/choice.py)
INOTIFY = 1024  # each node of a cluster and each Envoy holds some (harness/cli/doctor.py)
RUNNER = "actions/runner-images, images/ubuntu/Ubuntu2404-Readme.md"
HOSTED = "docs.github.com, GitHub-hosted runners reference"
ENVIRONMENT = "actions/runner-images, images/ubuntu/scripts/build/configure-environment.sh"


class Machine:
    """The machine as it is; tests bring another."""

    def which(self, program: str) -> str | None:
        """Where a program lies."""
        usual = f"/usr/local/go/bin/{program}"
        return shutil.which(program) or (usual if os.access(usual, os.X_OK) else None)

    def ask(self, *command: str) -> str | None:
        """What a command says; ``None`` when it fails, is missing, or says nothing in time."""
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def read(self, path: str) -> str:
        """A file's content; "" where it cannot be read."""
        try:
            return Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    def free_bytes(self, path: str) -> int:
        """Free space below ``path``, or below the folder it will be made in; much where its disk is not ours to see."""
        folder = Path(path)
        while not folder.exists():
            folder = folder.parent
        try:
            return shutil.disk_usage(folder).free
        except OSError:
            return 2**62

    def listens(self) -> bool:
        """Whether a port of 127.0.0.1 can be listened on."""
        try:
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", 0))
        except OSError:
            return False
        return True

    def facts(self) -> tuple[str, str, tuple[int, int]]:
        """System, machine type, Python's version."""
        return platform.system(), platform.machine(), sys.version_info[:2]

    def home(self) -> str:
        """The harness' own folder (harness/base/home.py)."""
        sys.path.insert(0, str(ROOT))
        from harness.base.home import home

        return str(home())


@dataclass(frozen=True)
class Seen:
    """What a check found; ``ok`` is ``None`` where its lack only changes what is done."""

    ok: bool | None
    found: str


@dataclass(frozen=True)
class Precondition:
    """One of them: what is wanted, where the runner's owner says so, and what to do without it."""

    name: str
    needs: tuple[str, ...]
    wanted: str
    source: str
    remedy: str
    look: Callable[[Machine, str], Seen]


def _system(machine: Machine, _needs: str) -> Seen:
    system, kind, python = machine.facts()
    ok = system == "Linux" and kind in {"x86_64", "aarch64"} and python >= (3, 11)
    return Seen(ok, f"{system} {kind}, Python {python[0]}.{python[1]}")


def _memory(machine: Machine, needs: str) -> Seen:
    for line in machine.read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            gib = int(line.split()[1]) * 1024 / GIB
            return Seen(gib >= MEMORY_GIB[needs], f"{gib:.1f} GiB available")
    return Seen(False, "/proc/meminfo does not say")


def _disk(machine: Machine, needs: str) -> Seen:
    places = [machine.home()]
    if needs == "kind" and (root := machine.ask("docker", "info", "--format", "{{.DockerRootDir}}")):
        places.append(root)
    free = {place: machine.free_bytes(place) / GIB for place in places}
    least = min(free.values())
    return Seen(least >= DISK_GIB[needs], ", ".join(f"{gib:.1f} GiB free below {at}" for at, gib in free.items()))


def _loopback(machine: Machine, _needs: str) -> Seen:
    ok = machine.listens()
    return Seen(ok, "a port of 127.0.0.1 can be listened on" if ok else "no port of 127.0.0.1 can be listened on")


def _docker(machine: Machine, _needs: str) -> Seen:
    if machine.which("docker") is None:
        return Seen(False, "there is no docker in PATH")
    version = machine.ask("docker", "version", "--format", "{{.Server.Version}}")
    if version is None:
        return Seen(False, "no engine answers this user (docker version fails without sudo)")
    major = int(version.split(".")[0]) if version.split(".")[0].isdigit() else 0
    return Seen(major >= 20, f"engine {version} answers this user")


def _cgroups(machine: Machine, _needs: str) -> Seen:
    version = machine.ask("docker", "info", "--format", "{{.CgroupVersion}}") or "unknown"
    return Seen(True if version == "2" else None, f"version {version}")


def _inotify(machine: Machine, _needs: str) -> Seen:
    text = machine.read("/proc/sys/fs/inotify/max_user_instances").strip()
    return Seen(int(text) >= INOTIFY if text.isdigit() else False, f"{text or 'unknown'} for each user")


def _images(machine: Machine, _needs: str) -> Seen:
    """Where a cluster's images will come from: they are here, are pulled, or are built, which needs more."""
    there = machine.ask("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}") or ""
    if any(line.startswith(("kindest/node:", "tekutoko-rehearsal/node:")) for line in there.splitlines()):
        return Seen(True, "a node image is at hand")
    registry = os.environ.get("TEKUTOKO_IMAGE_REGISTRY", "")
    insecure = ("--insecure",) if registry.startswith(("127.", "localhost")) else ()
    asked = ("docker", "manifest", "inspect", *insecure, f"{registry or 'docker.io'}/{BASE}")
    if registry != "none" and machine.ask(*asked) is not None:
        return Seen(True, f"{registry or 'docker.io'} answers: official images are pulled by digest")
    lacking = [program for program in ("go", "mmdebstrap") if machine.which(program) is None]
    if lacking:
        return Seen(False, f"no registry answers, and there is no {' and no '.join(lacking)} to build images with")
    if not _may_unshare(machine):
        return Seen(False, "no registry answers, and mmdebstrap may not make user namespaces here")
    return Seen(True, "no registry answers: images are built here (about 15 minutes)")


def _may_unshare(machine: Machine) -> bool:
    """Ubuntu 24.04 refuses them to programs without an AppArmor profile that grants them; root needs none."""
    return os.geteuid() == 0 or machine.ask("unshare", "--user", "--map-root-user", "true") is not None


def _namespaces(machine: Machine, _needs: str) -> Seen:
    restricted = machine.read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").strip() == "1"
    return Seen(None if restricted else True, "restricted by AppArmor" if restricted else "not restricted")


def _sudo(machine: Machine, _needs: str) -> Seen:
    ok = os.geteuid() == 0 or machine.ask("sudo", "-n", "true") is not None
    return Seen(True if ok else None, "without a password" if ok else "not to be had without a password")


def _go(machine: Machine, _needs: str) -> Seen:
    go = machine.which("go")
    version = machine.ask(go, "env", "GOVERSION") if go else None
    if version is None:
        return Seen(None, "there is no Go")
    parts = [int(part) if part.isdigit() else 0 for part in version.removeprefix("go").split(".")[:2]]
    return Seen(True if parts >= [1, 21] else None, version)


def _node(machine: Machine, _needs: str) -> Seen:
    version = machine.ask("node", "--version") if machine.which("node") else None
    return Seen(True if version else None, version or "none; the locked wheel's is used")


def _kubectl(machine: Machine, _needs: str) -> Seen:
    there = {name: machine.which(name) is not None for name in ("kubectl", "kind")}
    missing = [name for name, found in there.items() if not found]
    return Seen(None if missing else True, f"missing: {', '.join(missing)}" if missing else "both in PATH")


LOCAL, KIND = "local", "kind"
BOTH = (LOCAL, KIND)
ALL = (
    Precondition(
        "system",
        BOTH,
        "Linux, x86_64 or aarch64, Python 3.11 or newer",
        RUNNER,
        "use ubuntu-24.04 and actions/setup-python",
        _system,
    ),
    Precondition("memory", BOTH, "3 GiB available, for a cluster 7", HOSTED, "take a runner with 16 GB", _memory),
    Precondition(
        "disk",
        BOTH,
        "4 GiB free, for a cluster 12",
        HOSTED,
        "docker system prune, or remove /usr/local/lib/android of the runner",
        _disk,
    ),
    Precondition(
        "loopback", BOTH, "ports of 127.0.0.1 above 1024; none below is used", HOSTED, "127.0.0.1 must be up", _loopback
    ),
    Precondition(
        "Docker",
        (KIND,),
        "an engine of version 20 or newer that answers this user",
        RUNNER,
        "add the user to the group docker; as root on Debian .ci/dockerd starts one",
        _docker,
    ),
    Precondition(
        "cgroups",
        (KIND,),
        "version 2; version 1 does with our own node image",
        RUNNER,
        "nothing: our own node image knows version 1",
        _cgroups,
    ),
    Precondition(
        "inotify instances",
        (KIND,),
        "1,024 for each user",
        ENVIRONMENT,
        "as root: sysctl fs.inotify.max_user_instances=1024 (.ci/dockerd does it)",
        _inotify,
    ),
    Precondition(
        "images",
        (KIND,),
        "node image at hand, a registry that answers, or Go and mmdebstrap",
        RUNNER,
        "let Docker reach docker.io, or name a mirror in TEKUTOKO_IMAGE_REGISTRY",
        _images,
    ),
    Precondition(
        "user namespaces",
        (KIND,),
        "only where images are built by mmdebstrap",
        "actions/runner-images issue 10443: AppArmor restricts them on ubuntu-24.04",
        "nothing: pulled images need none",
        _namespaces,
    ),
    Precondition(
        "sudo",
        BOTH,
        "without a password, for the browser's packages alone",
        HOSTED,
        "nothing: the tests that need a browser are left out, and the gate says so",
        _sudo,
    ),
    Precondition(
        "Go",
        (KIND,),
        "1.21 or newer, which fetches the pinned one; for kind, and for lint",
        RUNNER,
        "actions/setup-go, or kind of the pinned version in PATH",
        _go,
    ),
    Precondition("Node", BOTH, "any; else the locked wheel's", RUNNER, "nothing", _node),
    Precondition(
        "kubectl, kind",
        (KIND,),
        "kubectl renders folders of manifests; kind is built where its version is another",
        RUNNER,
        "nothing: the harness installs a kubectl of its own, and builds kind",
        _kubectl,
    ),
)


def look(needs: str, machine: Machine) -> Iterator[tuple[Precondition, Seen]]:
    """Each precondition of a job with these needs, and what was found."""
    for each in ALL:
        if needs in each.needs:
            yield each, each.look(machine, needs)


def report(needs: str, machine: Machine) -> tuple[list[str], list[str]]:
    """All lines to print, and the sentences that say why the job cannot run; none when it can."""
    lines, wrong = [], []
    for each, seen in look(needs, machine):
        word = {True: "ok", None: "without", False: "MISSING"}[seen.ok]
        lines.append(f"{word:<8} {each.name}: {seen.found}")
        if seen.ok is False:
            wrong.append(
                f"{each.name}: {seen.found}; wanted: {each.wanted}. To do: {each.remedy} (source: {each.source})"
            )
    return lines, wrong
