"""The Docker engine: whether one can carry the cluster, and what is asked of it.

By Docker's SDK, which answers with status codes and what the engine sent. By the command line (``docker``) where the
SDK does less: images built, pushed and pulled with the person's credential helpers, saved, imported as files and
removed, a container's log followed by a process that is a part of the run, and input into
``docker exec``.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from harness.base.clock import NS, MachineClock
from harness.base.errors import StackNotStarted
from harness.model.message import Message, gettext_noop, message
from harness.stack.kind.commands import run
from harness.stack.kind.images.recipe import REPOSITORY

if TYPE_CHECKING:
    from docker import DockerClient

ASK_LIMIT_S = 15.0
FREE_BYTES = 6 * 2**30  # four nodes' /var, the images, the build context
NO_DOCKER = gettext_noop("install and start Docker; as root on Debian: .ci/dockerd")
NOT_FOUND, CONFLICT = 404, 409
_POLL_S = 0.2
_FREEZES = 5
_NO_SPACE = gettext_noop("free some space, for instance with: docker system prune")
_THREADS = ThreadPoolExecutor(16, thread_name_prefix="docker")
#: By DOCKER_HOST, so that an engine is asked for it once.
_api_versions: dict[str, str] = {}

Answer = TypeVar("Answer")


class EngineRefused(StackNotStarted):
    """The engine answered with an error ``status``."""

    def __init__(self, status: int, what: str | Message, where: str, remedy: str | Message) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.status = status


class DockerContainer(msgspec.Struct, frozen=True, kw_only=True):
    """A container of the engine's list."""

    id: str = msgspec.field(name="Id")
    names: list[str] = msgspec.field(name="Names")
    labels: dict[str, str] = msgspec.field(name="Labels")

    @property
    def name(self) -> str:
        """Its name, without the engine's slash."""
        return self.names[0].removeprefix("/") if self.names else self.id


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine says of itself."""

    version: str = msgspec.field(name="ServerVersion")
    root: str = msgspec.field(name="DockerRootDir")
    cgroup_version: str = msgspec.field(default="", name="CgroupVersion")


async def docker(
    *arguments: str | Path,
    what: str,
    limit_s: float = 60.0,
    remedy: str | Message = "",
    environment: Mapping[str, str] | None = None,
) -> str:
    """Runs the command ``docker`` with ``arguments``; returns its output. Raises ``StackNotStarted``.

    ``environment`` is added to ours, for ``--env NAME``: everybody on the machine sees the arguments of a process.
    """
    return await run(["docker", *arguments], what=what, limit_s=limit_s, remedy=remedy, environment=environment)


async def ask(
    question: Callable[[DockerClient], Answer], *, what: str, limit_s: float = 60.0, remedy: str | Message = ""
) -> Answer:
    """What the SDK makes of ``question``, on a thread; ``what`` completes "... failed".

    Raises ``EngineRefused`` with the engine's status, or ``StackNotStarted`` when none answers within ``limit_s``.
    Cancelled, it waits for the engine to have done what it was told, so that what undoes it comes later.
    """
    asked = asyncio.get_running_loop().run_in_executor(_THREADS, _answer, question, what, limit_s, remedy)
    try:
        async with asyncio.timeout(limit_s):
            return await asyncio.shield(asked)
    except TimeoutError:
        asked.add_done_callback(lambda late: late.cancelled() or late.exception())
        raise StackNotStarted(
            message("{what} was not done after {limit_s} s", what=Message(text=what), limit_s=f"{limit_s:g}"),
            where="docker",
            remedy=remedy,
        ) from None
    except asyncio.CancelledError:
        await asyncio.wait([asked], timeout=limit_s)
        raise


def _answer(question: Callable[[DockerClient], Answer], what: str, limit_s: float, remedy: str | Message) -> Answer:
    from docker.errors import APIError, DockerException

    try:
        with contextlib.closing(_client(limit_s)) as client:
            return question(client)
    except APIError as error:
        told = str(error.explanation or error)
        refused = message("{what} failed: {error}", what=Message(text=what), error=told)
        raise EngineRefused(error.status_code or 0, refused, "docker", remedy) from error
    except (DockerException, OSError) as error:  # those of the SDK's connections among them
        met, said = error.__cause__ or error, Message(text=what)
        failed = message("{what} failed: {error}", what=said, error=str(error))
        if isinstance(met, OSError):
            failed = message("{what} failed: the Docker engine does not answer ({why})", what=said, why=_innermost(met))
        raise StackNotStarted(failed, where="docker", remedy=remedy or NO_DOCKER) from error


def _innermost(error: BaseException) -> str:
    """The system's own words in what the SDK's libraries wrap them in."""
    wrapped = next((each for each in error.args if isinstance(each, BaseException)), None)
    return _innermost(wrapped) if wrapped is not None else getattr(error, "strerror", None) or str(error)


def _client(limit_s: float) -> DockerClient:
    """Of the engine that the command line would ask: by DOCKER_HOST, else the current context. To be closed."""
    from docker import DockerClient
    from docker.context import ContextAPI
    from docker.utils import kwargs_from_env

    host = os.environ.get("DOCKER_HOST", "")
    context = None if host else ContextAPI.get_current_context()
    where = kwargs_from_env() if context is None else {"base_url": context.Host, "tls": context.TLSConfig or False}
    version = _api_versions.get(host, "auto")
    made = DockerClient(**where, version=version, use_ssh_client=True, timeout=math.ceil(limit_s))
    _api_versions[host] = made.api.api_version
    return made


async def engine() -> Engine:
    """The Docker engine, after asking it. Raises ``StackNotStarted``: no client, no answer, too little space."""
    if shutil.which("docker") is None:
        raise StackNotStarted("the environment kind needs Docker, and there is none", where="PATH", remedy=NO_DOCKER)
    said = await ask(
        lambda client: client.info(), what="asking the Docker engine", limit_s=ASK_LIMIT_S, remedy=NO_DOCKER
    )
    found = msgspec.convert(said, Engine)
    check_space(Path(found.root))
    return found


def check_space(root: Path, wanted_bytes: int = FREE_BYTES) -> None:
    """Raises ``StackNotStarted`` when less is free below Docker's ``root``; another machine's root is passed over."""
    if root.exists() and (free := shutil.disk_usage(root).free) < wanted_bytes:
        raise StackNotStarted(
            message(
                "{free} GiB are free for Docker, {needed} are needed",
                free=f"{free / 2**30:.1f}",
                needed=f"{wanted_bytes / 2**30:.1f}",
            ),
            where=str(root),
            remedy=_NO_SPACE,
        )


async def execute(container: str, *command: str, what: str, limit_s: float = 60.0) -> str:
    """Runs ``command`` in a container; returns its output. Raises ``StackNotStarted``, also when the command fails."""

    def done(client: DockerClient) -> tuple[int, bytes, bytes]:
        made = client.api.exec_create(container, list(command))["Id"]
        output, errors = client.api.exec_start(made, demux=True)
        return client.api.exec_inspect(made)["ExitCode"], output or b"", errors or b""

    status, output, errors = await ask(done, what=what, limit_s=limit_s)
    if status != 0:
        told = (errors or output).decode(errors="replace").strip()
        raise StackNotStarted(
            message("{what} failed (status {status}): {told}", what=Message(text=what), status=str(status), told=told),
            where=f"{container}: {' '.join(command[:3])}",
        )
    return output.decode(errors="replace")


async def containers(what: str, filters: Mapping[str, str]) -> list[DockerContainer]:
    """All that the filters of ``docker ps`` leave, those that ended too. Raises ``StackNotStarted``."""
    listed = await ask(lambda client: client.api.containers(all=True, filters=dict(filters)), what=what)
    return msgspec.convert(listed, list[DockerContainer])


async def address_of(container: str, network: str) -> str:
    """A container's address on ``network``. Raises ``StackNotStarted``."""
    found = await inspect(container, what="asking for an address")
    return str(found["NetworkSettings"]["Networks"][network]["IPAddress"])


