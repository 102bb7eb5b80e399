"""A manifest on its way through kustomize: what it is called now and was called before, and who selects it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from harness.base.errors import BadInput
from harness.model.message import message
from harness.stack.manifests.kustomize import tree
from harness.stack.manifests.kustomize.tree import Map, Place, Seq

#: Kinds of Kubernetes' own that belong to no namespace; others, and every custom resource, are taken to have one.
CLUSTER_SCOPED = frozenset({
    "APIService", "CSIDriver", "CSINode", "CertificateSigningRequest", "ClusterRole", "ClusterRoleBinding",
    "ClusterTrustBundle", "ComponentStatus", "CustomResourceDefinition", "FlowSchema", "IngressClass",
    "MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume", "PodSecurityPolicy", "PriorityClass",
    "PriorityLevelConfiguration", "RuntimeClass", "SelfSubjectAccessReview", "SelfSubjectReview",
    "SelfSubjectRulesReview", "StorageClass", "SubjectAccessReview", "TokenReview", "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration", "VolumeAttachment",
})  # fmt: skip
_BUILT_IN = re.compile(r"(|apps|batch|autoscaling|policy|extensions|[a-z.]*\.k8s\.io)/?v[0-9]+[a-z0-9]*")
LOCAL_ONLY = "config.kubernetes.io/local-config"


class Id(NamedTuple):
    """A resource as it is told from others. ``namespace`` is "default" without one, "" for cluster-scoped kinds."""

    group: str
    version: str
    kind: str
    namespace: str
    name: str


class Resource:
    """``body`` is the manifest. ``previous`` are the ids it had, the oldest first."""

    def __init__(self, body: Map, behavior: str = "", hashed: bool = False) -> None:
        self.body = body
        self.behavior = behavior
        self.hashed = hashed  # the name gets a suffix made of the contents
        self.previous: list[Id] = []
        self.prefixes: list[str] = []
        self.suffixes: list[str] = []
        self.variables: list[str] = []  # ``vars`` that read a field of it

    @property
    def kind(self) -> str:
        return str(self.body.get("kind", ""))

    @property
    def name(self) -> str:
        return str(self.body["metadata"].get("name", ""))

    @property
    def namespace(self) -> str:
        return str(self.body["metadata"].get("namespace", ""))

    @property
    def key(self) -> str:
        """``Kind/name``."""
        return f"{self.kind}/{self.name}"

    @property
    def at(self) -> Place:
        return self.body.at

    @property
    def id(self) -> Id:
        group, _, version = str(self.body.get("apiVersion", "")).rpartition("/")
        return _id(group, version, self.kind, self.namespace, self.name)

    @property
    def ids(self) -> list[Id]:
        """All that it was and is called, the oldest first."""
        return [*self.previous, self.id]

    def remember(self) -> None:
        """Keeps what it is called now: the next step may change it."""
        self.previous.append(self.id)

    def rename(self, name: str, place: Place) -> None:
        self.remember()
        self.body["metadata"].put("name", name, place)

    def is_built_in(self) -> bool:
        """Whether Kubernetes itself says how its lists are merged."""
        return _BUILT_IN.fullmatch(str(self.body.get("apiVersion", ""))) is not None

    def labels(self, key: str = "labels") -> dict[str, str]:
        """Its labels, or its annotations."""
        found = self.body["metadata"].get(key)
        return {name: str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _id(group: str, version: str, kind: str, namespace: str, name: str) -> Id:
    return Id(group, version, kind, "" if kind in CLUSTER_SCOPED else namespace or "default", name)


def id_of(data: Map) -> Id:
    """The id that a manifest, or a patch, gives itself."""
    return Resource(data).id


def read(path: Path, where: str) -> Iterator[Resource]:
    """The manifests of the file, those of a List one by one. Raises ``BadInput``."""
    if not path.is_file():
        what = message("resource {path} does not exist", path=str(path))
        raise BadInput(what, where=where, remedy="name a file or folder beside it")
    for document in tree.read_file(path):
        yield from _each(document, str(path))


def from_documents(documents: Iterable[Any]) -> list[Resource]:
    """Plain documents as resources; they stand nowhere."""
    return [Resource(tree.planted(tree.plain(document))) for document in documents]


def _each(document: Any, source: str) -> Iterator[Resource]:
    place = f"{source}:{document.at[1]}" if isinstance(document, (Map, Seq)) else source
    kind = document.get("kind") if isinstance(document, Map) else None
    if isinstance(kind, str) and kind.endswith("List") and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _each(item, source)
        return
    metadata = document.get("metadata") if isinstance(document, Map) else None
    name = metadata.get("name") if isinstance(metadata, Map) else None
    if not isinstance(kind, str) or not isinstance(name, str) or not isinstance(document.get("apiVersion", ""), str):
        raise BadInput("a manifest needs kind and metadata.name", where=place, remedy="add them")
    yield Resource(document)


class Selector(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which resources are meant; an empty field matches any. Patches take names and kinds as patterns."""

    group: str = ""
    version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    label_selector: str = ""
    annotation_selector: str = ""

    def by_pattern(self, resource: Resource) -> bool:
        """Whether a patch with this target is for ``resource``. Raises ``ValueError`` for what is no pattern."""
        now, first = resource.id, resource.ids[0]
        return (
            all(
                _matches(wanted, found)
                for wanted, found in ((self.group, now.group), (self.version, now.version), (self.kind, now.kind))
            )
            and any(_matches(self.name, each.name) for each in (now, first))
            and any(_matches(self.namespace, each.namespace) for each in (now, first))
            and self.by_labels(resource)
        )

    def exactly(self, each: Id) -> bool:
        """Whether the id is meant, without patterns."""
        wanted = (self.group, self.version, self.kind, self.namespace and each.namespace and self.namespace, self.name)
        return all(not want or want == found for want, found in zip(wanted, each, strict=True))

    def by_labels(self, resource: Resource) -> bool:
        """Whether labels and annotations are as asked for. Raises ``ValueError``."""
        return labels_match(self.label_selector, resource.labels()) and labels_match(
            self.annotation_selector, resource.labels("annotations")
        )

    def __str__(self) -> str:
        text = f"{self.kind or '*'}/{self.name or '*'}"
        both = (self.label_selector, self.annotation_selector)
        return " with ".join((text, *(each for each in both if each)))


