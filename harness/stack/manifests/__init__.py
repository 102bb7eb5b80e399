"""Loads a folder of manifests into ``harness.model.manifests.Manifests``: the one door, for every rung.

``deploy/kubernetes``: ``document/`` is what the design document prints, ``base/`` adds named patches, ``overlays/``
are chosen for a rung. What a rung forces upon any folder is ``harness.stack.manifests.forced``. A user's own folder
goes through the same door, so every error says what, where and what to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.base import yamltext
from harness.base.data import OVERLAYS
from harness.base.errors import BadInput
from harness.base.message import nearest
from harness.model.autoscaling import Hpa
from harness.model.manifests import Budget, Deployment, Manifests, PatchNote, RollingUpdate
from harness.model.message import message
from harness.model.stack import EnvironmentKind, Target
from harness.stack.manifests import errata, forced, kustomize, pods, spec
from harness.stack.manifests.faults import at_fault
from harness.stack.manifests.folder import Documents, Folder
from harness.stack.manifests.forced.environment import plain_secrets
from harness.stack.manifests.spec import picks

S = TypeVar("S", bound=spec.K8s)

__all__ = ["load", "of_the_rehearsal"]

#: What is read of each kind before a rung changes anything.
_FORMS: dict[str, type[spec.K8s]] = {
    "Deployment": spec.DeploymentSpec,
    "Service": spec.ServiceSpec,
    "Job": spec.JobSpec,
    "HorizontalPodAutoscaler": spec.HpaSpec,
    "PodDisruptionBudget": spec.PdbSpec,
}
_UNSAID = Target(name="", command=(), bundled=True)


def load(
    folder: Path, rung: EnvironmentKind | None = None, target: Target | None = None, *, fronted: bool = False
) -> Manifests:
    """The manifests of the kustomize folder ``folder``, rendered, checked and typed.

    With ``rung`` they are as that rung has them for ``target`` (the bundled API when it is ``None``); else as they are
    written. ``fronted`` keeps an Ingress, and the Service behind it as it is. Raises ``BadInput`` naming file, line and
    key: what kubectl refuses, no Deployment or Service or several that might be the target's, a dangling reference, a
    bad quantity, probe or port.
    """
    rendered = kustomize.render(folder)
    documents = rendered.documents
    notes = tuple(_chosen(note, folder) for note in rendered.notes)
    with rendered.places.said(documents):
        if rung is None:
            found = _typed(documents, notes, folder)
        else:
            _checked(documents, folder)
            work = _forced(documents, folder, rung, target or _UNSAID, fronted=fronted)
            names = (work.deployment.partition("/")[2], work.service.partition("/")[2])
            found = _typed(work.documents, (*notes, *work.notes), folder, *names)
            found = msgspec.structs.replace(found, beside=tuple(dict.fromkeys(work.keeps)))
    as_written = documents.get(f"Deployment/{found.deployment.name}", {})
    found = msgspec.structs.replace(found, read_keys=tuple(_read_keys(as_written)))
    if of_the_rehearsal(folder):  # its errata are told by what its patches say
        return msgspec.structs.replace(found, written=tuple(documents))
    name = found.deployment.name
    written = Folder(documents, rendered.places, name if f"Deployment/{name}" in documents else "")
    return msgspec.structs.replace(
        found, written=tuple(documents), warnings=kustomize.warnings(rendered, written), errata=errata.read(written)
    )


def _read_keys(deployment: dict[str, Any]) -> Iterator[str]:
    """The keys of ConfigMaps and Secrets that variables of its containers name, before a rung gives them other values.

    ``deployment`` has been read as one.
    """
    pod = deployment.get("spec", {}).get("template", {}).get("spec", {})
    for container in (*(pod.get("containers") or ()), *(pod.get("initContainers") or ())):
        for variable in container.get("env") or ():
            source = variable.get("valueFrom") or {}
            yield from (source[kind]["key"] for kind in ("configMapKeyRef", "secretKeyRef") if source.get(kind))


def of_the_rehearsal(folder: Path) -> bool:
    """Whether the folder is an overlay of this repository, and no folder of somebody's own."""
    return folder.resolve().is_relative_to(OVERLAYS)


