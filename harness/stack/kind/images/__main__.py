"""``python -m harness.stack.kind.images [NAME ...]``: builds the images that compose.yaml and the overlay name.

With ``--load CLUSTER`` or ``--push REGISTRY`` it then brings them where the nodes of a cluster of one's own find them.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from harness.base import bootstrap, terminal

terminal.install()
bootstrap.enter("harness.stack.kind.images", "kind")

from harness.base.clock import MachineClock
from harness.base.errors import BadInput, RehearsalError
from harness.base.home import home
from harness.base.progress import Progress
from harness.stack.kind import cluster
from harness.stack.kind.docker import docker
from harness.stack.kind.images import recipes
from harness.stack.kind.images.build import ensure
from harness.stack.kind.images.load import LIMIT_S, load


async def main(given: argparse.Namespace) -> None:
    """Builds ``given.names``, or all. Raises ``BadInput``, ``StackNotStarted``."""
    clock = MachineClock()
    progress = Progress(clock)
    known = {recipe.name: recipe for recipe in recipes.ours(clock)}
    if unknown := set(given.names) - known.keys():
        raise BadInput(f"there is no image {', '.join(sorted(unknown))}", remedy=f"there are: {', '.join(known)}")
    tags = [await ensure(known[name], clock, progress) for name in given.names or known]
    for tag in tags:
        progress.plain(tag)
    if given.load is not None:
        await _load(given.load, tags, progress)
    if given.push is not None:
        for tag in tags:
            name = f"{given.push.rstrip('/')}/{tag}"
            await docker("tag", tag, name, what=f"naming {name}")
            await docker("push", name, what=f"pushing {name}", limit_s=LIMIT_S, remedy="docker login, then again")
            progress(f"pushed {name}")


async def _load(name: str, tags: list[str], progress: Progress) -> None:
    label = f"label=io.x-k8s.kind.cluster={name}"
    form = '{{.Names}} {{.Label "io.x-k8s.kind.role"}}'
    listed = await docker("ps", "--filter", label, "--format", form, what="listing the cluster's nodes")
    nodes = [(node, role) for node, role in map(str.split, listed.splitlines())]
    if not nodes:
        there = ", ".join(await cluster.names()) or "none"
        raise BadInput(f"no kind cluster {name!r} runs here", remedy=f"there are: {there}")
    with tempfile.TemporaryDirectory(dir=home()) as scratch:
        workers = [node for node, role in nodes if role == "worker"]
        await load(workers or [node for node, _ in nodes], tags, Path(scratch), progress)
    progress(f"the nodes of {name} have them")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m harness.stack.kind.images", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which images (default: all)")
    parser.add_argument("--load", metavar="CLUSTER", help="copy them into the nodes of a kind cluster of this machine")
    parser.add_argument("--push", metavar="REGISTRY", help="push them below this name")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        asyncio.run(main(arguments()))
    except RehearsalError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit)
    except KeyboardInterrupt:
        sys.exit(130)
