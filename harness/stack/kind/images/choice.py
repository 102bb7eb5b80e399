"""Which node image and which kind: the official ones where they are at hand or a registry answers, else our own."""

from __future__ import annotations

import shutil

from harness.clock import Clock
from harness.model.errors import StackNotStarted
from harness.stack.kind import docker
from harness.stack.kind.commands import Progress, run
from harness.stack.kind.images import binaries, node
from harness.stack.kind.images.node import NodeImages

#: The default image of the pinned kind (its pkg/apis/config/defaults/image.go); a test compares them.
OFFICIAL = "kindest/node:v1.34.0@sha256:7416a61b42b1662ca6ca89f02028ac133a309a2a30ba309614e8ec94d976dc5a"
_REGISTRY_LIMIT_S = 8.0
_PULL_LIMIT_S = 900.0


def official() -> NodeImages:
    """kind's own."""
    return NodeImages(OFFICIAL, OFFICIAL, own=False)


async def ensure_images(clock: Clock, progress: Progress) -> NodeImages:
    """The node images to create a cluster of, pulled or built first. Raises ``StackNotStarted``."""
    if await docker.has_image(OFFICIAL):
        return official()
    if await registry_answers():
        progress(f"pulling {OFFICIAL.partition('@')[0]}")
        await docker.docker("pull", "--quiet", OFFICIAL, what="pulling the node image", limit_s=_PULL_LIMIT_S)
        return official()
    return await node.ensure(clock, progress)


async def registry_answers() -> bool:
    """Whether the registry of the official image gives its manifest within 8 s, asked with Docker's own settings."""
    try:
        await docker.docker("manifest", "inspect", OFFICIAL, what="asking the registry", limit_s=_REGISTRY_LIMIT_S)
    except StackNotStarted:
        return False
    return True


async def ensure_kind(clock: Clock, progress: Progress) -> str:
    """The program kind: the one of PATH when it has the pinned version, else built. Raises ``StackNotStarted``."""
    wanted = binaries.KIND.version()
    if (found := shutil.which("kind")) is not None:
        said = (await run([found, "version"], what="asking kind for its version", limit_s=10)).split()
        if wanted in said:
            return found
        progress(f"{found} says {' '.join(said[:2])}; {wanted} is needed and is built")
    return str(await binaries.ensure(binaries.KIND, clock, progress) / "kind")
