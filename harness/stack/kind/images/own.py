"""Images that are not of the rehearsal's making: a target's Dockerfile built, and what else a run needs, at hand."""

from __future__ import annotations

from collections.abc import Sequence

from harness.base.errors import BadInput, StackNotStarted
from harness.model.message import ProgressCallback, message
from harness.model.stack import Target
from harness.stack.kind import docker
from harness.stack.kind.commands import run
from harness.stack.kind.images.build import BUILD_LIMIT_S
from harness.stack.kind.images.building import LABEL
from harness.stack.kind.images.recipe import REPOSITORY

NAME = f"{REPOSITORY}/own"


async def built(target: Target, progress: ProgressCallback) -> str:
    """The tag of what ``target.dockerfile`` builds: the key of its content, so that nodes take each once.

    Docker keeps what it built; its base images come from where the Dockerfile says. Raises ``StackNotStarted``.
    """
    progress(message("building {file}", file=target.dockerfile))
    said = await run(
        ["docker", "build", "--quiet", "--force-rm", *LABEL, "--file", target.dockerfile, target.context],
        what=f"building the target of {target.dockerfile}",
        limit_s=BUILD_LIMIT_S,
        remedy=message(
            "docker build --file {dockerfile} {context} says more", dockerfile=target.dockerfile, context=target.context
        ),
    )
    identity = said.strip().splitlines()[-1].removeprefix("sha256:") if said.strip() else ""
    if not identity:
        raise StackNotStarted("docker build named no image", where=target.dockerfile, remedy="build it by hand")
    tag = f"{NAME}:{identity[:12]}"
    await docker.tag(identity, tag)
    return tag


async def at_hand(images: Sequence[str], target: Target) -> None:
    """Raises ``BadInput`` for an image that this Docker has not: nobody fetches it for a run."""
    for image in images:
        if not await docker.has_image(image):
            raise BadInput(
                message("the image {image} is not at hand", image=image),
                where=target.file,
                remedy=message("docker pull {image}, or take what runs it out of keep", image=image),
            )
