"""A context of a kubeconfig, looked at without asking its cluster anything.

Namespaces that runs of this machine have left on a cluster: swept when their owner is dead; nobody else's ever.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from harness.base import yamltext
from harness.base.clock import Clock, polling
from harness.base.errors import BadInput, StackNotStarted
from harness.base.home import expanded
from harness.base.options import unseen
from harness.model.message import ProgressCallback, gettext_noop, message
from harness.model.stack import OwnCluster
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.api_server import ApiServer, Json
from harness.stack.kubernetes.workload import GONE_LIMIT_S, NAMESPACES

_POLL_S = 0.25
OURS = f"{labels.MANAGED}={labels.MANAGER}"


async def sweep(api: ApiServer, progress: ProgressCallback) -> list[str]:
    """Begins to delete the namespaces whose owner was a process of this machine and is dead; their names.

    One that ends already, as its run was killed while it took it down, is among them. One of another machine is told
    of and left: whether its owner lives cannot be known here. Raises ``Refused``.
    """
    removed, others = [], []
    for item in (await api.get(NAMESPACES, labelSelector=OURS))["items"]:
        name, marks = item["metadata"]["name"], item["metadata"].get("annotations", {})
        whose = labels.owned(marks)
        if whose is labels.Owner.FOREIGN:
            others.append(name)
        elif whose is labels.Owner.DEAD:
            ending = "deletionTimestamp" in item["metadata"]
            what = (
                message("waiting for the end of namespace {name}", name=name)
                if ending
                else message("removing namespace {name}", name=name)
            )
            progress(message("left by a killed run: {what}", what=what))
            if not ending:
                await api.delete_own(f"{NAMESPACES}/{name}", item["metadata"]["uid"])
            removed.append(name)
    if others:
        progress(labels.left(others))
    return removed


async def of_run(api: ApiServer, run_id: str) -> list[str]:
    """The run's namespaces that are still there, one line each. Raises ``Refused``."""
    items: list[Json] = (await api.get(NAMESPACES, labelSelector=OURS))["items"]
    mine = [item for item in items if item["metadata"].get("annotations", {}).get(labels.RUN) == run_id]
    return [f"namespace/{item['metadata']['name']} is left" for item in mine]


async def take_down(cluster: OwnCluster, scratch: Path, clock: Clock, told: ProgressCallback) -> None:
    """``sweep`` by itself; returns when what it removed is gone. Raises ``StackNotStarted``, ``Refused``."""
    with tempfile.TemporaryDirectory(dir=scratch) as keys:
        api = await ApiServer.open(Path(cluster.kubeconfig), cluster.context, Path(keys), clock)
        try:
            removed = set(await sweep(api, told))
            again = polling(clock, limit_s=GONE_LIMIT_S, every_s=_POLL_S)
            while removed & {item["metadata"]["name"] for item in (await api.get(NAMESPACES))["items"]}:
                if not await again():
                    raise StackNotStarted(
                        message(
                            "not gone after {limit_s} s: {names}",
                            limit_s=f"{GONE_LIMIT_S:g}",
                            names=", ".join(sorted(removed)),
                        )
                    )
        finally:
            await api.close()


T = TypeVar("T")
CONFIRM = "--yes-use-this-cluster"
_CORRECT = gettext_noop("correct that place, or name another file with --kubeconfig")


class _Of(msgspec.Struct):
    """Of what a name stands for, what is looked at: of a context its cluster, of a cluster its server."""

    cluster: str | None = None
    server: str | None = None


class _Named(msgspec.Struct):
    """An entry. What stands in it is read only where it is asked for, so that another's faults are not in the way."""

    name: Any = ""
    context: Any = None
    cluster: Any = None


class _File(msgspec.Struct):
    contexts: tuple[_Named, ...] | None = None
    clusters: tuple[_Named, ...] | None = None


