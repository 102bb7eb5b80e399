"""What a run brings into a whole cluster and takes away again, alone or with something in its namespace.

One run at a time has it. A lock in the cluster's folder dies with its process; a mark beside it says that the thing is,
or may be, there. Whoever finds the mark without the lock removes what it stands for.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.base.clock import Clock
from harness.base.errors import StackNotStarted
from harness.model.message import Message, ProgressCallback, message
from harness.stack.kind import record
from harness.stack.kind.images.build import ensure
from harness.stack.kind.images.load import load
from harness.stack.kind.images.recipe import Recipe
from harness.stack.kind.network import kubectl, on_control_plane
from harness.stack.kind.record import Cluster, locked
from harness.stack.kubernetes.namespace_session import NamespaceSession

LOCK_LIMIT_S = 900.0  # another run's whole rehearsal
READY_LIMIT_S = 120.0


class ClusterWide:
    """``name`` in ``cluster``: ``take`` before it is made, ``unmark`` once it is gone, ``release`` in the end."""

    def __init__(self, cluster: str, name: str) -> None:
        self._lock = record.folder(cluster) / f"{name}.lock"
        self._mark = record.folder(cluster) / name
        self._held = contextlib.AsyncExitStack()
        self.installed = False  # or may be: by this run, not yet unmarked

    async def take(self, clock: Clock, progress: ProgressCallback) -> None:
        """Waits while another run has it. Raises ``StackNotStarted`` after 15 minutes."""
        await self._held.enter_async_context(locked(self._lock, clock, progress, limit_s=LOCK_LIMIT_S))
        self._mark.touch()
        self.installed = True

    def unmark(self) -> None:
        """It is gone."""
        self._mark.unlink(missing_ok=True)
        self.installed = False

    async def release(self) -> None:
        """Another run may have it."""
        await self._held.aclose()

    @contextlib.contextmanager
    def left(self) -> Iterator[bool]:
        """Whether a killed run left it; nobody takes it meanwhile."""
        if not self._mark.exists():
            yield False
            return
        with self._lock.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False  # a run has it
                return
            yield True


class Wide(msgspec.Struct, frozen=True, kw_only=True):
    """Of the whole cluster: ``things`` are kubectl's TYPE/NAME, of kube-system where their type has a namespace;
    ``told``, a message id, is what people call them, ``mark`` the file in the cluster's folder."""

    mark: str
    told: str
    things: tuple[str, ...]

    async def delete(self, made: Cluster) -> None:
        """Raises ``StackNotStarted``."""
        gone = ("delete", "--namespace=kube-system", *self.things, "--ignore-not-found", "--timeout=60s")
        await kubectl(made.control_plane, *gone, what=f"removing {self.told}", limit_s=90)

    async def sweep(self, found: Cluster, progress: ProgressCallback) -> None:
        """Removes what a killed run left. Raises ``StackNotStarted``."""
        place = ClusterWide(found.name, self.mark)
        with place.left() as left:
            if left:
                await self.delete(found)
                place.unmark()
                progress(message("removed {what} from {cluster}", what=Message(text=self.told), cluster=found.name))


class Brought:
    """What one run brings into the whole cluster, until ``remove``."""

    wide: Wide

    def __init__(self, made: Cluster, clock: Clock, progress: ProgressCallback) -> None:
        self._made = made
        self._clock = clock
        self._progress = progress
        self._place = ClusterWide(made.name, self.wide.mark)

    @property
    def installed(self) -> bool:
        """Whether this run brought anything into the cluster, or may have, and it is not removed yet."""
        return self._place.installed

    async def remove(self, *, whole_cluster_goes: bool = False) -> None:
        """Removes what is of the whole cluster, unless that goes; what is of the namespace goes with that.

        Raises ``StackNotStarted``.
        """
        try:
            if self.installed and not whole_cluster_goes:
                await self.wide.delete(self._made)
                self._place.unmark()
        finally:
            await self._place.release()

    async def kubectl(self, *arguments: str, what: str, limit_s: float = 60.0, stdin: str = "") -> str:
        """kubectl on the whole cluster. Raises ``StackNotStarted``."""
        return await kubectl(self._made.control_plane, *arguments, what=what, limit_s=limit_s, stdin=stdin)


class Addon(Brought):
    """With a Deployment by the name ``name``. ``scratch`` holds what is only needed meanwhile."""

    name: str

    def __init__(
        self, made: Cluster, inside: NamespaceSession, *, scratch: Path, clock: Clock, progress: ProgressCallback
    ) -> None:
        super().__init__(made, clock, progress)
        self._inside = inside
        self._scratch = scratch

    async def take(self, recipe: Recipe) -> str:
        """The cluster's is this run's from then on; the image, in the nodes.

        Waits while another run has the cluster's. Raises ``StackNotStarted``.
        """
        image = await ensure(recipe, self._clock, self._progress)
        await self._place.take(self._clock, self._progress)
        await load(self._made.nodes[1:], [image], self._scratch, self._progress)
        return image

    async def ready(self, what: str) -> None:
        """Returns once the Deployment is, and says that ``what`` is. Raises ``StackNotStarted``."""
        limit = f"--timeout={READY_LIMIT_S:g}s"
        words = ("rollout", "status", f"deployment/{self.name}", limit)
        status, said = await self.in_namespace(*words, limit_s=READY_LIMIT_S + 10)
        if status != 0:
            log = await self.log()
            raise StackNotStarted(
                message(
                    "{what} is not ready after {ready_limit_s} s: {said}\n{log}",
                    what=what,
                    ready_limit_s=f"{READY_LIMIT_S:g}",
                    said=said.strip(),
                    log=log[-1500:],
                ),
                where=message("{namespace}: deployment/{name}", namespace=self._inside.namespace, name=self.name),
                remedy="see the events of its pod in the report",
            )
        self._progress(message("{what} is ready", what=what))

    async def log(self) -> str:
        """What its containers have said."""
        words = ("logs", f"deployment/{self.name}", "--all-containers", "--prefix", "--tail=2000")
        return (await self.in_namespace(*words))[1]

    async def keep_log(self, folder: Path) -> None:
        """``folder/<mark>.log``; nothing once it was removed."""
        if self.installed:
            (folder / f"{self.wide.mark}.log").write_text(await self.log())

    async def in_namespace(self, *words: str, limit_s: float = 30.0) -> tuple[int, str]:
        """kubectl in the run's namespace: its status, and what it said."""
        ran = await on_control_plane(self._made.control_plane, self._inside.namespace, *words, limit_s=limit_s)
        return ran.status, ran.output
