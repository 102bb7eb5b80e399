"""The cluster's outside services: PostgreSQL and the Firebase parts as containers, read from compose.yaml.

Each is published on a loopback port of the run's range for the harness, and joins the cluster's Docker network, where
pods reach it at its address there, as they would reach Cloud SQL and Firebase. ``docker logs --follow`` keeps its log
and notices its end.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import yaml

from harness.clock import Clock
from harness.model.stack import Address
from harness.stack import environment
from harness.stack.kind import docker, labels
from harness.stack.processes import Process, Spec, spawn
from harness.stack.waiting import until
from harness.state import RunState

COMPOSE = Path(__file__).resolve().parents[3] / "compose.yaml"
SECRET_MANAGER = "secret_manager"  # noqa: S105 - no service of compose.yaml: only the rehearsal of secrets has it
READY_LIMIT_S = 90.0
_START_LIMIT_S = 60.0
_VARIABLE = re.compile(r"\$\{\w+:-([^}]*)\}")  # compose's ${NAME:-default}


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """What a run needs of a service of compose.yaml; its healthcheck is for those who run compose itself."""

    image: str
    ports: list[str]
    command: list[str] = []
    environment: dict[str, str] = {}
    shm_size: str = "64mb"

    @property
    def port(self) -> int:
        """The container's port, the one that is published."""
        return int(self.ports[0].rpartition(":")[2])


def secret_manager() -> Definition:
    """The stand-in for Secret Manager (``images/go/secrets-store/secretmanager``)."""
    return Definition(image="", ports=["8085"], command=["secretmanager", "serve", ":8085"])


def definitions(path: Path = COMPOSE) -> dict[str, Definition]:
    """The services of compose.yaml by name, with the defaults of their variables."""
    text = _VARIABLE.sub(lambda match: match[1], path.read_text())
    return msgspec.convert(yaml.safe_load(text)["services"], dict[str, Definition])


class Outside:
    """One outside service. ``start`` then ``ready``; ``stop`` removes the container and its data."""

    def __init__(self, part: str, definition: Definition, state: RunState, logs: Path, clock: Clock) -> None:
        self.part = part
        self.address = Address(host="127.0.0.1", port=state.take_port())
        self.inside = ""  # host:port on the cluster's network, after ``join``
        self._definition = definition
        self._state = state
        self._log = logs / f"{part}.log"
        self._clock = clock
        self._name = labels.container(state.lease.run_id, part)
        self.process: Process | None = None

    async def start(self, image: str, variables: dict[str, str]) -> Process:
        """Starts the container; ``variables`` are added to its environment. Raises ``StackNotStarted``."""
        wanted = {**self._definition.environment, **variables}
        await docker.docker(
            *("run", "--detach", "--name", self._name, "--pull", "never"),
            *labels.arguments(self._state.lease),
            *("--publish", f"{self.address}:{self._definition.port}", "--shm-size", self._definition.shm_size),
            *(word for name, value in wanted.items() for word in ("--env", f"{name}={value}")),
            *(image, *self._definition.command),
            what=f"starting the container of {self.part}",
            limit_s=_START_LIMIT_S,
        )
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
        question = f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}'
        address = await docker.docker("inspect", "--format", question, self._name, what="asking for an address")
        self.inside = f"{address.strip()}:{self._definition.port}"

    async def ready(self, check: Callable[[Address], Awaitable[bool]]) -> None:
        """Returns when ``check`` holds at its loopback address. Raises ``StackNotStarted``."""
        assert self.process is not None
        await until(lambda: check(self.address), self.process, self._clock, limit_s=READY_LIMIT_S, what="answered")

    async def pause(self, *, on: bool) -> None:
        """Freezes all its processes, or lets them go on."""
        await docker.docker("pause" if on else "unpause", self._name, what=f"pausing {self.part}")

    async def stop(self) -> None:
        """Removes the container with its data; idempotent, bounded."""
        try:
            with docker.gone():
                await docker.docker("rm", "--force", "--volumes", self._name, what=f"removing {self.part}", limit_s=30)
        finally:
            if self.process is not None:
                await self.process.stop(signal.SIGTERM, 1.0)
