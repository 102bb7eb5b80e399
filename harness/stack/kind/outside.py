"""The cluster's outside services: PostgreSQL and the Firebase parts as containers, as compose.yaml has them.

Each is published on a loopback port of the run's range for the harness, and joins the cluster's Docker network, where
pods reach it at its address there, as they would reach Cloud SQL and Firebase. ``docker logs --follow`` keeps its log
and notices its end.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.base.clock import Clock
from harness.base.errors import StackNotStarted
from harness.base.typed import PROGRAM
from harness.model.message import message
from harness.model.stack import Address
from harness.stack import environment
from harness.stack.kind import docker
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.compose import Definition
from harness.stack.kubernetes.times import monotonic_ns
from harness.stack.processes import Process, Spec, spawn
from harness.stack.state import RunState
from harness.stack.waiting import until

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

READY_LIMIT_S = 90.0
_START_LIMIT_S = 60.0
_STAMP_NS = 1_000  # a time stamp is read to the microsecond below


def started_here(image: str) -> DockerContainer:
    """A container of ``image`` by testcontainers, not yet started; the run's own labels say whose it is.

    Without Ryuk: its image would have to be pulled, and it ends what a process started when that process ends, while
    the run's lease and its sweep decide that here, for every process of a run and after a kill too. Nor do a person's
    settings for other tests count: another engine, a prefix of image names.
    """
    from testcontainers.core.config import testcontainers_config as settings
    from testcontainers.core.container import DockerContainer

    settings.ryuk_disabled, settings.tc_properties, settings.hub_image_name_prefix = True, {}, ""
    return DockerContainer(image)


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
        what = f"starting the container of {self.part}"
        if not await docker.has_image(image):
            raise StackNotStarted(
                message("{what} failed: there is no image {image}", what=what, image=image),
                remedy=message("{program} images", program=PROGRAM),
            )

        def start(_client: object) -> None:
            container = started_here(image)
            container.with_name(self._name).with_envs(**{**self._definition.environment, **variables})
            container.with_command(["-c", script] if script else self._definition.command)
            container.ports = {str(self._definition.port): (self.address.host, self.address.port)}  # type: ignore[dict-item]
            container.with_kwargs(
                labels=labels.marks(self._state.lease),
                shm_size=self._definition.shm_size,
                network=network or "bridge",  # unless it is named, testcontainers looks for one of its own
                **({"entrypoint": "/bin/sh"} if script else {}),
            )
            try:
                container.start()
            finally:
                container.get_docker_client().client.close()

        await docker.ask(start, what=what, limit_s=_START_LIMIT_S)
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
        inside = await docker.connect(self._name, network, what=f"leading the cluster to {self.part}")
        self.inside = f"{inside}:{self._definition.port}"

    async def _look_up(self, network: str) -> None:
        self.inside = f"{await docker.address_of(self._name, network)}:{self._definition.port}"

    async def kill(self) -> int:
        """SIGKILL of its first process; the container stays, ended, with its data.

        When it was dead at the latest, in ns of the run's clock: as the engine recorded it, whose answer may take a
        second more. The kernel ends all processes of a container before its first.
        """
        asked_ns = self._clock.now_ns()
        await docker.ask(lambda client: client.api.kill(self._name, "SIGKILL"), what=f"killing {self.part}")
        answered_ns = self._clock.now_ns()
        ended_ns = monotonic_ns(self._clock.anchor, await docker.ended_at(self._name)) + _STAMP_NS
        return ended_ns if asked_ns <= ended_ns <= answered_ns else answered_ns

    async def restart(self, network: str, grace_s: int) -> Process:
        """Its stop signal, SIGKILL after ``grace_s``, then started again; ``inside`` may be another afterwards."""
        what = f"restarting {self.part}"
        await docker.ask(
            lambda client: client.api.restart(self._name, timeout=grace_s), what=what, limit_s=_START_LIMIT_S
        )
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
            await docker.remove([self._name], what=f"removing {self.part}", limit_s=90)
        finally:
            if self.process is not None:
                await self.process.stop(signal.SIGTERM, 1.0)
