"""One harness of a pair, small: it sweeps, begins runs, looks at all that is its own, and ends them.

``python -m tests.pair_job FOLDER ROUNDS IMAGE...``: of ``IMAGE`` and the words behind it, which end ``docker run``, its
containers are made. Each round is what a run does on this machine and in its Docker: the
preflight's sweep, a lease with a part that runs, a container, a cluster of its own; while it holds them the other
harness sweeps too. Ends in 1 with a line for each thing of its own that somebody took away.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.base.clock import MachineClock
from harness.model.message import Message
from harness.run.lifecycle import run_identity
from harness.stack.environments.choice import sweep
from harness.stack.kind import cluster, record
from harness.stack.kind.docker import docker
from harness.stack.kubernetes import labels
from harness.stack.process.processes import Process, Spec, spawn
from harness.stack.state import RunState, identify
from harness.stack.state.processes import process_mark

PAIR = 2
LOOKS = 4
_LOOK_EVERY_S = 0.1


class Held:
    """What one run has; its containers are of ``image``, and the words around it in ``docker run``."""

    def __init__(self, number: int, image: Sequence[str] = ("image",)) -> None:
        self.image = image
        self.state = RunState.begin(run_identity(MachineClock(), "pair", number))
        self.folder = self.state.folder
        (self.folder / "data").write_text("kept by the run")
        sleep = shutil.which("sleep") or "sleep"
        self.part: Process = spawn(
            Spec(
                part="envoy", command=[sleep, "60"], environment={}, log=self.folder / "log", folder=self.folder
            ),
            self.state,
        )  # fmt: skip
        self.container = labels.container(self.state.lease.run_id, "postgres")
        self.cluster = record.name_of(record.run_label(self.state.lease.run_id))
        self.node = f"{self.cluster}-control-plane"

    async def make(self) -> None:
        """Its container and its cluster, whose record comes first."""
        me = identify(os.getpid())
        assert me is not None
        planned = record.Cluster(
            name=self.cluster, maker=me, kept=False, complete=False, own_images=True, images=[], config_digest="",
            api_port=1, ports={}, nodes=[self.node],
        )  # fmt: skip
        record.write(planned)
        marked = labels.arguments(self.state.lease)
        await docker("run", "--detach", "--name", self.container, *marked, *self.image, what="running a container")
        node = ("--label", f"io.x-k8s.kind.cluster={self.cluster}")
        await docker("run", "--detach", "--name", self.node, *node, *self.image, what="making a node")

    async def taken_away(self) -> list[str]:
        """What is not there any more."""
        names = (await docker("ps", "--all", "--format", "{{.Names}}", what="listing")).split()
        there = {
            "the lease": (self.folder / "lease.json").exists(),
            "its data": (self.folder / "data").exists(),
            "its part": self.part.returncode is None,
            "its container": self.container in names,
            "its cluster's record": record.read(self.cluster) is not None,
            "its cluster's node": self.node in names,
        }
        return [f"{self.state.lease.run_id}: {what} is gone" for what, is_there in there.items() if not is_there]

    async def end(self) -> None:
        """In order."""
        await self._remove(self.container)
        await cluster.delete(self.cluster, lambda _line: None)
        await self.part.stop(signal.SIGTERM, 2.0)
        self.state.end()

    async def _remove(self, name: str) -> None:
        listed = await docker("ps", "--all", "--format", "{{.ID}} {{.Names}}", what="listing")
        found = [line.split()[0] for line in listed.splitlines() if line.endswith(f" {name}")]
        await docker("rm", "--force", "--volumes", *found, what="removing it")


async def main(folder: Path, rounds: int, image: Sequence[str]) -> int:
    """The exit status. The two wait for each other, so that they are live together."""
    lost: list[str] = []

    def told(line: Message) -> None:
        lost.append(f"swept: {line}")

    def others(_line: Message) -> None:
        """A real engine may have those of other folders of state."""

    (folder / f"ready-{process_mark()}").touch()
    while len(os.listdir(folder)) < PAIR:  # noqa: ASYNC110, PTH208 - a file is what the other can give
        await asyncio.sleep(0.02)
    for number in range(rounds):
        await sweep(told, others)
        held = Held(number, image)
        await held.make()
        for _ in range(LOOKS):
            await sweep(told, others)
            lost.extend(await held.taken_away())
            await asyncio.sleep(_LOOK_EVERY_S)
        await held.end()
    sys.stdout.write("".join(f"{line}\n" for line in lost))
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])))
