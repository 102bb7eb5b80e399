"""Builds images by recipe, once a content: Docker keeps them under the key of what they were made of."""

from __future__ import annotations

from harness.base.clock import Clock
from harness.base.home import home
from harness.model.message import ProgressCallback, message
from harness.stack.kind import docker
from harness.stack.kind.commands import run
from harness.stack.kind.images import choice
from harness.stack.kind.images.building import LABEL, building
from harness.stack.kind.images.recipe import REPOSITORY, Recipe
from harness.stack.kind.record import locked

BUILD_LIMIT_S = 900.0
CURRENT = "current"  # the tag that compose.yaml and the overlay name: the newest that was built


async def ensure(recipe: Recipe, clock: Clock, progress: ProgressCallback) -> str:
    """The image's tag, built first where Docker lacks it; also tagged ``:current``. Raises ``StackNotStarted``."""
    tag = recipe.tag
    if not await docker.has_image(tag):
        lock = home() / "kind" / f"image-{recipe.name}.lock"
        async with locked(lock, clock, progress, limit_s=BUILD_LIMIT_S):
            if not await docker.has_image(tag):
                await _build(recipe, tag, progress)
    await docker.tag(tag, f"{REPOSITORY}/{recipe.name}:{CURRENT}")
    return tag


async def _build(recipe: Recipe, tag: str, progress: ProgressCallback) -> None:
    base_tag = recipe.base or await choice.ensure_base(recipe.packages, progress)
    with building(tag) as state:
        folder = state.folder / "context"
        folder.mkdir()
        await recipe.lay_out(folder, progress)
        progress(message("building the image {image} (once)", image=tag))
        # Without network: whatever goes in was fetched on the host, with its own settings.
        offline = ("--network", "none", "--build-arg", f"BASE={base_tag}")
        await run(
            ["docker", "build", "--quiet", "--force-rm", *LABEL, *offline, "-t", tag, folder],
            what=f"building the image {recipe.name}",
            limit_s=BUILD_LIMIT_S,
            environment={"DOCKER_BUILDKIT": "0", **state.environment("image")},
            remedy=docker.NO_DOCKER,
        )
