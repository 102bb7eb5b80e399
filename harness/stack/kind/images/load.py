"""Copies images of this machine's Docker into the cluster's nodes: once a node and content, because tags are keys."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from harness.model.message import ProgressCallback, message
from harness.stack.kind.commands import run
from harness.stack.kind.docker import docker, execute

LIMIT_S = 300.0
_CTR = ("ctr", "--namespace", "k8s.io", "images")


async def load(nodes: Sequence[str], tags: Sequence[str], scratch: Path, progress: ProgressCallback) -> None:
    """Not by ``kind load``, which asks ``crictl`` whether a node has the image: our node image has none, and then all
    is copied at every run. ``scratch`` holds the archive meanwhile. Raises ``StackNotStarted``.
    """
    missing = dict(zip(nodes, await asyncio.gather(*(_missing(node, tags) for node in nodes)), strict=True))
    wanted = sorted(set().union(*missing.values()))
    if not wanted:
        return
    progress(
        message(
            "loading {count} images into {nodes} nodes",
            count=str(len(wanted)),
            nodes=str(sum(map(bool, missing.values()))),
        )
    )
    archive = scratch / "images.tar"
    try:
        await docker("save", "--output", archive, *wanted, what="saving images for the cluster", limit_s=LIMIT_S)
        await asyncio.gather(*(_import(node, archive) for node in nodes if missing[node]))
    finally:
        archive.unlink(missing_ok=True)


async def _missing(node: str, tags: Sequence[str]) -> set[str]:
    listed = await execute(node, *_CTR, "list", "--quiet", what=f"listing the images of {node}")
    present = {name.removeprefix("docker.io/").removeprefix("library/") for name in listed.split()}
    return set(tags) - present


async def _import(node: str, archive: Path) -> None:
    # Unpacked when a pod first needs them there: not every node gets one.
    command = ["docker", "exec", "--interactive", node, *_CTR, "import", "--no-unpack", "-"]
    await run(command, what=f"loading images into {node}", limit_s=LIMIT_S, stdin=archive)
