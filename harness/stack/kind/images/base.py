"""Base images: an official one where a registry answers (``registry.py``), else of Debian packages (mmdebstrap)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

from harness.base.clock import Clock
from harness.base.home import home
from harness.model.message import Tell, message
from harness.stack.kind import docker
from harness.stack.kind.commands import run
from harness.stack.kind.images import registry
from harness.stack.kind.images.building import building
from harness.stack.kind.lock import locked
from harness.stack.kubernetes import labels

Suite = Literal["bookworm", "trixie"]
LAYOUT = 1  # rises when the image is made differently
LIMIT_S = 900.0
# The mirror of the machine that made it is no image's matter, and nothing in an image asks APT.
_NO_SOURCES = '--customize-hook=rm -rf "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d "$1"/etc/apt/auth.conf.d'
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")


def tag(packages: Iterable[str], suite: Suite) -> str:
    """The image's name: the same packages and suite have the same."""
    key = hashlib.sha256(f"{LAYOUT} {suite} {' '.join(sorted(packages))}".encode()).hexdigest()[:12]
    return f"tekutoko-rehearsal/base:{suite}-{key}"


async def ensure(packages: Iterable[str], clock: Clock, progress: Tell, *, suite: Suite = "trixie") -> str:
    """A Docker image of ``suite`` with Debian's essential packages and ``packages``; returns its name.

    Pulled where a registry has an official image with these packages. Else made once (about 60 s), without
    documentation and locales. Kept by Docker: package updates come in when the image is removed. Raises
    ``StackNotStarted``.
    """
    wanted = sorted(set(packages))
    name = tag(wanted, suite)
    if await docker.has_image(name):
        return name
    key = name.rpartition(":")[2]
    async with locked(home() / "kind" / f"base-{key}.lock", clock, progress, limit_s=LIMIT_S):
        if not await docker.has_image(name) and not await _pulled(name, wanted, suite, progress):
            progress(
                message(
                    "making the base image {name} of {count} Debian packages (about a minute, once)",
                    name=name,
                    count=str(len(wanted)),
                )
            )
            await _make(name, wanted, suite)
    return name


async def _pulled(name: str, packages: list[str], suite: Suite, progress: Tell) -> bool:
    official = registry.BASES.get(tuple(packages)) if suite == "bookworm" else None
    return official is not None and await registry.pull(official, name, progress)


async def _make(name: str, packages: list[str], suite: Suite) -> None:
    left_out = [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
    included = [f"--include={','.join(packages)}"] if packages else []
    with building(name) as state:
        tar = state.folder / "base.tar"
        await run(
            ["mmdebstrap", "--quiet", "--variant=minbase", *included, *left_out, _NO_SOURCES, suite, tar],
            what=f"making a base image of Debian {suite}",
            limit_s=LIMIT_S,
            environment=state.environment("image"),
            remedy=message(
                "install mmdebstrap (apt install mmdebstrap): it needs a Debian mirror and root or user namespaces. Or "
                "let Docker reach docker.io, or a mirror that {variable} names",
                variable=registry.VARIABLE,
            ),
        )
        label = f"LABEL harness.packages={','.join(packages) or 'none'} {labels.MANAGED}={labels.MANAGER}"
        await docker.docker("import", "--change", label, tar, name, what="importing a base image", limit_s=300)
