"""Where a rung is chosen: the one place that knows every implementation of the ``Stack`` protocol."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from harness.base import bootstrap
from harness.base.clock import Clock
from harness.base.data import OVERLAYS
from harness.base.errors import BadInput, StackNotStarted
from harness.model.manifests import Manifests
from harness.model.message import ProgressCallback, gettext_noop, message, of_error
from harness.model.stack import AUTO, CLUSTERS, EnvironmentKind, OwnCluster, Target
from harness.stack.manifests import load as load_manifests
from harness.stack.process.base_stack import Common
from harness.stack.protocol import Stack, StackNeeds
from harness.stack.target.targets import as_command, what_of

if TYPE_CHECKING:
    from harness.stack.kubernetes.documents import Images


#: Ends the name of the overlay that stands beside another and has the component graceful, too.
GRACEFUL = "-graceful"
_SWEEP_LIMIT_S = 60.0  # of what an engine under load is asked and told to remove; the next run goes on with it
SIMULATED = gettext_noop("simulated, in virtual time")


class Choice(msgspec.Struct, frozen=True):
    """A rung, and why it, a message id, "" where it was asked for: the first line printed says both."""

    rung: EnvironmentKind
    why: str


def choose(asked: str, target: Target) -> Choice:
    """The rung for ``--on asked``; in the environment that has its packages. Raises ``BadInput`` when the rung cannot
    carry the target.

    ``auto`` takes ``kind`` where Docker and a node image are at hand, else ``local``.
    """
    found = choice(asked, target)
    provide(found.rung)
    return found


def provide(rung: EnvironmentKind) -> None:
    """A command on a cluster goes on where the cluster's packages are, which are installed first."""
    if rung in CLUSTERS:
        bootstrap.enter("harness", "kind")


def choice(asked: str, target: Target) -> Choice:
    """The same where the packages are not wanted: nothing is run."""
    if asked != AUTO:
        found = Choice(EnvironmentKind(asked), SIMULATED if asked == EnvironmentKind.SIM else "")
    elif target.own_image and not target.command:
        found = Choice(EnvironmentKind.KIND, gettext_noop("the target is an image"))
    elif not target.bundled:
        found = Choice(EnvironmentKind.LOCAL, gettext_noop("the target is a command of this machine"))
    else:
        from harness.stack.kind.at_hand import lacking

        missing, there = lacking(), gettext_noop("Docker and a node image are at hand")
        found = Choice(EnvironmentKind.LOCAL, missing) if missing else Choice(EnvironmentKind.KIND, there)
    if found.rung is EnvironmentKind.SIM and not target.bundled:
        raise BadInput(
            message(
                "the environment sim cannot run {what}: it has the bundled API's own code in memory",
                what=what_of(target),
            ),
            remedy="use --on local or --on kind",
        )
    if found.rung is EnvironmentKind.KUBE and not (target.bundled or target.image):
        raise BadInput(
            message("the environment kube cannot run {what}", what=what_of(target)),
            remedy="push its image and name it: image: NAME",
        )
    if target.own_image and not target.command and found.rung is EnvironmentKind.LOCAL:
        raise BadInput(
            message("the environment local cannot run {what}", what=what_of(target)),
            where=target.file,
            remedy="use --on kind, or give a command of this machine beside it: command: [./walk-api]",
        )
    return found


def for_rung(target: Target, rung: EnvironmentKind) -> Target:
    """The target as ``rung`` runs it: its command where pods are processes, else its image where it has one."""
    if rung is EnvironmentKind.LOCAL:
        return as_command(target)
    return msgspec.structs.replace(target, command=()) if target.own_image else target


def overlay(rung: EnvironmentKind) -> Path:
    """The manifests that ``rung`` takes unless told otherwise; ``sim`` has those of ``local``."""
    return OVERLAYS / (EnvironmentKind.LOCAL if rung is EnvironmentKind.SIM else rung).value


def graceful_beside(folder: Path) -> Path:
    """The overlay with the component graceful beside ``folder``; where there is none, such as beside a folder of
    somebody's own, ``folder`` itself."""
    beside = folder.with_name(folder.name + GRACEFUL)
    return beside if beside.is_dir() else folder


def folder_of(asked: Path | None, target: Target, rung: EnvironmentKind) -> Path:
    """The folder of a run's manifests: as asked, else the target file's, else the rung's own."""
    return asked or (Path(target.manifests) if target.manifests else overlay(rung))


