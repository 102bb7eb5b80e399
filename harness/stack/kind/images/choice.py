"""Which node image and which kind: the official ones where they are at hand or a registry answers, else our own."""

from __future__ import annotations

import shutil

from harness.base.clock import Clock
from harness.model.message import Tell, message
from harness.stack.kind import docker
from harness.stack.kind.commands import run
from harness.stack.kind.images import binaries, node, registry
from harness.stack.kind.images.node import NodeImages

#: The default image of the pinned kind (its pkg/apis/config/defaults/image.go); a test compares them.
PINNED = registry.Pinned(
    "kindest/node", "v1.34.0", "sha256:7416a61b42b1662ca6ca89f02028ac133a309a2a30ba309614e8ec94d976dc5a"
)


def official_name() -> str:
    """kind's own image, from docker.io or the mirror that is named (``registry.py``)."""
    return PINNED.name(registry.chosen() or "")


def official() -> NodeImages:
    """kind's own."""
    return NodeImages(official_name(), official_name(), own=False)


async def ensure_images(clock: Clock, progress: Tell) -> NodeImages:
    """The node images to create a cluster of, pulled or built first. Raises ``StackNotStarted``."""
    name = official_name()
    if await docker.has_image(name):
        return official()
    if await registry_answers():
        progress(message("pulling {image}", image=name.partition("@")[0]))
        await docker.docker("pull", "--quiet", name, what="pulling the node image", limit_s=registry.PULL_LIMIT_S)
        return official()
    return await node.ensure(clock, progress)


async def registry_answers() -> bool:
    """Whether the registry that may be asked gives the official image's manifest."""
    return registry.chosen() is not None and await registry.answers(official_name())


async def ensure_kind(clock: Clock, progress: Tell) -> str:
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
    return str(await binaries.ensure(binaries.KIND, clock, progress) / "kind")