def look(context: str, kubeconfig: str, *, registry: str = "") -> OwnCluster:
    """The cluster that ``context`` names; ``kubeconfig`` "" is ``KUBECONFIG`` or ``~/.kube/config``, as for kubectl.

    Raises ``BadInput``: no such file, a file that does not read, an unknown context (with those there are).
    """
    files = kubeconfig or os.environ.get("KUBECONFIG") or str(expanded("~/.kube/config"))
    if not _existing(files):
        raise BadInput("there is no kubeconfig", where=files, remedy="name it with --kubeconfig, or set KUBECONFIG")
    contexts, clusters = _read(files)
    if context not in contexts:
        there = ", ".join(sorted(contexts)) or message("none")
        raise BadInput(
            message("the kubeconfig has no context {context}", context=repr(context)),
            where=files,
            remedy=message("its contexts are: {there}", there=there),
        )
    named = contexts[context].read().cluster
    server = clusters[named].read().server if named in clusters else None
    if not server:
        told = message("the context {context} names no cluster with a server", context=repr(context))
        remedy = "set its cluster's server (kubectl config set-cluster), or name another one with --context"
        raise BadInput(told, where=files, remedy=remedy)
    whole = os.pathsep.join(str(path.absolute()) for path in _existing(files))  # kubectl is run in a folder of its own
    return OwnCluster(context=context, kubeconfig=whole, server=server, registry=registry.rstrip("/"))


def _existing(files: str) -> list[Path]:
    named = [expanded(name) for name in files.split(os.pathsep) if name]
    for why in filter(None, map(unseen, named)):
        raise BadInput(why, where=files, remedy="correct the path, or let this user look into its folder")
    return [path for path in named if path.exists()]


class _Entry(NamedTuple):
    """What stands for a name, and the file that it stands in."""

    written: Any
    path: Path

    def read(self) -> _Of:
        return _converted({} if self.written is None else self.written, _Of, self.path)


def _converted(data: Any, into: type[T], path: Path) -> T:
    try:
        return msgspec.convert(data, into)
    except msgspec.ValidationError as error:
        told = message("the kubeconfig does not read: {error}", error=str(error))
        raise BadInput(told, where=str(path), remedy=_CORRECT) from error


def _read(files: str) -> tuple[dict[str, _Entry], dict[str, _Entry]]:
    """The contexts and the clusters by name; of a name that two files have, the first's. Raises ``BadInput`` for a
    file that is none; an empty one names nothing, as for kubectl.
    """
    contexts: dict[str, _Entry] = {}
    clusters: dict[str, _Entry] = {}
    for path in _existing(files):
        for data, _ in yamltext.documents(yamltext.read(path), str(path), merge_keys=True):
            if not isinstance(data, dict):
                raise BadInput("the kubeconfig is no mapping with contexts", where=str(path), remedy=_CORRECT)
            found = _converted(data, _File, path)
            for each in found.contexts or ():
                contexts.setdefault(str(each.name), _Entry(each.context, path))
            for each in found.clusters or ():
                clusters.setdefault(str(each.name), _Entry(each.cluster, path))
    return contexts, clusters


def unconfirmed(cluster: OwnCluster) -> BadInput:
    """What is said where nobody has confirmed: which cluster, and what would be made on it."""
    return BadInput(
        message(
            "nothing was done: the cluster of context {context} is not this run's own until you say so",
            context=cluster.context,
        ),
        where=cluster.server,
        remedy=message("{made}. If that is wanted: {confirm}", made=made(cluster), confirm=CONFIRM),
    )


def made(cluster: OwnCluster) -> str:
    """What a run makes on the cluster, in words."""
    images = f"images of {cluster.registry}" if cluster.registry else "images that its nodes have already"
    return (
        f"a run makes one namespace tekutoko-<run id> on {cluster.server}, in it the manifests' objects, PostgreSQL, "
        "four Firebase emulators, a gateway pod and, with --load-from cluster, the pods of the load, of "
        f"{images}; it deletes the namespace at its end and touches "
        "nothing else"
    )