async def connect(container: str, network: str, *, what: str) -> str:
    """Joins a container to a network; its address there. Raises ``StackNotStarted``."""
    await ask(lambda client: client.api.connect_container_to_network(container, network), what=what)
    return await address_of(container, network)


async def inspect(container: str, *, what: str) -> dict[str, Any]:
    """What the engine knows of a container. Raises ``StackNotStarted``."""
    return await ask(lambda client: client.api.inspect_container(container), what=what)


async def pause(name: str, *, what: str) -> None:
    """Freezes a container. Raises ``StackNotStarted``.

    With cgroup v1 runc gives up when processes begin faster than it stops them, and lets them go on; so it is asked
    again while the container runs.
    """
    for left in reversed(range(_FREEZES)):
        try:
            await ask(lambda client: client.api.pause(name), what=what)
        except EngineRefused as error:
            if not left or error.status < 500 or not (await inspect(name, what=what))["State"]["Running"]:
                raise
            await MachineClock().sleep(_POLL_S)
        else:
            return


async def unpause(name: str, *, what: str) -> None:
    """Lets a container go on, if it is frozen. Raises ``StackNotStarted``."""
    try:
        await ask(lambda client: client.api.unpause(name), what=what)
    except EngineRefused as error:
        if error.status == NOT_FOUND or (await inspect(name, what=what))["State"]["Paused"]:
            raise


