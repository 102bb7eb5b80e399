"""What a kustomization does to all its resources: namespace, prefix, suffix, labels, annotations, replicas, images."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from harness.base.errors import BadInput
from harness.model.message import message
from harness.stack.manifests.kustomize import form
from harness.stack.manifests.kustomize.fields import FieldSpec, specs, visit
from harness.stack.manifests.kustomize.resource import CLUSTER_SCOPED, Resource
from harness.stack.manifests.kustomize.tree import Map, Place, Seq

#: Where a key of the kustomization stands.
Where = Callable[..., Place]

_WORKLOADS = "Deployment ReplicaSet DaemonSet"
_TEMPLATES = (
    *specs(f"ReplicationController {_WORKLOADS}", "spec/template/metadata/{}", create=True),
    *specs("StatefulSet", "spec/template/metadata/{}", group="apps", create=True),
    *specs("Job", "spec/template/metadata/{}", group="batch", create=True),
    *specs("CronJob", "spec/jobTemplate/metadata/{}", group="batch", create=True),
    *specs("CronJob", "spec/jobTemplate/spec/template/metadata/{}", group="batch", create=True),
)


def _of_templates(name: str) -> tuple[FieldSpec, ...]:
    return tuple(
        FieldSpec(path=each.path.format(name), kind=each.kind, group=each.group, create=True) for each in _TEMPLATES
    )


METADATA_LABELS = FieldSpec(path="metadata/labels", create=True)
_TEMPLATE_LABELS = (
    METADATA_LABELS,
    *_of_templates("labels"),
    *specs("StatefulSet", "spec/volumeClaimTemplates[]/metadata/labels", group="apps", create=True),
)
_ANNOTATIONS = (FieldSpec(path="metadata/annotations", create=True), *_of_templates("annotations"))
_AFFINITY = tuple(
    f"spec/template/spec/affinity/{pod}/{when}"
    for pod in ("podAffinity", "podAntiAffinity")
    for when in (
        "preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
        "requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    )
)
_SPREAD = "spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels"
SELECTORS = (
    *specs("Service ReplicationController", "spec/selector", create=True),
    *specs(_WORKLOADS, "spec/selector/matchLabels", create=True),
    *specs("StatefulSet", "spec/selector/matchLabels", group="apps", create=True),
    *specs("Deployment StatefulSet", *_AFFINITY, _SPREAD, group="apps"),
    *specs("Job", "spec/selector/matchLabels", group="batch"),
    *specs("CronJob", "spec/jobTemplate/spec/selector/matchLabels", group="batch"),
    *specs("PodDisruptionBudget", "spec/selector/matchLabels", group="policy"),
    *specs(
        "NetworkPolicy",
        "spec/podSelector/matchLabels",
        "spec/ingress/from/podSelector/matchLabels",
        "spec/egress/to/podSelector/matchLabels",
        group="networking.k8s.io",
    ),
)
_REPLICAS = specs("Deployment ReplicationController ReplicaSet StatefulSet", "spec/replicas", create=True)
_IMAGES = specs(
    "",
    "spec/containers[]/image",
    "spec/initContainers[]/image",
    "spec/template/spec/containers[]/image",
    "spec/template/spec/initContainers[]/image",
)
_NEVER_RENAMED = {"CustomResourceDefinition", "APIService", "Namespace"}
_NAME = (FieldSpec(path="metadata/name"),)


def namespace(resources: list[Resource], name: str, where: Where, more: list[FieldSpec]) -> None:
    """Sets the namespace of all that have one, and the name of a Namespace."""
    place = where("namespace")

    def put(holder: Map, key: str) -> None:
        holder.put(key, name, place)

    for each in resources:
        each.remember()
        if each.kind not in CLUSTER_SCOPED:
            each.body["metadata"].put("namespace", name, place)
        if each.kind == "Namespace" and each.body.get("apiVersion") == "v1":
            each.body["metadata"].put("name", name, place)
        if each.kind in ("RoleBinding", "ClusterRoleBinding"):
            for subject in each.body.get("subjects", ()):
                if isinstance(subject, Map) and subject.get("name") == "default":
                    subject.put("namespace", name, place)
        for spec in more:
            visit(each, spec, put, place, str)


def affixes(
    resources: list[Resource], kustomization: form.Kustomization, where: Where, more: form.Configuration
) -> None:
    """Puts ``namePrefix`` before, and ``nameSuffix`` behind, every name."""
    prefix, suffix = kustomization.name_prefix, kustomization.name_suffix
    for each in resources:
        first = each.ids[0].kind
        if prefix and first not in _NEVER_RENAMED:
            each.prefixes.append(prefix)
            _affix(each, prefix, "", where("namePrefix"), more.name_prefix)
        if suffix and first not in _NEVER_RENAMED:
            each.suffixes.append(suffix)
            _affix(each, "", suffix, where("nameSuffix"), more.name_suffix)


def _affix(resource: Resource, prefix: str, suffix: str, place: Place, more: list[FieldSpec]) -> None:
    resource.remember()

    def put(holder: Map, key: str) -> None:
        holder.put(key, f"{prefix}{holder[key]}{suffix}", place)

    for spec in (*_NAME, *(each for each in more if each.path != "metadata/name")):
        visit(resource, spec, put, place)


def labels(
    resources: list[Resource], kustomization: form.Kustomization, where: Where, more: form.Configuration
) -> None:
    """``labels`` in their order, then ``commonLabels``, which go into selectors too."""
    everywhere = (*SELECTORS, *_TEMPLATE_LABELS, *more.common_labels)
    for index, entry in enumerate(kustomization.labels):
        chosen: tuple[FieldSpec, ...] = (*entry.field_specs, *more.labels, METADATA_LABELS)
        if entry.include_selectors:
            chosen = (*chosen, *everywhere)
        elif entry.include_templates:
            chosen = (*chosen, *_TEMPLATE_LABELS)
        _put_all(resources, entry.pairs, chosen, partial(where, "labels", index, "pairs"))
    _put_all(resources, kustomization.common_labels, everywhere, partial(where, "commonLabels"))


def common_annotations(
    resources: list[Resource], kustomization: form.Kustomization, where: Where, more: form.Configuration
) -> None:
    """``commonAnnotations``."""
    chosen = (*_ANNOTATIONS, *more.common_annotations)
    _put_all(resources, kustomization.common_annotations, chosen, partial(where, "commonAnnotations"))


def _put_all(
    resources: list[Resource],
    pairs: dict[str, str],
    chosen: tuple[FieldSpec, ...],
    place_of: Callable[[str], Place],
) -> None:
    for key, value in sorted(pairs.items()):
        place = place_of(key)

        def put(holder: Any, name: Any, key: str = key, value: str = value, place: Place = place) -> None:
            if isinstance(holder[name], Map):
                holder[name].put(key, value, place)

        for each in resources:
            for spec in chosen:
                visit(each, spec, put, place, partial(Map, place))


def replicas(resources: list[Resource], entry: form.Replicas, where: Where, index: int, more: list[FieldSpec]) -> None:
    """Sets the number of pods of what has the name. Raises ``BadInput`` when nothing has it."""
    place = where("replicas", index, "count")
    found = False

    def put(holder: Map, key: str) -> None:
        holder.put(key, entry.count, place)

    for spec in (*_REPLICAS, *more):
        for each in resources:
            if spec.is_for(each) and any(one.name == entry.name for one in each.ids):
                found = True
                visit(each, spec, put, place, int)
    if not found:
        scaled = {spec.kind for spec in _REPLICAS}
        here = ", ".join(each.ids[0].name for each in resources if each.kind in scaled) or message("none")
        what = message("replicas names {name}, which is not among the resources", name=repr(entry.name))
        at = f"{place[0]}:{place[1]}, replicas[{index}]"
        raise BadInput(what, where=at, remedy=message("there are: {names}", names=here))


def images(resources: list[Resource], entry: form.Image, where: Where, index: int, more: list[FieldSpec]) -> None:
    """Gives the image another name, tag or digest, in every container. Raises ``BadInput``."""
    key = next((key for key in ("digest", "newTag", "tagSuffix") if _given(entry, key)), "newName")
    place = where("images", index, key)
    try:
        pattern = re.compile(f"{entry.name}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?")
    except re.error as error:
        at = f"{place[0]}:{place[1]}, images[{index}].name"
        what = message("{name} is no name of an image", name=repr(entry.name))
        raise BadInput(what, where=at, remedy="write it out") from error

    done: set[int] = set()

    def put(holder: Any, name: Any) -> None:
        value = holder[name]
        if isinstance(value, str) and isinstance(holder, Map) and id(holder) not in done and pattern.fullmatch(value):
            holder.put(name, _image(value, entry), place)
            done.add(id(holder))

    for each in resources:
        if each.kind != "CustomResourceDefinition":
            _containers(each.body, put)
            for spec in (*_IMAGES, *more):
                visit(each, spec, put, place)


def _given(entry: form.Image, key: str) -> str:
    return {"digest": entry.digest, "newTag": entry.new_tag, "tagSuffix": entry.tag_suffix}[key]


def _containers(node: Any, put: Callable[[Any, Any], None]) -> None:
    """Every ``containers`` and ``initContainers`` of whatever kind of resource."""
    if isinstance(node, Map):
        for key, value in node.items():
            if key in ("containers", "initContainers") and isinstance(value, Seq):
                for each in value:
                    if isinstance(each, Map) and "image" in each:
                        put(each, "image")
            else:
                _containers(value, put)
    elif isinstance(node, Seq):
        for each in node:
            _containers(each, put)


def split_image(text: str) -> tuple[str, str, str]:
    """``registry:5000/name:tag@sha256:...`` as name, tag and digest, "" for what is not given."""
    named, _, digest = text.partition("@")
    slash = named.find("/", 1)
    colon = named.find(":", max(slash, 0))
    return (named, "", digest) if colon < 0 else (named[:colon], named[colon + 1 :], digest)


def _image(text: str, entry: form.Image) -> str:
    name, tag, digest = split_image(text)
    name = entry.new_name or name
    if entry.new_tag or entry.digest:
        tag, digest = entry.new_tag, entry.digest
    elif entry.tag_suffix:
        tag, digest = tag + entry.tag_suffix, ""
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