def _matches(pattern: str, text: str) -> bool:
    try:
        return not pattern or re.fullmatch(f"(?:{pattern})", text) is not None
    except re.error as error:
        raise ValueError(
            message("{pattern} is no pattern: {error}", pattern=repr(pattern), error=str(error))
        ) from error


_REQUIREMENT = re.compile(
    r"\s*(?:(?P<absent>!)\s*(?P<gone>[\w./-]+)"
    r"|(?P<key>[\w./-]+)\s*(?:(?P<operator>==|=|!=)\s*(?P<value>[\w./-]*)"
    r"|\s(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?)\s*(?:,|$)"
)


def labels_match(selector: str, labels: dict[str, str]) -> bool:
    """Whether ``labels`` fulfil ``a=b,c!=d,e in (x, y),f,!g`` (Kubernetes: labels and selectors).

    Raises ``ValueError`` for what is no selector.
    """
    at = 0
    fulfilled = True
    while at < len(selector.rstrip()):
        found = _REQUIREMENT.match(selector, at)
        if found is None or found.end() == at:
            raise ValueError(message("{selector} is no selector", selector=repr(selector)))
        at = found.end()
        fulfilled = fulfilled and _fulfilled(found, labels)
    return fulfilled


def _fulfilled(found: re.Match[str], labels: dict[str, str]) -> bool:
    if found["absent"]:
        return found["gone"] not in labels
    value = labels.get(found["key"])
    if found["operator"]:
        return (value == found["value"]) is (found["operator"] != "!=")
    if found["set"]:
        return (value in {each.strip() for each in found["values"].split(",")}) is (found["set"] == "in")
    return value is not None
