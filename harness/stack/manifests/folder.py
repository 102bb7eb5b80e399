"""A rendered folder as the errata and the warnings ask it: its target, its containers, what its variables read.

Where the values of rendered manifests stand in the folder they came from: for errors that name file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, NamedTuple

from harness.base.errors import BadInput

Path_ = tuple[str | int, ...]
_STEP = re.compile(r"\.(?P<key>[^.\[\] ()]+)|\[(?P<index>[0-9]+)\]|\[\.\.\.\]| \((?P<name>[^()]*)\)")


class ManifestPlaces:
    """By ``Kind/name``, the file and line of each value; empty for a folder that only kubectl could render."""

    def __init__(self, known: dict[str, dict[Path_, tuple[str, int]]]) -> None:
        self._known = known

    def of(self, key: str, *path: str | int) -> tuple[str, int]:
        """File and line of the value, or of the nearest one above it; ``("", 0)`` when nothing is known."""
        known = self._known.get(key, {})
        while path and not known.get(path, ("", 0))[0]:
            path = path[:-1]
        return known.get(path, ("", 0))

    def text(self, key: str, *path: str | int) -> str:
        """``file:line``, or "" when it is not known."""
        file, line = self.of(key, *path)
        return f"{file}:{line}" if line else file

    @contextmanager
    def said(self, documents: dict[str, dict[str, Any]]) -> Iterator[None]:
        """An error about one of ``documents`` says the file and the line besides."""
        try:
            yield
        except BadInput as error:
            found = self.located(error, documents)
            if found is error:
                raise
            raise found from error

    def located(self, error: BadInput, documents: dict[str, dict[str, Any]]) -> BadInput:
        """``error``, whose place is ``FOLDER: Kind/name.spec.replicas``, with file and line of that key before it.

        The same error when its place is none of a manifest's.
        """
        for key in sorted(documents, key=len, reverse=True):
            _folder, found, trail = error.where.partition(f": {key}")
            if found and (not trail or trail[0] in ". ["):
                place = self.text(key, *path_of(trail, documents[key]))
                where = f"{place}, {key}{trail}" if place else error.where
                return type(error)(error.told, where=where, remedy=error.given[2])
        return error


def path_of(trail: str, document: Any) -> Path_:
    """``.spec.containers[0] (api).env (PORT)`` as a path in ``document``: a name in brackets is that of an element."""
    path: list[str | int] = []
    holder = value = document
    for step in _STEP.finditer(trail):
        wanted: str | int | None = step["key"] if step["key"] is not None else None
        if step["index"] is not None:
            wanted = int(step["index"])
        elif step["name"] is not None:
            if path and isinstance(path[-1], int) and not isinstance(value, list):
                value, _ = holder, path.pop()  # the name counts: another order may have been read than is written
            names = [each.get("name") if isinstance(each, dict) else None for each in value] if value else []
            wanted = names.index(step["name"]) if isinstance(value, list) and step["name"] in names else None
        if wanted is None:
            continue
        try:
            holder, value = value, value[wanted]
        except (LookupError, TypeError):
            break
        path.append(wanted)
    return tuple(path)


Documents = dict[str, dict[str, Any]]
_PROXY = re.compile(r"cloud-sql-proxy|gce-proxy|cloudsql|database-(?:proxy|sidecar)")
#: Where the pods of each kind stand.
PODS: dict[str, Path_] = {
    "Pod": ("spec",),
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}


class ContainerAt(NamedTuple):
    """A container, the resource and the path it stands at."""

    key: str
    path: Path_
    says: dict[str, Any]
    init: bool

    @property
    def name(self) -> str:
        return str(self.says.get("name", ""))

    @property
    def image(self) -> str:
        return str(self.says.get("image", ""))

    @property
    def is_proxy(self) -> bool:
        """Whether it leads to the database."""
        words = (each for key in ("command", "args") if isinstance(each := self.says.get(key), list))
        return any(_PROXY.search(str(each)) for each in (self.image, *chain.from_iterable(words)))

    def pre_stop_s(self, unread_s: float) -> float:
        """How long its preStop waits; ``unread_s`` where that is no sleep."""
        pre_stop = at(self.says, "lifecycle", "preStop")
        if not pre_stop:
            return 0.0
        seconds = at(pre_stop, "sleep", "seconds")
        return unread_s if seconds is None else float(seconds)


def at(value: Any, *path: str | int) -> Any:
    """The value at ``path``; ``None`` where it leads nowhere."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(str(step))
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def listed(value: Any) -> list[dict[str, Any]]:
    """The mappings of a list; [] for anything else."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


#: What names an Ingress' certificate to GKE's controller, where its specification names none.
_CERTIFICATES = frozenset({"networking.gke.io/managed-certificates", "ingress.gcp.kubernetes.io/pre-shared-cert"})


def ends_tls(document: dict[str, Any]) -> bool:
    """Whether an Ingress names a certificate, or a Gateway has a listener of HTTPS or TLS."""
    if any(each.get("protocol") in ("HTTPS", "TLS") for each in listed(at(document, "spec", "listeners"))):
        return True
    return bool(at(document, "spec", "tls") or _CERTIFICATES & {*(at(document, "metadata", "annotations") or ())})


class Folder:
    """``documents`` by ``Kind/name`` and where their values stand."""

    def __init__(self, documents: Documents, places: ManifestPlaces, deployment: str = "") -> None:
        self.documents = documents
        self.places = places
        self.deployment = f"Deployment/{deployment}" if deployment else self._target()

    def of_kind(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        """The resources of the kind, with their keys."""
        return [(key, document) for key, document in self.documents.items() if key.partition("/")[0] == kind]

    def containers(self) -> Iterator[ContainerAt]:
        """Every container of every resource that makes pods."""
        for key, document in self.documents.items():
            pod = PODS.get(key.partition("/")[0])
            for name in ("containers", "initContainers") if pod is not None else ():
                assert pod is not None  # just asked
                for index, each in enumerate(listed(at(document, *pod, name))):
                    yield ContainerAt(key, (*pod, name, index), each, name == "initContainers")

    def of_target(self) -> list[ContainerAt]:
        """The containers of the target's Deployment."""
        return [each for each in self.containers() if each.key == self.deployment]

    def app(self) -> ContainerAt | None:
        """The target's own container: the one that is probed or named by the Service, else the first without proxy."""
        own = [each for each in self.of_target() if not each.is_proxy and not each.init]
        return next((each for each in own if "readinessProbe" in each.says), own[0] if own else None)

    def proxies(self) -> list[ContainerAt]:
        """The containers of the target that lead to the database."""
        return [each for each in self.of_target() if each.is_proxy]

    def autoscaler(self) -> tuple[str, dict[str, Any]] | None:
        """The HorizontalPodAutoscaler of the target."""
        name = self.deployment.partition("/")[2]
        found = self.of_kind("HorizontalPodAutoscaler")
        return next((each for each in found if at(each[1], "spec", "scaleTargetRef", "name") == name), None)

    def variables(self, container: ContainerAt) -> tuple[set[str], bool]:
        """The names of its variables, and whether some come from what is not among the manifests."""
        names = {str(each.get("name")) for each in listed(container.says.get("env"))}
        elsewhere = False
        for each in listed(container.says.get("envFrom")):
            for kind, field in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
                source = self.documents.get(f"{kind}/{at(each, field, 'name')}")
                if field in each and source is None:
                    elsewhere = True
                data = {**(at(source, "data") or {}), **(at(source, "stringData") or {})}
                names |= {f"{each.get('prefix', '')}{key}" for key in data}
        return names, elsewhere

    def place(self, key: str, *path: str | int) -> tuple[str, int]:
        """File and line of a value."""
        return self.places.of(key, *path)

    def _target(self) -> str:
        """The only Deployment, or the one that a Service leads to."""
        found = self.of_kind("Deployment")
        selectors = [at(each, "spec", "selector") or {} for _key, each in self.of_kind("Service")]
        for key, document in found:
            labels = at(document, "spec", "template", "metadata", "labels") or {}
            if any(each and each.items() <= labels.items() for each in selectors if isinstance(each, dict)):
                return key
        return found[0][0] if found else ""


def tag_of(image: str) -> str:
    """The tag or digest of an image, "" without one."""
    named, _, digest = image.partition("@")
    last = named.rpartition("/")[2]
    return digest or last.partition(":")[2]
