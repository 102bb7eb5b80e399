"""The cluster's outside services: PostgreSQL and the Firebase parts as containers, as compose.yaml has them.

Each is published on a loopback port of the run's range for the harness, and joins the cluster's Docker network, where
pods reach it at its address there, as they would reach Cloud SQL and Firebase. ``docker logs --follow`` keeps its log
and notices its end.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from harness.base.clock import Clock
from harness.model.stack import Address
from harness.stack import environment
from harness.stack.kind import docker
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.compose import Definition
from harness.stack.kubernetes.times import monotonic_ns
from harness.stack.processes import Process, Spec, spawn
from harness.stack.state import RunState
from harness.stack.waiting import until

READY_LIMIT_S = 90.0
_START_LIMIT_S = 60.0
_STAMP_NS = 1_000  # a time stamp is read to the microsecond below


async def address_of(container: str, network: str) -> str:
    """A container's address on ``network``. Raises ``StackNotStarted``."""
    question = f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}'
    return (await docker.docker("inspect", "--format", question, container, what="asking for an address")).strip()


def secret_manager() -> Definition:
    """The stand-in for Secret Manager (``images/go/secrets-store/secretmanager``)."""
    return Definition(image="", ports=["8085"], command=["secretmanager", "serve", ":8085"])


class Outside:
    """One outside service. ``start`` then ``ready``; ``stop`` removes the container and its data."""

    def __init__(self, part: str, definition: Definition, state: RunState, logs: Path, clock: Clock) -> None:
        self.part = part
        self.address = Address(host="127.0.0.1", port=state.take_port())
        self.inside = ""  # host:port on the cluster's network, after ``join``
        self.image = ""  # after ``start``
        self._definition = definition
        self._state = state
        self._log = logs / f"{part}.log"
        self._clock = clock
        self._name = labels.container(state.lease.run_id, part)
        self.process: Process | None = None

    async def start(self, image: str, variables: dict[str, str], *, network: str = "", script: str = "") -> Process:
        """Starts the container; ``variables`` are added to its environment. Raises ``StackNotStarted``.

        With ``network`` it is on that one from the start, and ``inside`` is known; ``script`` is run by a shell in
        place of the image's own entry point.
        """
        self.image = image
        wanted = {**self._definition.environment, **variables}
        await docker.docker(
            *("run", "--detach", "--name", self._name, "--pull", "never"),
            *labels.arguments(self._state.lease),
            *("--publish", f"{self.address}:{self._definition.port}", "--shm-size", self._definition.shm_size),
            *(("--network", network) if network else ()),
            *(("--entrypoint", "/bin/sh") if script else ()),
            *(word for name in wanted for word in ("--env", name)),
            *(image, *(("-c", script) if script else self._definition.command)),
            what=f"starting the container of {self.part}",
            limit_s=_START_LIMIT_S,
            environment=wanted,
        )
        if network:
            await self._look_up(network)
        return self._follow()

    def _follow(self) -> Process:
        """Keeps its log and notices its end."""
        self.process = spawn(
            Spec(
                part=self.part,
                command=("docker", "logs", "--follow", self._name),
                environment={**environment.machine(), **environment.package_settings()},
                log=self._log,
                folder=self._state.folder,
            ),
            self._state,
        )
        return self.process

    async def join(self, network: str) -> None:
        """Joins the cluster's network, which may come up later; ``inside`` is known from then on."""
        await docker.docker("network", "connect", network, self._name, what=f"leading the cluster to {self.part}")
        await self._look_up(network)

    async def _look_up(self, network: str) -> None:
        self.inside = f"{await address_of(self._name, network)}:{self._definition.port}"

    async def kill(self) -> int:
        """SIGKILL of its first process; the container stays, ended, with its data.

        When it was dead at the latest, in ns of the run's clock: as the engine recorded it, whose answer may take a
        second more. The kernel ends all processes of a container before its first.
        """
        asked_ns = self._clock.now_ns()
        await docker.docker("kill", "--signal", "KILL", self._name, what=f"killing {self.part}")
        answered_ns = self._clock.now_ns()
        ended_ns = monotonic_ns(self._clock.anchor, await docker.ended_at(self._name)) + _STAMP_NS
        return ended_ns if asked_ns <= ended_ns <= answered_ns else answered_ns

    async def restart(self, network: str, grace_s: int) -> Process:
        """Its stop signal, SIGKILL after ``grace_s``, then started again; ``inside`` may be another afterwards."""
        what = f"restarting {self.part}"
        await docker.docker("restart", "--time", str(grace_s), self._name, what=what, limit_s=_START_LIMIT_S)
        await self._look_up(network)
        return self._follow()

    async def ready(self, check: Callable[[Address], Awaitable[bool]]) -> None:
        """Returns when ``check`` holds at its loopback address. Raises ``StackNotStarted``."""
        assert self.process is not None
        await until(lambda: check(self.address), self.process, self._clock, limit_s=READY_LIMIT_S, what="answered")

    async def pause(self, *, on: bool) -> None:
        """Freezes all its processes, or lets them go on."""
        if on:
            await docker.pause(self._name, what=f"pausing {self.part}")
        else:
            await docker.unpause(self._name, what=f"letting {self.part} go on")

    async def stutter(self, stopped_s: float, running_s: float) -> None:
        """Frozen and running by turns until it is cancelled; then it runs, also if a freeze was on its way."""
        try:
            while True:
                await self.pause(on=True)
                await self._clock.sleep(stopped_s)
                await self.pause(on=False)
                await self._clock.sleep(running_s)
        finally:
            await self.pause(on=False)

    async def stop(self) -> None:
        """Removes the container with its data; idempotent, bounded."""
        try:
            with docker.gone():
                await docker.docker("rm", "--force", "--volumes", self._name, what=f"removing {self.part}", limit_s=90)
        finally:
            if self.process is not None:
                await self.process.stop(signal.SIGTERM, 1.0)