def _checked(documents: Documents, folder: Path) -> None:
    """The documents have the form of their kinds, before anything is changed in them. Raises ``BadInput``."""
    for key, document in documents.items():
        where = f"{folder}: {key}"
        if (wanted := _FORMS.get(document["kind"])) is not None:
            _spec(document, wanted, where)
        elif document["kind"] in ("ConfigMap", "Secret"):
            _convert(document, spec.DataYaml, where)


def _forced(
    documents: Documents, folder: Path, rung: EnvironmentKind, target: Target, *, fronted: bool
) -> forced.ForcedDocuments:
    """Raises ``BadInput`` also for what no type above describes and Kubernetes would not take."""
    try:
        return forced.force(documents, str(folder), rung, target, fronted=fronted)
    except (AttributeError, LookupError, TypeError) as error:
        raise BadInput(
            message("a manifest has a form that Kubernetes does not know: {error}", error=repr(error)),
            where=str(folder),
            remedy=message("kubectl apply --dry-run=server -k {folder} names the key", folder=str(folder)),
        ) from error


def _chosen(note: PatchNote, folder: Path) -> PatchNote:
    """A patch of an overlay of the rehearsal's own is of the rung, and not of who wrote the manifests."""
    ours = of_the_rehearsal(folder) and note.layer.startswith("overlays/")
    return msgspec.structs.replace(note, forced=True) if ours else note


def _typed(
    documents: Documents, notes: tuple[PatchNote, ...], folder: Path, name: str = "", service_name: str = ""
) -> Manifests:
    """What is read of ``documents``; ``name`` and ``service_name`` are the target's, "" for the only ones."""
    sources = _sources(documents, folder)
    name, deployment = _one(documents, "Deployment", spec.DeploymentSpec, folder, name)
    service_name, service = _one(documents, "Service", spec.ServiceSpec, folder, service_name)
    containers = deployment.template.spec.containers
    ports = [port for container in containers for port in container.ports]
    labels = deployment.template.metadata.labels
    _selects(documents[f"Deployment/{name}"]["spec"]["selector"], labels, f"{folder}: Deployment/{name}.spec.selector")
    _selects({"matchLabels": service.selector}, labels, f"{folder}: Service/{service_name}.spec.selector")
    _service_account(documents, deployment, folder, name)
    if not service.ports:
        raise BadInput("a Service without ports", where=f"{folder}: Service/{service_name}", remedy="add one")
    port = service.ports[0]
    target = port.target_port if port.target_port is not None else port.port
    raw, hpa = documents[f"Deployment/{name}"], _hpa(documents, name, folder)
    return Manifests(
        folder=str(folder),
        documents=documents,
        deployment=_begun(_deployment(name, raw, deployment, sources, folder), raw, hpa),
        service=service_name,
        service_port=port.port,
        service_target_port=pods.port_number(target, ports, f"{folder}: Service/{service_name}.spec.ports[0]"),
        config={key: value for data in sources.config_maps.values() for key, value in data.items()},
        secret_keys=tuple(key for data in sources.secrets.values() for key in data),
        hpa=hpa,
        pdb=_pdb(documents, labels, folder),
        patches=notes,
    )


