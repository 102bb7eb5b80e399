"""What a run on kind stands on: images, the cluster, the outside services, the fault proxy. Made side by side."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.base.clock import Clock
from harness.base.errors import BadInput, NotCapable, RehearsalError, StackNotStarted
from harness.base.typed import PROGRAM
from harness.model.message import Tell, message
from harness.model.stack import PROJECT_ID, Address, Endpoints, Target, Version
from harness.stack.fault_proxy import FaultProxy
from harness.stack.feed import Feed
from harness.stack.kind import cluster, docker, record, uses
from harness.stack.kind.docker import command_of
from harness.stack.kind.images import build, own, recipes
from harness.stack.kind.images.recipe import Recipe
from harness.stack.kind.outside import Outside, secret_manager
from harness.stack.kubernetes.compose import DATABASE, definitions
from harness.stack.kubernetes.documents import SECRET_MANAGER
from harness.stack.processes import Process
from harness.stack.protocol import STANDBY
from harness.stack.ready import CHECKS, logs_in, secrets_served
from harness.stack.state import RunState
from harness.stack.waiting import together

KEPT = "TEKUTOKO_KIND_CLUSTER_LABEL"  # in the environment: the cluster that runs use instead of the kept one
DATABASE_PORT = 5432  # of every instance on the cluster's network
FAST_STOP_S = 10  # before a restart kills PostgreSQL; compose.yaml's stop_grace_period
#: Only the first start copies the primary: the container may be restarted once it has become one.
_FOLLOW = (
    'umask 077; [ -s "$PGDATA/PG_VERSION" ] || pg_basebackup -w -R -X stream --checkpoint=fast -D "$PGDATA"'
    ' -d "host={host} port={port} user=postgres application_name={name}" || exit 1; exec entrypoint.sh'
)
_KEEP_ADDRESS = "exec sleep infinity"


def kept_cluster() -> str:
    """The name of the cluster that runs use where it stands: the one that `stack keep` leaves, or of ``KEPT``."""
    return record.name_of(os.environ.get(KEPT, "kept"), message("the variable {variable}", variable=KEPT))


RENEW = f"`{PROGRAM} stack keep --on kind`"


class Images(msgspec.Struct, frozen=True, kw_only=True):
    """Tags, each the key of its content; ``command`` is what the target's container runs, () for the image's own."""

    target: str
    command: tuple[str, ...]
    sidecar: str
    by_service: dict[str, str]  # of compose.yaml


class Ground:
    """Everything that is no pod. ``death`` is set to the first unplanned end of a part."""

    def __init__(
        self, state: RunState, *, password: str, logs: Path, clock: Clock, feed: Feed, progress: Tell,
        secrets: bool = False,
    ) -> None:  # fmt: skip
        self.cluster: record.Cluster | None = None
        self.own_cluster = True
        self.fault_proxy: FaultProxy | None = None
        self.password = password
        self.death: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.standby: Outside | None = None
        self.instances: dict[str, str] = {}  # registered ones: host:port on the cluster's network
        wanted = definitions() | ({SECRET_MANAGER: secret_manager()} if secrets else {})
        self.services = {name: Outside(name, found, state, logs, clock) for name, found in wanted.items()}
        self._state = state
        self._logs = logs
        self._clock = clock
        self._feed = feed
        self._progress = progress
        self._ending = False
        self._planned: set[str] = set()
        self._replaced: list[Outside] = []
        self._standbys = 0
        self._let_go: set[int] = set()  # processes that followed the log of what was restarted
        self._use: uses.Use | None = None
        self._guards: list[asyncio.Task[None]] = []

    async def images(self, target: Target, beside: Sequence[str] = ()) -> Images:
        """All images, built where they are missing; those ``beside`` the target are to be at hand. Raises
        ``StackNotStarted``, ``BadInput``."""
        await own.at_hand(beside, target)
        given = await own.built(target, self._progress) if target.dockerfile else target.image
        sidecar, postgres, firebase = recipes.sidecar(), recipes.postgres(), recipes.firebase(self._clock)
        wanted = [sidecar, postgres, firebase]
        recipe_of = {DATABASE: postgres.name}
        if SECRET_MANAGER in self.services:
            wanted.append(recipes.secrets_store(self._clock))
            recipe_of[SECRET_MANAGER] = wanted[-1].name
        wrapped: Recipe | None = None
        if not given:
            wrapped = recipes.api(self._clock) if target.bundled else recipes.target(target)
            wanted.append(wrapped)
        tags = {recipe.name: await build.ensure(recipe, self._clock, self._progress) for recipe in wanted}
        services = {name: tags[recipe_of.get(name, firebase.name)] for name in self.services}
        return Images(
            target=tags[wrapped.name] if wrapped is not None else given,
            command=target.command if given else (),
            sidecar=tags[sidecar.name],
            by_service=services,
        )

    async def versions(self, images: Images, wanted: Sequence[Version]) -> tuple[str, ...]:
        """The images of the target's next versions, each a layer on its own. Raises ``NotCapable``."""
        command = images.command or await command_of(images.target)
        recipes_ = [recipes.version(version, images.target, command) for version in wanted]
        if images.command and any(version.wrapped for version in wanted):
            raise NotCapable("the pods' command is given, so that an image has no say in it")
        return tuple([await build.ensure(recipe, self._clock, self._progress) for recipe in recipes_])

    async def start_cluster(
        self, load: Callable[[record.Cluster], Coroutine[Any, Any, None]], *, use_kept: bool
    ) -> None:
        """The kept cluster where one stands, else one of this run's own, with ``load`` done to its nodes.

        Raises ``StackNotStarted``.
        """
        kept = await self._kept() if use_kept else None
        if kept is not None:
            self._progress(message("the kept cluster {name} is used", name=kept.name))
            self.own_cluster, made = False, kept
            await load(kept)
        else:
            label = record.run_label(self._state.lease.run_id)
            made = await cluster.ensure(label, self._clock, self._progress, kept=False, meanwhile=load)
        self.cluster = made
        self._feed.event(
            "component", made.name, message("{count} nodes ready", count=str(len(made.nodes))), nodes=made.nodes
        )

    async def _kept(self) -> record.Cluster | None:
        """The kept cluster, held until ``stop``; ``None``, with the reason told, when this run makes its own."""
        name = kept_cluster()
        if record.read(name) is None:
            return None
        self._use = uses.share(name, self._state.lease.run_id)
        found = record.read(name)  # again: only what is held cannot be removed meanwhile
        if self._use is None or found is None or not found.complete:
            why = message("it is being made or removed")
        elif cluster.outdated(found):
            why = message("it is of another version of the checkout; {command} renews it", command=RENEW)
        elif not await cluster.answers(found):
            why = message("not all its nodes are ready")
        else:
            return found
        self._progress(message("the kept cluster {name} is not used: {why}", name=name, why=why))
        self._give_back()
        return None

    def _give_back(self) -> None:
        if self._use is not None:
            self._use.end()
            self._use = None

    async def start_services(self, images: Images) -> None:
        """Returns when all outside services answer."""
        await together(*(self._start_service(name, images.by_service[name]) for name in self.services))

    async def lead_the_cluster_to_the_services(self, network: str) -> None:
        """From now on pods reach them."""
        await together(*(service.join(network) for service in self.services.values()))

    async def start_fault_proxy(self, node_port: int, service_port: int | None) -> Address:
        """The fault proxy before the loopback port that leads to the NodePort; its own address."""
        self.fault_proxy = FaultProxy(self._state, self._logs, self._clock)
        self._guard(await self.fault_proxy.start())
        self._feed.event("component", "fault_proxy", message("in front of the service"))
        return await self.fault_proxy.listen(node_port, service_port)

    def endpoints(self, service: Address) -> Endpoints:
        """Where everything answers on loopback."""
        addresses = {name: outside.address for name, outside in self.services.items()}
        return Endpoints(
            service=service,
            auth=addresses["auth"],
            firestore=addresses["firestore"],
            remote_config=addresses["remote_config"],
            storage=addresses["storage"],
            database=addresses[DATABASE],
            project_id=PROJECT_ID,
            database_password=self.password,
        )

    # -- PostgreSQL as its operator has it ----------------------------------------------------------------------

    async def lose_database(self) -> None:
        """Its container and its data are gone; its address is kept, with nobody behind it.

        Docker gives a free address to whoever joins next: an instance restored in its place would have that of the
        lost one, and pods would reach it without having been led there. Cloud SQL's new instance has an address anew.
        """
        lost = self.services[DATABASE]
        self._planned.add(lost.part)
        await lost.stop()
        keeps = Outside(f"{lost.part}-lost", definitions()[DATABASE], self._state, self._logs, self._clock)
        self._replaced.append(keeps)
        await keeps.start(lost.image, {}, network=self._network, script=_KEEP_ADDRESS)

    async def kill_database(self) -> int:
        """SIGKILL; nobody starts it again. When it was dead, as ``Outside.kill``."""
        self._planned.add(self.services[DATABASE].part)
        return await self.services[DATABASE].kill()

    async def restart_database(self) -> None:
        """Returns when it takes logins again. The end of what follows its log is no death of a part."""
        service = self.services[DATABASE]
        if service.process is not None:
            self._let_go.add(service.process.pid)
        self._guard(await service.restart(self._network, FAST_STOP_S))
        await service.ready(self._check(DATABASE))

    async def start_standby(self) -> Outside:
        """A second container that begins with ``pg_basebackup -R`` and follows; returns when it answers reads."""
        primary = self.services[DATABASE]
        self._standbys += 1
        part = f"{DATABASE}-standby-{self._standbys}"
        standby = self.standby = Outside(part, definitions()[DATABASE], self._state, self._logs, self._clock)
        host, _, port = primary.inside.partition(":")
        variables = {"POSTGRES_PASSWORD": self.password, "PGPASSWORD": self.password}
        script = _FOLLOW.format(host=host, port=port, name=STANDBY)
        self._guard(await standby.start(primary.image, variables, network=self._network, script=script))
        await standby.ready(self._check(DATABASE))
        self._tell_address(part, standby.address)
        return standby

    async def end_standby(self) -> None:
        """As planned; nothing without one."""
        standby, self.standby = self.standby, None
        if standby is not None:
            self._planned.add(standby.part)
            await standby.stop()

    def take_over(self) -> None:
        """The standby is PostgreSQL from now on; the one before stays to be removed. Raises ``BadInput``."""
        if self.standby is None:
            raise BadInput("no standby follows PostgreSQL")
        self._replaced.append(self.services[DATABASE])
        self.services[DATABASE], self.standby = self.standby, None

    async def admit(self, instance: str, address: Address) -> bool:
        """Leads pods that name ``instance`` to the container that publishes ``address``; whether there is one.

        Raises ``StackNotStarted`` when it came to the address of the instance that pods are led to already.
        """
        found = await docker.containers(f"looking for {address}", {"publish": str(address.port), "status": "running"})
        if not found:
            return False
        inside = await docker.connect(found[0].id, self._network, what=f"leading the cluster to {instance}")
        inside = f"{inside}:{DATABASE_PORT}"
        if inside == self.services[DATABASE].inside:
            raise StackNotStarted(
                message("Docker gave {instance} the lost instance's address", instance=instance), where=inside
            )
        self.instances[instance] = inside
        return True

    @property
    def _network(self) -> str:
        assert self.cluster is not None
        return self.cluster.network

    async def stop(self) -> None:
        """The fault proxy, services, the run's own cluster; each whatever became of the others.

        Raises the first error.
        """
        self._ending = True
        front = [self.fault_proxy.stop()] if self.fault_proxy is not None else []
        others = [*self._replaced, *([self.standby] if self.standby is not None else [])]
        services = (service.stop() for service in (*self.services.values(), *others))
        ended: list[object] = list(await asyncio.gather(*front, *services, return_exceptions=True))
        self._give_back()
        ended += await asyncio.gather(self._delete_cluster(), return_exceptions=True)
        for guard in self._guards:
            guard.cancel()
        await asyncio.gather(*self._guards, return_exceptions=True)
        if not self.death.done():
            self.death.cancel()
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    async def _delete_cluster(self) -> None:
        """The run's own, or the kept one that was to go when its last user has."""
        if self.cluster is None:
            return
        name = self.cluster.name
        if self.own_cluster or (uses.down_asked(name) and not uses.users(name)):
            await cluster.delete(name, self._progress)

    async def _start_service(self, name: str, image: str) -> None:
        service = self.services[name]
        variables = {"POSTGRES_PASSWORD": self.password} if name == DATABASE else {}
        self._guard(await service.start(image, variables))
        await service.ready(self._check(name))
        self._tell_address(name, service.address)

    def _tell_address(self, part: str, address: Address) -> None:
        self._feed.event("component", part, message("answers on {address}", address=str(address)), port=address.port)

    def _check(self, name: str) -> Callable[[Address], Awaitable[bool]]:
        if name == DATABASE:
            return lambda address: logs_in(address, "tekutoko", "tekutoko", self.password)
        return secrets_served if name == SECRET_MANAGER else CHECKS[name]

    def _guard(self, process: Process) -> None:
        self._feed.event("log", process.part, f"logs/{process.log.name}")
        self._guards.append(asyncio.ensure_future(self._notice(process)))

    async def _notice(self, process: Process) -> None:
        await process.wait()
        if self._ending or process.part in self._planned or process.pid in self._let_go:
            return
        error: RehearsalError = process.part_died()
        self._feed.event("component", process.part, message("died"))
        self._feed.fail(error)
        if not self.death.done():
            self.death.set_exception(error)
            self.death.exception()  # read here: nobody may be waiting for it
