"""What a run on kind stands on: images, the cluster, the outside services, the fault proxy. Made side by side.

The cluster's outside services: PostgreSQL and the Firebase parts as containers, as compose.yaml has them.

Each is published on a loopback port of the run's range for the harness, and joins the cluster's Docker network, where
pods reach it at its address there, as they would reach Cloud SQL and Firebase. ``docker logs --follow`` keeps its log
and notices its end.
The kind rung's PostgreSQL as its operator has it: containers on the cluster's network.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.base.clock import Clock
from harness.base.errors import BadInput, NotCapable, StackNotStarted
from harness.base.typed import PROGRAM
from harness.model.message import ProgressCallback, message
from harness.model.stack import Address, DatabaseAccess, Target, Version
from harness.stack.kind import cluster, docker, record
from harness.stack.kind.docker import command_of
from harness.stack.kind.images import build, own, recipes
from harness.stack.kind.images.recipe import Recipe
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.compose import DATABASE, Definition, definitions
from harness.stack.kubernetes.documents import SECRET_MANAGER, Images
from harness.stack.kubernetes.watching import FailureMonitor, monotonic_ns
from harness.stack.process.processes import Feed, Process, Spec, spawn
from harness.stack.process.waiting import CHECKS, logs_in, secrets_served, together, until
from harness.stack.protocol import STANDBY
from harness.stack.state import RunState
from harness.stack.target import variables as environment

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
    """The stand-in for Secret Manager (``tools/offline-kind/go/secrets-store/secretmanager``)."""
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


DATABASE_PORT = 5432  # of every instance on the cluster's network
FAST_STOP_S = 10  # before a restart kills PostgreSQL; compose.yaml's stop_grace_period
#: Only the first start copies the primary: the container may be restarted once it has become one.
_FOLLOW = (
    'umask 077; [ -s "$PGDATA/PG_VERSION" ] || pg_basebackup -w -R -X stream --checkpoint=fast -D "$PGDATA"'
    ' -d "host={host} port={port} user=postgres application_name={name}" || exit 1; exec entrypoint.sh'
)
_KEEP_ADDRESS = "exec sleep infinity"


class KindDatabase:
    """``Database`` of the protocol. ``lead`` makes the pods follow the instance of ``access``."""

    def __init__(self, ground: ClusterResources, lead: Callable[[], Awaitable[None]]) -> None:
        self._ground = ground
        self._lead = lead

    def access(self) -> DatabaseAccess:
        """The instance that the stack was brought up with, or its standby after ``take_over``."""
        return self._access(self._primary)

    @property
    def image(self) -> str:
        """The image of the instance of ``access``."""
        return self._primary.image

    async def register(self, instance: str, address: Address) -> None:
        """The container that publishes ``address`` joins the cluster's network, where pods reach it.

        Raises ``NotCapable`` when no container does: pods do not reach what listens on this machine's loopback alone;
        ``StackNotStarted`` when it came to the address of the instance that pods are led to already.
        """
        found = await docker.containers(f"looking for {address}", {"publish": str(address.port), "status": "running"})
        if not found:
            raise NotCapable(
                message(
                    "the instance {instance} cannot be registered on kind: no container publishes {address}",
                    instance=instance,
                    address=str(address),
                ),
                remedy="pods reach containers alone; rehearse it with --on local",
            )
        joined = await docker.connect(found[0].id, self._ground.network, what=f"leading the cluster to {instance}")
        inside = f"{joined}:{DATABASE_PORT}"
        if inside == self._primary.inside:
            raise StackNotStarted(
                message("Docker gave {instance} the lost instance's address", instance=instance), where=inside
            )
        self._ground.instances[instance] = inside

    async def lose(self) -> None:
        """Its container and its data are gone; its address is kept, with nobody behind it.

        Docker gives a free address to whoever joins next: an instance restored in its place would have that of the
        lost one, and pods would reach it without having been led there. Cloud SQL's new instance has an address anew.
        """
        lost, ground = self._primary, self._ground
        ground.ends.plan(lost.process)
        await lost.stop()
        keeps = ground.postgres(f"{lost.part}-lost")
        ground.replaced.append(keeps)
        await keeps.start(lost.image, {}, network=ground.network, script=_KEEP_ADDRESS)

    def standby(self) -> DatabaseAccess | None:
        """The standby, where one follows."""
        return None if self._ground.standby is None else self._access(self._ground.standby)

    async def start_standby(self) -> DatabaseAccess:
        """A second container of the same image on the cluster's network, which begins with ``pg_basebackup -R``."""
        ground, primary = self._ground, self._primary
        if ground.standby is not None:
            raise BadInput("a standby follows PostgreSQL already")
        ground.standbys += 1
        standby = ground.standby = ground.postgres(f"{DATABASE}-standby-{ground.standbys}")
        host, _, port = primary.inside.partition(":")
        variables = {"POSTGRES_PASSWORD": ground.password, "PGPASSWORD": ground.password}
        script = _FOLLOW.format(host=host, port=port, name=STANDBY)
        ground.ends.guard(await standby.start(primary.image, variables, network=ground.network, script=script))
        await standby.ready(ground.check(DATABASE))
        ground.tell_address(standby.part, standby.address)
        return self._access(standby)

    async def end_standby(self) -> None:
        """The container removed with its data, as planned; nothing without one."""
        standby, self._ground.standby = self._ground.standby, None
        if standby is not None:
            self._ground.ends.plan(standby.process)
            await standby.stop()

    async def kill(self) -> int:
        """SIGKILL of the container's first process; the container stays, ended. When it was dead, as
        ``Outside.kill``."""
        self._ground.ends.plan(self._primary.process)
        return await self._primary.kill()

    async def restart(self) -> None:
        """A fast shutdown and start of the container, until it takes logins again; the pods are led to its address
        should that be another. The end of what follows its log is no death of a part."""
        service, before = self._primary, self._primary.inside
        self._ground.ends.plan(service.process)
        self._ground.ends.guard(await service.restart(self._ground.network, FAST_STOP_S))
        await service.ready(self._ground.check(DATABASE))
        if service.inside != before:
            await self._lead()

    async def take_over(self) -> None:
        """The pods that run are told, those that start later read it from the ConfigMap. The instance before stays to
        be removed."""
        ground = self._ground
        if ground.standby is None:
            raise BadInput("no standby follows PostgreSQL")
        ground.replaced.append(self._primary)
        ground.services[DATABASE], ground.standby = ground.standby, None
        await self._lead()

    @property
    def _primary(self) -> Outside:
        return self._ground.services[DATABASE]

    def _access(self, service: Outside) -> DatabaseAccess:
        return DatabaseAccess(
            address=service.address, superuser="postgres", password=self._ground.password, database="tekutoko"
        )