async def remove(names: Sequence[str], *, what: str, limit_s: float) -> None:
    """Removes containers with their volumes, one after the other; what another removes meanwhile is waited for, what
    is not there is removed. Raises ``StackNotStarted``.
    """
    clock = MachineClock()
    give_up_ns = clock.now_ns() + round(limit_s * NS)
    for container in names:
        while not await _removed(container, what, limit_s, late=clock.now_ns() > give_up_ns):
            await clock.sleep(_POLL_S)


async def _removed(container: str, what: str, limit_s: float, *, late: bool) -> bool:
    try:
        await ask(lambda client: client.api.remove_container(container, v=True, force=True), what=what, limit_s=limit_s)
    except EngineRefused as error:
        if error.status != NOT_FOUND and (error.status != CONFLICT or late):
            raise
        return error.status == NOT_FOUND
    return True


@contextlib.contextmanager
def gone() -> Iterator[None]:
    """Passes over the engine's word that what was to be removed is not there."""
    try:
        yield
    except EngineRefused as error:
        if error.status != NOT_FOUND:
            raise


async def has_image(name: str) -> bool:
    """Whether Docker holds the image. One of ours is named again: when that was is all that says when it was used."""
    try:
        await _image(name, f"looking for the image {name}")
    except EngineRefused as error:
        if error.status != NOT_FOUND:
            raise
        return False
    if name.startswith(f"{REPOSITORY}/"):
        await tag(name, name)
    return True


async def tags(repository: str) -> list[str]:
    """The tags of the images that Docker holds of ``repository``. Raises ``StackNotStarted``."""
    found = await ask(lambda client: client.api.images(repository), what=f"listing the images {repository}")
    return [name.rpartition(":")[2] for image in found for name in image["RepoTags"] or ()]


async def tag(image: str, name: str) -> None:
    """Names an image, by its own name or id, ``REPOSITORY:TAG``. Raises ``StackNotStarted``."""
    repository, _, label = name.rpartition(":")
    what = f"naming an image {name}"
    await ask(lambda client: client.api.tag(image, repository, label), what=what)


async def save(image: str, archive: Path, *, limit_s: float) -> None:
    """Writes ``image`` with all its layers into ``archive``. Raises ``StackNotStarted``."""

    def written(client: DockerClient) -> None:
        with archive.open("wb") as into:
            for part in client.images.get(image).save():
                into.write(part)

    await ask(written, what=f"reading the image {image}", limit_s=limit_s)


async def _image(name: str, what: str) -> dict[str, Any]:
    return await ask(lambda client: client.api.inspect_image(name), what=what)  # type: ignore[no-untyped-call]


async def ended_at(container: str) -> str:
    """When the container's first process ended, as the engine recorded it, in RFC 3339. Long ago while the container's
    first run lasts. Raises ``StackNotStarted``.
    """
    return str((await inspect(container, what=f"asking when {container} ended"))["State"]["FinishedAt"])


async def command_of(image: str) -> tuple[str, ...]:
    """What a container of ``image`` runs: its entrypoint and its arguments. Raises ``StackNotStarted``."""
    made = (await _image(image, f"reading the command of {image}"))["Config"]
    return (*(made["Entrypoint"] or ()), *(made["Cmd"] or ()))
