"""``python -m harness cluster up|down|list`` and ``images``: the cluster alone and its images, without a run."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.base.clock import MachineClock
from harness.base.errors import BadInput, Exit
from harness.base.home import home
from harness.base.progress import Progress
from harness.model.message import Message, message, raw_text
from harness.model.stack import EnvironmentKind
from harness.report.language import language
from harness.run.arguments import AsJson, Spoken, speaking
from harness.run.command import Command, option


def provide(rung: EnvironmentKind) -> None:
    """Goes on where the packages of the environment are; no help of a command needs them."""
    from harness.stack.environments import choice as rungs

    rungs.provide(rung)


def told(found: Any, *lines: Message, as_json: bool, lang: str) -> int:
    """``found`` as JSON, or the lines."""
    said = "\n".join(map(language(lang).message, lines))
    sys.stdout.write((msgspec.json.encode(found).decode() if as_json else said) + "\n")
    return Exit.OK


@dataclass(frozen=True, kw_only=True)
class Labelled(Command):
    """The cluster."""

    label: str = option("which of the clusters of this machine", default="kept", metavar="LABEL")


@dataclass(frozen=True, kw_only=True)
class ClusterUp(Labelled, Spoken, AsJson):
    """A real cluster of four nodes on this machine, kept for runs.

    It is in Docker, in three zones, with metrics-server; one that fits is used again.
    """

    name = "cluster up"
    example = "--label mine"

    config: Path | None = option("another configuration of kind than kind-config.yaml", Path, metavar="FILE")
    by_hand: bool = option("the cluster that `kind create cluster --config` made of it, with our parts", default=False)

    def run(self) -> int:
        """Says where its kubeconfig is. Raises ``StackNotStarted``, ``BadInput``."""
        provide(EnvironmentKind.KIND)
        from harness.stack.kind import config, keeper

        source, keep = self.config or config.CONFIG, keeper.take if self.by_hand else keeper.keep
        made = asyncio.run(keep(self.label, MachineClock(), speaking(MachineClock(), self.lang), source))
        ports = ", ".join(f"{node} -> {port}" for node, port in made.ports.items())
        found = {"name": made.name, "kubeconfig": str(made.kubeconfig), "context": made.context, "ports": made.ports}
        where = message("NodePorts on 127.0.0.1: {ports}", ports=ports)
        typed = raw_text(f"export KUBECONFIG={made.kubeconfig}")
        return told(found, typed, where, as_json=self.json, lang=self.lang)


@dataclass(frozen=True, kw_only=True)
class ClusterDown(Labelled, Spoken, AsJson):
    """A cluster of this machine deleted; nothing of it is left.

    One that was made by hand is given back.
    """

    name = "cluster down"
    example = "--label mine"

    def run(self) -> int:
        """Says whether there was one."""
        provide(EnvironmentKind.KIND)
        from harness.stack.kind import cluster, keeper, record

        name = record.name_of(self.label)
        ended = keeper.ended(name)
        existed = asyncio.run(cluster.delete(name, speaking(MachineClock(), self.lang)))
        line = ended if existed else message("there was none")
        return told({"deleted": existed}, line, as_json=self.json, lang=self.lang)


@dataclass(frozen=True, kw_only=True)
class ClusterList(Spoken, AsJson):
    """The clusters of this machine."""

    name = "cluster list"
    example = "--json"

    def run(self) -> int:
        """Names them, one a line."""
        provide(EnvironmentKind.KIND)
        from harness.stack.kind import cluster

        names = asyncio.run(cluster.names())
        lines = [*map(raw_text, names)] or [message("there is none")]
        return told(names, *lines, as_json=self.json, lang=self.lang)


@dataclass(frozen=True, kw_only=True)
class ImagesCommand(Spoken, AsJson):
    """The images that compose.yaml and the overlays name, built.

    Offline, too. --load and --push then bring them where the nodes of a cluster of your own find them.
    """

    name = "images"
    example = "api --push registry.example/team"

    names: tuple[str, ...] = option(
        "which images (default: all)", positional=True, nargs="*", default=(), metavar="NAME"
    )
    nodes: bool = option("the images of the cluster's own nodes instead", default=False)
    load: str | None = option("copy them into the nodes of a kind cluster of this machine", metavar="CLUSTER")
    push: str | None = option("push them below this name", metavar="REGISTRY")

    def run(self) -> int:
        """Says each tag. Raises ``BadInput``, ``StackNotStarted``."""
        if self.nodes and (self.names or self.load or self.push):
            raise BadInput("--nodes goes with no NAME, --load or --push", remedy="leave them out")
        provide(EnvironmentKind.KIND)
        progress = speaking(MachineClock(), self.lang)
        tags = asyncio.run(_of_nodes(progress) if self.nodes else self._built(progress))
        return told(tags, *map(raw_text, tags), as_json=self.json, lang=self.lang)

    async def _built(self, progress: Progress) -> list[str]:
        from harness.stack.kind.docker import docker
        from harness.stack.kind.images import recipes
        from harness.stack.kind.images.build import ensure
        from harness.stack.kind.images.load import LIMIT_S

        clock = MachineClock()
        usual = {recipe.name: recipe for recipe in recipes.ours(clock)}
        known = {**usual, "load": recipes.load(clock)}
        if unknown := set(self.names) - known.keys():
            raise BadInput(
                message("there is no image {names}", names=", ".join(sorted(unknown))),
                remedy=message("there are: {names}", names=", ".join(known)),
            )
        tags = [await ensure(known[name], clock, progress) for name in self.names or usual]
        if self.load is not None:
            await _load(self.load, tags, progress)
        for tag in tags if self.push is not None else ():
            name = f"{str(self.push).rstrip('/')}/{tag}"
            await docker("tag", tag, name, what=f"naming {name}")
            await docker("push", name, what=f"pushing {name}", limit_s=LIMIT_S, remedy="docker login, then again")
            progress(message("pushed {name}", name=name))
        return tags


async def _of_nodes(progress: Progress) -> list[str]:
    from harness.stack.kind import docker
    from harness.stack.kind.images import choice

    await docker.engine()
    images = await choice.ensure_images(progress)
    if not images.own:
        return [images.control_plane]
    await docker.tag(images.control_plane, choice.CURRENT)
    return [choice.CURRENT, images.control_plane, images.worker]


async def _load(name: str, tags: list[str], progress: Progress) -> None:
    from harness.stack.kind import cluster
    from harness.stack.kind.images.load import load

    nodes = await cluster.made_by_kind(name)
    with tempfile.TemporaryDirectory(dir=home()) as scratch:
        await load([each for each in nodes if "control-plane" not in each] or nodes, tags, Path(scratch), progress)
    progress(message("the nodes of {name} have them", name=name))