KEPT = "TEKUTOKO_KIND_CLUSTER_LABEL"  # in the environment: the cluster that runs use instead of the kept one


def kept_cluster() -> str:
    """The name of the cluster that runs use where it stands: the one that `stack keep` leaves, or of ``KEPT``."""
    return record.name_of(os.environ.get(KEPT, "kept"), message("the variable {variable}", variable=KEPT))


RENEW = f"`{PROGRAM} stack keep --on kind`"


class ClusterResources:
    """Everything that is no pod of the target. ``ends`` notices the first unplanned end of a part."""

    def __init__(
        self, state: RunState, ends: FailureMonitor, *, password: str, logs: Path, clock: Clock, feed: Feed,
        progress: ProgressCallback,
        secrets: bool = False,
    ) -> None:  # fmt: skip
        self.cluster: record.Cluster | None = None
        self.own_cluster = True
        self.password = password
        self.standby: Outside | None = None
        self.standbys = 0  # there have been
        self.instances: dict[str, str] = {}  # registered ones: host:port on the cluster's network
        wanted = definitions() | ({SECRET_MANAGER: secret_manager()} if secrets else {})
        self.services = {name: Outside(name, found, state, logs, clock) for name, found in wanted.items()}
        self._state = state
        self.ends = ends
        self._logs = logs
        self._clock = clock
        self._feed = feed
        self._progress = progress
        self.replaced: list[Outside] = []  # what was PostgreSQL before
        self._use: record.ClusterUse | None = None

    async def images(self, target: Target, beside: Sequence[str] = ()) -> Images:
        """All images, built where they are missing; those ``beside`` the target are to be at hand. Raises
        ``StackNotStarted``, ``BadInput``."""
        await own.at_hand(beside, target)
        given = await own.built(target, self._progress) if target.dockerfile else target.image
        sidecar, postgres, firebase = recipes.sidecar(), recipes.postgres(), recipes.firebase(self._clock)
        wanted = [sidecar, postgres, firebase]
        recipe_of = {DATABASE: postgres.name}
        if SECRET_MANAGER in self.services:
            wanted.append(recipes.secrets_store())
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
        self._use = record.share(name, self._state.lease.run_id)
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

    def postgres(self, part: str) -> Outside:
        """One more instance of PostgreSQL, not yet started."""
        return Outside(part, definitions()[DATABASE], self._state, self._logs, self._clock)

    @property
    def network(self) -> str:
        """The cluster's Docker network."""
        assert self.cluster is not None
        return self.cluster.network

    async def stop(self) -> None:
        """Services, the run's own cluster; each whatever became of the others. Raises the first error."""
        others = [*self.replaced, *([self.standby] if self.standby is not None else [])]
        services = (service.stop() for service in (*self.services.values(), *others))
        ended: list[object] = list(await asyncio.gather(*services, return_exceptions=True))
        self._give_back()
        ended += await asyncio.gather(self._delete_cluster(), return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    async def _delete_cluster(self) -> None:
        """The run's own, or the kept one that was to go when its last user has."""
        if self.cluster is None:
            return
        name = self.cluster.name
        if self.own_cluster or (record.down_asked(name) and not record.users(name)):
            await cluster.delete(name, self._progress)

    async def _start_service(self, name: str, image: str) -> None:
        service = self.services[name]
        variables = {"POSTGRES_PASSWORD": self.password} if name == DATABASE else {}
        self.ends.guard(await service.start(image, variables))
        await service.ready(self.check(name))
        self.tell_address(name, service.address)

    def tell_address(self, part: str, address: Address) -> None:
        """An event for people."""
        self._feed.event("component", part, message("answers on {address}", address=str(address)), port=address.port)

    def check(self, name: str) -> Callable[[Address], Awaitable[bool]]:
        """How a service is asked whether it answers."""
        if name == DATABASE:
            return lambda address: logs_in(address, "tekutoko", "tekutoko", self.password)
        return secrets_served if name == SECRET_MANAGER else CHECKS[name]
