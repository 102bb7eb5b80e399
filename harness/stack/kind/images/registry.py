"""Official images where a registry answers: pulled by digest, and then named as ours would be.

They stand in for bases of Debian packages (``base.py``): whoever reaches a registry needs no mmdebstrap, no root and no
user namespaces. ``TEKUTOKO_IMAGE_REGISTRY`` names a mirror in the place of docker.io (``127.0.0.1:5000``,
``mirror.example/docker.io``); ``none`` asks no registry at all.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from harness.base.errors import StackNotStarted
from harness.model.message import Tell, message
from harness.stack.kind import docker

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


async def pull(pinned: Pinned, as_name: str, progress: Tell) -> bool:
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
