"""Is there a Docker that can carry the cluster? And the few calls to it that the images and the cluster share."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from harness.base.clock import NS, MachineClock
from harness.base.errors import StackNotStarted
from harness.stack.kind.commands import run

ASK_LIMIT_S = 15.0
FREE_BYTES = 6 * 2**30  # four nodes' /var, the images, the build context
NO_DOCKER = "install and start Docker; as root on Debian: .ci/dockerd"
_GONE = ("No such container", "No such network", "not found", "is not connected to")
_BY_ANOTHER = ("is already in progress", *_GONE)  # in the words of the engine
_POLL_S = 0.2
_NOT_FROZEN, _FREEZES = "unable to freeze", 5
_NOT_PAUSED = "is not paused"  # in the words of the engine
_NO_SPACE = "free some space, for instance with: docker system prune"


class Engine(msgspec.Struct, frozen=True, kw_only=True, rename={"root": "DockerRootDir", "version": "ServerVersion"}):
    """What ``docker info`` says of the engine."""

    version: str = ""
    root: str = ""
    cgroup_version: str = msgspec.field(default="", name="CgroupVersion")
    errors: list[str] = msgspec.field(default_factory=list, name="ServerErrors")


async def docker(
    *arguments: str | Path,
    what: str,
    limit_s: float = 60.0,
    remedy: str = "",
    environment: Mapping[str, str] | None = None,
) -> str:
    """Runs ``docker`` with ``arguments``; returns its output. Raises ``StackNotStarted``.

    ``environment`` is added to ours, for ``--env NAME``: everybody on the machine sees the arguments of a process.
    """
    return await run(["docker", *arguments], what=what, limit_s=limit_s, remedy=remedy, environment=environment)


async def engine() -> Engine:
    """The Docker engine, after asking it. Raises ``StackNotStarted``: no client, no answer, too little space."""
    if shutil.which("docker") is None:
        raise StackNotStarted("the environment kind needs Docker, and there is none", where="PATH", remedy=NO_DOCKER)
    ask = ("info", "--format", "{{json .}}")
    said = await docker(*ask, what="asking the Docker engine", limit_s=ASK_LIMIT_S, remedy=NO_DOCKER)
    try:
        found = msgspec.json.decode(said, type=Engine)
    except msgspec.DecodeError as error:
        raise StackNotStarted(f"docker info reads unexpectedly: {error}", remedy=NO_DOCKER) from error
    if found.errors or not found.version:
        raise StackNotStarted(
            f"the Docker engine does not answer: {'; '.join(found.errors)}", where="docker info", remedy=NO_DOCKER
        )
    check_space(Path(found.root))
    return found


def check_space(root: Path, wanted_bytes: int = FREE_BYTES) -> None:
    """Raises ``StackNotStarted`` when less is free below Docker's ``root``; another machine's root is passed over."""
    if root.exists() and (free := shutil.disk_usage(root).free) < wanted_bytes:
        raise StackNotStarted(
            f"{free / 2**30:.1f} GiB are free for Docker, {wanted_bytes / 2**30:.1f} are needed",
            where=str(root),
            remedy=_NO_SPACE,
        )


async def check_privileged(image: str) -> None:
    """Runs a privileged container of ``image``, as each node is one. Raises ``StackNotStarted`` when it may not."""
    await run(
        ["docker", "run", "--rm", "--privileged", "--entrypoint", "/bin/true", image],
        what="running a privileged container",
        limit_s=60,
        remedy="kind's nodes are privileged containers; where root lacks CAP_SYS_RESOURCE, .ci/dockerd starts a Docker "
        "that does without it",
    )


async def pause(name: str, *, what: str) -> None:
    """Freezes a container. Raises ``StackNotStarted``.

    With cgroup v1 runc gives up when processes begin faster than it stops them, and lets them go on; so it is asked
    again.
    """
    for left in reversed(range(_FREEZES)):
        try:
            await docker("pause", name, what=what)
        except StackNotStarted as error:
            if not left or _NOT_FROZEN not in str(error):
                raise
            await MachineClock().sleep(_POLL_S)
        else:
            return


async def unpause(name: str, *, what: str) -> None:
    """Lets a container go on, if it is frozen. Raises ``StackNotStarted``."""
    try:
        await docker("unpause", name, what=what)
    except StackNotStarted as error:
        if _NOT_PAUSED not in str(error):
            raise


async def remove(containers: Sequence[str], *, what: str, limit_s: float) -> None:
    """Removes containers with their volumes; what another removes meanwhile is waited for. Raises ``StackNotStarted``.

    ``containers`` are short ids, as ``docker ps --quiet`` gives them.
    """
    clock = MachineClock()
    give_up_ns = clock.now_ns() + round(limit_s * NS)
    left = list(containers)
    while left:
        try:
            await docker("rm", "--force", "--volumes", *left, what=what, limit_s=limit_s)
        except StackNotStarted as error:
            if clock.now_ns() > give_up_ns or not any(words in error.what for words in _BY_ANOTHER):
                raise
        there = set((await docker("ps", "--all", "--quiet", what="listing containers")).split())
        left = [container for container in left if container in there]
        if left:
            await clock.sleep(_POLL_S)


@contextlib.contextmanager
def gone() -> Iterator[None]:
    """Passes over the engine's word that what was to be removed is not there."""
    try:
        yield
    except StackNotStarted as error:
        if not any(words in error.what for words in _GONE):
            raise


async def has_image(name: str) -> bool:
    """Whether Docker holds the image."""
    return bool((await docker("image", "ls", "--quiet", name, what="listing images")).strip())


async def ended_at(container: str) -> str:
    """When the container's first process ended, as the engine recorded it, in RFC 3339. Long ago while the container's
    first run lasts. Raises ``StackNotStarted``.
    """
    form = "{{.State.FinishedAt}}"
    return (await docker("inspect", "--format", form, container, what=f"asking when {container} ended")).strip()


async def command_of(image: str) -> tuple[str, ...]:
    """What a container of ``image`` runs: its entrypoint and its arguments. Raises ``StackNotStarted``."""
    form = "[{{json .Config.Entrypoint}}, {{json .Config.Cmd}}]"
    said = await docker("image", "inspect", "--format", form, image, what=f"reading the command of {image}")
    entrypoint, arguments = msgspec.json.decode(said, type=tuple[list[str] | None, list[str] | None])
    return (*(entrypoint or ()), *(arguments or ()))
