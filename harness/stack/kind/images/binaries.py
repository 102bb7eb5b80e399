"""Programs built from pinned Go modules, each once a machine, by ``tools/offline-kind``; they lie below ``home()``."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from harness.base.home import home, use
from harness.model.message import ProgressCallback
from harness.stack.kind.images import offline


class _Known(msgspec.Struct, frozen=True):
    folder: str
    version: str
    programs: tuple[str, ...]


class Module(msgspec.Struct, frozen=True):
    """A module that the tool knows by this ``name``."""

    name: str

    def version(self) -> str:
        """The pinned version, such as ``v1.34.4``."""
        return self._known().version

    def folder(self) -> Path:
        """Where its programs lie, built or not."""
        return Path(self._known().folder)

    def _known(self) -> _Known:
        return msgspec.convert(offline.look(home() / "kind", "modules")[self.name], _Known)


KIND = Module("kind")
KUBERNETES = Module("kubernetes")
ETCD = Module("etcd")
SECRETS_STORE = Module("secrets-store")
CONTOUR = Module("contour")
PROMETHEUS = Module("prometheus")
PROMETHEUS_IN_CLUSTER = Module("prometheus-in-cluster")
PROMETHEUS_ADAPTER = Module("prometheus-adapter")
ALERTMANAGER = Module("alertmanager")
SLOTH = Module("sloth")


async def ensure(module: Module, progress: ProgressCallback, only: Collection[str] = ()) -> Path:
    """Return the folder with the module's programs (``only`` some of them), built first where they are missing.

    Raises ``StackNotStarted`` when there is no Go, modules cannot be fetched, or a build fails.
    """
    folder = use(module.folder())
    if missing(module, only):
        what = f"building the programs of {module.name}"
        await offline.ask("programs", module.name, *only, what=what, progress=progress)
    return folder


def missing(module: Module, only: Collection[str] = ()) -> list[str]:
    """Return the module's programs (``only`` some of them) that are not built yet."""
    return [each for each in only or module._known().programs if not (module.folder() / each).exists()]


async def source(module: Module) -> Path:
    """Return the folder with the module's source, in Go's cache. Raises ``StackNotStarted``."""
    what = f"finding the source of {module.name}"
    return Path(await offline.ask("source", module.name, what=what))