def _deployment(
    name: str, raw: dict[str, Any], deployment: spec.DeploymentSpec, sources: pods.Sources, folder: Path
) -> Deployment:
    where = f"{folder}: Deployment/{name}.spec"
    if deployment.replicas < 0:
        what = message("{key} is {value}", key="replicas", value=str(deployment.replicas))
        raise BadInput(what, where=where, remedy="it must be at least 0")
    if deployment.progress_deadline_seconds <= deployment.min_ready_seconds:
        deadline_s = str(deployment.progress_deadline_seconds)
        what = message("{key} is {value}", key="progressDeadlineSeconds", value=deadline_s)
        raise BadInput(what, where=where, remedy="it must be more than minReadySeconds")
    pod = deployment.template.spec
    return Deployment(
        name=name,
        replicas=deployment.replicas,
        template=pods.template(raw["spec"]["template"], pod, sources, f"{where}.template.spec"),
        strategy=_strategy(deployment.strategy, f"{where}.strategy"),
        min_ready_s=deployment.min_ready_seconds,
        progress_deadline_s=deployment.progress_deadline_seconds,
    )


def _begun(deployment: Deployment, raw: dict[str, Any], hpa: Hpa | None) -> Deployment:
    """With the replicas it stands at. Who leaves them out leaves them to the HPA, which takes the API server's one pod
    to its fewest at its first look."""
    if hpa is None or "replicas" in raw["spec"]:
        return deployment
    return msgspec.structs.replace(deployment, replicas=hpa.min_replicas)


def _strategy(strategy: spec.Strategy, where: str) -> RollingUpdate:
    if strategy.type != "RollingUpdate":
        what = message("strategy {strategy} is not read", strategy=repr(strategy.type))
        raise BadInput(what, where=where, remedy="use RollingUpdate")
    rolling = strategy.rolling_update or spec.RollingUpdateSpec()
    for key, value in (("maxSurge", rolling.max_surge), ("maxUnavailable", rolling.max_unavailable)):
        good = value >= 0 if isinstance(value, int) else re.fullmatch(r"[0-9]{1,3}%", value)
        if not good:
            what = message("{key} is {value}", key=key, value=repr(value))
            raise BadInput(what, where=where, remedy="write a number or a percentage, e.g. 1 or '25%'")
    if all(str(value).rstrip("%").strip("0") == "" for value in (rolling.max_surge, rolling.max_unavailable)):
        raise BadInput("maxSurge and maxUnavailable are both 0", where=where, remedy="one must allow progress")
    return RollingUpdate(max_surge=rolling.max_surge, max_unavailable=rolling.max_unavailable)


def _sources(documents: Documents, folder: Path) -> pods.Sources:
    maps: dict[str, dict[str, dict[str, str]]] = {"ConfigMap": {}, "Secret": {}}
    plain: dict[str, dict[str, str]] = {}
    for key, document in documents.items():
        kind, _, name = key.partition("/")
        if kind in maps:
            data = _convert(document, spec.DataYaml, f"{folder}: {key}")
            maps[kind][name] = data.data | data.string_data
        if kind == "Secret":
            plain[name] = plain_secrets(document)
        if kind == "SecretProviderClass":  # the Secrets Store CSI driver makes these Secrets once a pod mounts it
            for each in _spec(document, spec.ProviderClassSpec, f"{folder}: {key}").secret_objects:
                maps["Secret"].setdefault(each.secret_name, {}).update(
                    dict.fromkeys((one.key for one in each.data), "")
                )
    return pods.Sources(maps["ConfigMap"], maps["Secret"], plain)


def _one(documents: Documents, kind: str, wanted: type[S], folder: Path, name: str) -> tuple[str, S]:
    keys = [f"{kind}/{name}"] if name else [key for key in documents if key.startswith(f"{kind}/")]
    if len(keys) != 1:
        what = message("the rehearsal needs exactly one {kind}", kind=kind)
        there = message("there are: {names}", names=", ".join(keys) or message("none"))
        raise BadInput(what, where=str(folder), remedy=there)
    return keys[0].partition("/")[2], _spec(documents[keys[0]], wanted, f"{folder}: {keys[0]}")