class WithManifests(Protocol):
    """Where a run's manifests are, of a command's options."""

    @property
    def rung(self) -> EnvironmentKind:
        """The rung."""
        ...

    @property
    def manifests(self) -> Path:
        """The kustomize folder."""
        ...

    @property
    def target(self) -> Target:
        """The API under test."""
        ...


def manifests_of(options: WithManifests, folder: Path | None = None, *, fronted: bool = False) -> Manifests:
    """The manifests of a run as its rung has them: its folder's, or ``folder``'s in its place. ``fronted`` keeps an
    Ingress. Raises ``BadInput``.

    Of a folder of somebody's own, its risks and the document's errata in it are told; of our overlays the document's
    errata are told by what they patch.
    """
    return load_manifests(folder or options.manifests, options.rung, options.target, fronted=fronted)


async def sweep(progress: ProgressCallback, aside: ProgressCallback) -> None:
    """Removes what killed runs left on this machine, on any rung; ``aside`` is told what is not known to be left."""
    from harness.stack import state
    from harness.stack.kind import at_hand, orphans

    state.sweep(progress)
    if at_hand.docker_answers():
        try:
            async with asyncio.timeout(_SWEEP_LIMIT_S):
                await orphans.sweep(progress, aside)
        except (StackNotStarted, TimeoutError) as error:  # it hinders a run on kind alone, which then says so
            late = message("no end within {limit} s", limit=f"{_SWEEP_LIMIT_S:g}")
            why = of_error(error) if isinstance(error, StackNotStarted) else late
            progress(message("could not be looked for in Docker: {why}", why=why))


class StackWanted(Protocol):
    """What a stack is made of, of a command's options."""

    @property
    def rung(self) -> EnvironmentKind:
        """The rung."""
        ...

    @property
    def target(self) -> Target:
        """The API under test."""
        ...

    @property
    def service_port(self) -> int | None:
        """The service's port; ``None`` for any."""
        ...

    @property
    def own_cluster(self) -> OwnCluster | None:
        """Somebody's own cluster, of the rung ``kube``."""
        ...

    @property
    def signals_at_once(self) -> bool:
        """Of ``local``: on a cluster kubelet and kube-proxy race anyway."""
        ...

    @property
    def load_from_cluster(self) -> bool:
        """Whether pods of the cluster make the load."""
        ...


def stack_for(
    options: StackWanted, needs: StackNeeds, *, run_id: str, folder: Path, clock: Clock, progress: ProgressCallback
) -> Stack:
    """The stack of the rung that ``options`` name, not yet up."""
    common = Common(
        run_id=run_id,
        manifests=needs.manifests,
        target=options.target,
        folder=folder,
        clock=clock,
        service_port=options.service_port,
        fault_proxy=needs.fault_proxy,
        progress=progress,
    )
    if options.rung is EnvironmentKind.LOCAL:
        from harness.stack.local import LocalStack

        return LocalStack(signals_at_once=options.signals_at_once, every_program=needs.every_program, **common)
    if options.rung is EnvironmentKind.KIND:
        from harness.stack.kind.stack import KindStack

        return KindStack(peak_pods=needs.peak_pods, use_kept=needs.use_kept, secrets=needs.secrets, **common)
    if options.rung is EnvironmentKind.KUBE and options.own_cluster is not None:
        from harness.stack.kube.stack import KubeStack

        registry, with_load = options.own_cluster.registry, options.load_from_cluster
        images = cluster_images(options.target, registry, clock, with_load=with_load)
        return KubeStack(cluster=options.own_cluster, images=images, **common)
    raise BadInput(
        message("the environment {rung} has no stack of its own", rung=options.rung),
        remedy="use --on local or --on kind",
    )


def cluster_images(target: Target, registry: str, clock: Clock, *, with_load: bool = False) -> Images:
    """Our images as somebody's own cluster knows them: below ``registry``, or, without one, on its nodes already."""
    from harness.stack.kind.images import recipes
    from harness.stack.kubernetes.compose import DATABASE, OUTSIDE
    from harness.stack.kubernetes.documents import Images

    prefix, pull = (f"{registry}/", "IfNotPresent") if registry else ("", "Never")
    firebase = prefix + recipes.firebase(clock).tag
    return Images(
        target=target.image or prefix + recipes.api(clock).tag,
        command=target.command if target.image else (),
        sidecar=prefix + recipes.sidecar().tag,
        by_service={**dict.fromkeys(OUTSIDE, firebase), DATABASE: prefix + recipes.postgres().tag},
        load=prefix + recipes.load(clock).tag if with_load else "",
        pull=pull,
        target_pull="IfNotPresent" if target.image else pull,
    )
