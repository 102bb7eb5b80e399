"""``python -m harness.stack.kind.images [NAME ...]``: builds the images that compose.yaml and the overlay name."""

from __future__ import annotations

import asyncio
import sys

from harness.clock import MachineClock
from harness.model.errors import Exit, RehearsalError
from harness.progress import Progress
from harness.stack.kind.images import recipes
from harness.stack.kind.images.build import ensure


async def main(names: list[str]) -> None:
    """Builds ``names``, or all."""
    clock = MachineClock()
    progress = Progress(clock)
    known = {recipe.name: recipe for recipe in recipes.ours(clock)}
    for name in names or list(known):
        progress.plain(await ensure(known[name], clock, progress))


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1:]))
    except RehearsalError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit)
    except KeyError as error:
        sys.stderr.write(f"error: there is no image {error}\n")
        sys.exit(Exit.USAGE)
