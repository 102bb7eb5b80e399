"""``python -m harness.stack.kind images|up|down|list``: the cluster alone, without a run."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from harness.base import bootstrap, terminal

terminal.install()
bootstrap.enter("harness.stack.kind", "kind")

from harness.base.clock import MachineClock
from harness.base.errors import RehearsalError
from harness.base.progress import Progress
from harness.stack.kind import cluster, config, docker, keeper, record
from harness.stack.kind.images import choice

_LABEL = "kept"


async def _main(verb: str, label: str, source: Path) -> None:
    clock = MachineClock()
    progress = Progress(clock)
    if verb == "images":
        await docker.engine()
        images = await choice.ensure_images(clock, progress)
        progress(f"control plane {images.control_plane}, workers {images.worker}")
    elif verb == "up":
        made = await keeper.keep(label, clock, progress, source)
        progress("NodePorts on 127.0.0.1: " + ", ".join(f"{node} -> {port}" for node, port in made.ports.items()))
    elif verb == "down":
        existed = await cluster.delete(record.name_of(label), progress)
        progress("deleted" if existed else "there was none")
    else:
        for name in await cluster.names():
            progress.plain(name)


def main() -> int:
    """Runs the verb; the exit status is the error's."""
    parser = argparse.ArgumentParser(prog="python -m harness.stack.kind", description=__doc__)
    parser.add_argument("verb", choices=("images", "up", "down", "list"))
    parser.add_argument("--label", default=_LABEL, help="which cluster (default: %(default)s)")
    parser.add_argument("--config", type=Path, default=config.CONFIG, help="kind's configuration")
    given = parser.parse_args()
    try:
        asyncio.run(_main(given.verb, given.label, given.config))
    except RehearsalError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
