"""Which node image and which kind: the official ones where they are at hand or a registry answers, else our own.

Official images where a registry answers: pulled by digest, and then named as ours would be.

They stand in for bases of Debian packages, which ``tools/offline-kind`` makes: whoever reaches a registry needs no
mmdebstrap, no root and no user namespaces. ``TEKUTOKO_IMAGE_REGISTRY`` names a mirror in the place of docker.io
(``127.0.0.1:5000``, ``mirror.example/docker.io``); ``none`` asks no registry at all.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping

import msgspec

from harness.base.errors import StackNotStarted
from harness.base.home import home
from harness.model.message import ProgressCallback, message
from harness.stack.kind import docker
from harness.stack.kind.commands import run
from harness.stack.kind.images import binaries, offline
from harness.stack.kind.images.building import building
from harness.stack.kind.images.offline import NodeImages

VARIABLE = "TEKUTOKO_IMAGE_REGISTRY"
NONE = "none"
ANSWER_LIMIT_S = 8.0
PULL_LIMIT_S = 900.0
_LOOPBACK = ("127.", "localhost")


class Pinned(msgspec.Struct, frozen=True):
    """An image of docker.io by tag and digest: the tag is for people, the digest decides."""

    repository: str
    tag: str
    digest: str

    def name(self, registry: str) -> str:
        """As ``docker pull`` takes it, from ``registry`` ("" is docker.io itself)."""
        # A mirror has the official images below library/, as docker.io itself has.
        whole = self.repository if "/" in self.repository or not registry else f"library/{self.repository}"
        return f"{registry}/{whole}@{self.digest}" if registry else f"{whole}:{self.tag}@{self.digest}"


#: What holds at least these Debian 12 packages. Digests are of the images' indices, for every machine type.
BASES: Mapping[tuple[str, ...], Pinned] = {
    ("ca-certificates", "python3"): Pinned(
        "python", "3.11-slim-bookworm", "sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b"
    ),
    ("postgresql-15",): Pinned(
        "postgres", "15-bookworm", "sha256:539ceaaae49b3a7c8a04467cf00cc6788d8e3f1675df41860d86eebc4c40524f"
    ),
}


def chosen(environment: Mapping[str, str] = os.environ) -> str | None:
    """The registry to ask: "" for docker.io, a mirror's name, ``None`` for none."""
    named = environment.get(VARIABLE, "").strip().rstrip("/")
    return None if named == NONE else named


async def answers(name: str) -> bool:
    """Whether the registry of the image ``name`` gives its manifest within 8 s, asked with Docker's own settings."""
    insecure = ("--insecure",) if name.startswith(_LOOPBACK) else ()
    try:
        what = "asking the registry"
        await docker.docker("manifest", "inspect", *insecure, name, what=what, limit_s=ANSWER_LIMIT_S)
    except StackNotStarted:
        return False
    return True


async def ensure_base(packages: Iterable[str], progress: ProgressCallback) -> str:
    """Return the name of an image of Debian 12 with ``packages``: pulled where a registry has an official one, else
    made once (about 60 s). Raises ``StackNotStarted``.
    """
    wanted = sorted(set(packages))
    name: str = offline.look(home() / "kind", "base-image", "--name", *wanted)
    official = BASES.get(tuple(wanted))
    if await docker.has_image(name) or (official is not None and await pull(official, name, progress)):
        return name
    with building(name) as state:
        await offline.ask("base-image", *wanted, what="making a base image", progress=progress, state=state)
    return name


async def pull(pinned: Pinned, as_name: str, progress: ProgressCallback) -> bool:
    """Whether the image is here now under ``as_name``; ``False`` when no registry gives it.

    Raises ``StackNotStarted`` when a registry that answered does not hand it over.
    """
    registry = chosen()
    if registry is None or not await answers(name := pinned.name(registry)):
        return False
    progress(message("pulling {image}:{tag} by its digest", image=pinned.repository, tag=pinned.tag))
    remedy = message(
        "{variable}={none} builds of Debian packages instead; {variable} also names a mirror",
        variable=VARIABLE,
        none=NONE,
    )
    await docker.docker("pull", "--quiet", name, what=f"pulling {name}", limit_s=PULL_LIMIT_S, remedy=remedy)
    await docker.tag(name, as_name)
    return True


#: The default image of the pinned kind (its pkg/apis/config/defaults/image.go); a test compares them.
PINNED = Pinned("kindest/node", "v1.34.0", "sha256:7416a61b42b1662ca6ca89f02028ac133a309a2a30ba309614e8ec94d976dc5a")

CURRENT = "tekutoko-rehearsal/node:current"  # of which `kind create cluster --image` makes any node


def official_name() -> str:
    """kind's own image, from docker.io or the mirror that is named (``py``)."""
    return PINNED.name(chosen() or "")


def official() -> NodeImages:
    """kind's own."""
    return NodeImages(official_name(), official_name(), own=False)


async def ensure_images(progress: ProgressCallback) -> NodeImages:
    """The node images to create a cluster of, pulled or built first. Raises ``StackNotStarted``."""
    name = official_name()
    if await docker.has_image(name):
        return official()
    if await registry_answers():
        progress(message("pulling {image}", image=name.partition("@")[0]))
        await docker.docker("pull", "--quiet", name, what="pulling the node image", limit_s=PULL_LIMIT_S)
        return official()
    return await _own(progress)


async def _own(progress: ProgressCallback) -> NodeImages:
    """Our own, built first where Docker lacks them (about 15 minutes, once a machine). Raises ``StackNotStarted``."""
    wanted = offline.node_images()
    if not (await docker.has_image(wanted.control_plane) and await docker.has_image(wanted.worker)):
        progress(message("no image registry answers: building the node image (about 15 minutes, once a machine)"))
        with building(wanted.worker) as state:
            await offline.ask("node-images", what="building the node image", progress=progress, state=state)
    return wanted


async def registry_answers() -> bool:
    """Whether the registry that may be asked gives the official image's manifest."""
    return chosen() is not None and await answers(official_name())


async def ensure_kind(progress: ProgressCallback) -> str:
    """The program kind: the one of PATH when it has the pinned version, else built. Raises ``StackNotStarted``."""
    wanted = binaries.KIND.version()
    if (found := shutil.which("kind")) is not None:
        said = (await run([found, "version"], what="asking kind for its version", limit_s=10)).split()
        if wanted in said:
            return found
        progress(
            message(
                "{program} says {said}; {version} is needed and is built",
                program=str(found),
                said=" ".join(said[:2]),
                version=str(wanted),
            )
        )
    return str(await binaries.ensure(binaries.KIND, progress) / "kind")