def _spec(document: dict[str, Any], wanted: type[S], where: str) -> S:
    if not isinstance(document.get("spec"), dict):
        raise BadInput("a manifest without spec", where=where, remedy="add its spec")
    found = _convert(document["spec"], wanted, f"{where}.spec")
    for path, known in spec.unknown(document["spec"], wanted):
        if near := nearest(str(path[-1]), known):  # a probe that nobody asks; any other may be of a newer Kubernetes
            what = message("unknown key {key}{near}", key=repr(path[-1]), near=near)
            at = f"{where}.spec.{yamltext.dotted(path)}"
            raise BadInput(what, where=at, remedy="see the Kubernetes API reference")
    return found


def _convert(data: Any, wanted: type[S], where: str) -> S:
    try:
        return msgspec.convert(data, wanted)
    except msgspec.ValidationError as error:
        said, fault = at_fault(data, error)
        path = yamltext.dotted(fault)
        at = f"{where}.{path}" if path and path[0] != "[" else where + path
        raise BadInput(said, where=at, remedy="see the Kubernetes API reference") from error


def _selects(selector: dict[str, Any], labels: dict[str, str], where: str) -> None:
    """Raises ``BadInput``; an empty selector is none of a workload."""
    if not any(selector.values()) or not picks(selector, labels):
        shown = selector.get("matchLabels") if not selector.get("matchExpressions") else selector
        what = message("the selector {selector} does not select the pods", selector=str(shown or {}))
        remedy = message("the pod template's labels are {labels}", labels=str(labels))
        raise BadInput(what, where=where, remedy=remedy)


def _service_account(documents: Documents, deployment: spec.DeploymentSpec, folder: Path, name: str) -> None:
    account = deployment.template.spec.service_account_name
    if account != "default" and f"ServiceAccount/{account}" not in documents:
        raise BadInput(
            message("{kind} {name} is not among the manifests", kind="ServiceAccount", name=repr(account)),
            where=f"{folder}: Deployment/{name}.spec.template.spec.serviceAccountName",
            remedy="add it: without it no pod is created",
        )


def _hpa(documents: Documents, deployment: str, folder: Path) -> Hpa | None:
    for key, document in documents.items():
        if not key.startswith("HorizontalPodAutoscaler/"):
            continue
        where = f"{folder}: {key}"
        hpa = _spec(document, spec.HpaSpec, where)
        target = hpa.scale_target_ref
        named = f"{target.kind}/{target.name}"
        if named != f"Deployment/{deployment}" and named in documents:
            continue  # of a workload that runs beside the target
        if named != f"Deployment/{deployment}":
            what = message("{kind} {name} is not among the manifests", kind="scaleTargetRef", name=named)
            remedy = message("it should be {resource}", resource=f"Deployment/{deployment}")
            raise BadInput(what, where=f"{where}.spec.scaleTargetRef", remedy=remedy)
        return spec.hpa(key.partition("/")[2], hpa, f"{where}.spec")
    return None


def _pdb(documents: Documents, labels: dict[str, str], folder: Path) -> Budget | None:
    for key, document in documents.items():
        if not key.startswith("PodDisruptionBudget/"):
            continue
        where = f"{folder}: {key}.spec"
        pdb = _spec(document, spec.PdbSpec, f"{folder}: {key}")
        selector = document["spec"].get("selector")
        if pdb.selector is None or (not picks(selector, labels) and _picks_another(selector, documents)):
            continue  # policy/v1: it selects no pod, or those of a workload beside the target
        if any(selector.values()):  # an empty one selects all pods of the namespace
            _selects(selector, labels, f"{where}.selector")
        return spec.budget(key.partition("/")[2], pdb, where)
    return None


def _picks_another(selector: dict[str, Any], documents: Documents) -> bool:
    templates = (each["spec"]["template"] for key, each in documents.items() if key.startswith("Deployment/"))
    return any(picks(selector, (each.get("metadata") or {}).get("labels") or {}) for each in templates)
