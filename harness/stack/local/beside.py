"""The target's program as a process beside the pods: what a check may stop, and whose database it may take away."""

from __future__ import annotations

import signal
from pathlib import Path

from harness.model.manifests import PodTemplate
from harness.model.stack import Address
from harness.stack import environment
from harness.stack.local.pod import Ground
from harness.stack.processes import Process, Spec, spawn, tail


class Beside:
    """One such process. It has the pods' environment, but a name, a port and a way to the database of its own."""

    def __init__(self, ground: Ground, process: Process, address: Address) -> None:
        self.process = process
        self.address = address
        self._ground = ground

    @property
    def log(self) -> Path:
        """Its output."""
        return self.process.log

    def last_lines(self) -> str:
        """The end of its log, for people."""
        return tail(self.process.log)

    async def stop(self) -> None:
        """Kills it if it still runs; idempotent."""
        await self.process.stop(signal.SIGKILL, 1.0)
        self._ground.state.give_back_port(self.address.port)


def start_beside(template: PodTemplate, ground: Ground, name: str, database_port: int) -> Beside:
    """Starts the target's command. Raises ``StackNotStarted`` when it cannot be run."""
    address = Address(host="127.0.0.1", port=ground.state.take_port())
    variables = environment.of_target(
        template.containers[0],
        ground.target,
        ground.endpoints,
        pod=name,
        port=address.port,
        database_port=database_port,
    )
    spec = Spec(
        part=name,
        command=ground.target.command,
        environment=variables,
        log=ground.logs / f"{name}.log",
        folder=Path(ground.target.folder),
    )
    return Beside(ground, spawn(spec, ground.state), address)
