"""Which Deployment, container and Service of a folder are the target: as the target file says, else as the documents
show. Nobody is guessed where two would do.
"""

from __future__ import annotations

from typing import Any

from harness.base.errors import BadInput
from harness.model.message import Message, message
from harness.stack.manifests.forced import reasons
from harness.stack.manifests.forced.work import ForcedDocuments, Json, is_proxy

_PROBES = ("readinessProbe", "livenessProbe", "startupProbe")
_USUAL = ("http", "https", "web", "api", "http1")
_FRONTS = ("LoadBalancer", "NodePort", "ClusterIP")


def select_target(work: ForcedDocuments) -> None:
    """Finds the three and puts the target's container first. Raises ``BadInput`` naming what else there is."""
    named, _, container = work.target.deployment.partition("/")
    work.deployment = _deployment(work, named)
    _checked(work)
    pod = work.pod
    place = _container(work, container)
    if place:
        pod["containers"].insert(0, pod["containers"].pop(place))
        work.note(f"containers/{work.container['name']}", reasons.ORDER)
    work.image = str(work.container.get("image", ""))
    work.service = _service(work)
    work.port = _leads_to(work)


def _deployment(work: ForcedDocuments, named: str) -> str:
    keys = work.of_kind("Deployment")
    if named:
        if (key := f"Deployment/{named}") in keys:
            return key
        what = message("{kind} {name} is not among the manifests", kind="Deployment", name=repr(named))
        there = message("there are: {names}", names=_listed(keys))
        raise BadInput(what, where=work.target.file or work.folder, remedy=there)
    if len(keys) > 1:
        selected = [key for key in keys if _selecting(work, _labels_of(work.documents[key]))]
        keys = selected if len(selected) == 1 else keys
    if len(keys) == 1:
        return keys[0]
    if not keys:
        raise BadInput(
            "the rehearsal needs a Deployment", where=work.folder, remedy="add the API's to the folder's resources"
        )
    what = message("several Deployments might be the API: {names}", names=_listed(keys))
    raise BadInput(what, where=f"{work.folder}: {keys[0]}", remedy=_example(keys[0].partition("/")[2]))


def _checked(work: ForcedDocuments) -> None:
    """The Deployment has the form that the steps after this one read."""
    where = f"{work.folder}: {work.deployment}"
    found: Any = work.documents[work.deployment]
    for key in ("spec", "template", "spec"):
        found = found.get(key)
        where = f"{where}.{key}"
        if not isinstance(found, dict):
            raise BadInput(
                message("a Deployment without {key}", key=key),
                where=where,
                remedy="write spec.template.spec with containers",
            )
    work.documents[work.deployment]["spec"]["template"].setdefault("metadata", {})
    lists = [found.get("containers"), found.get("initContainers", [])]
    named = all(
        isinstance(one, list) and all(isinstance(each, dict) and isinstance(each.get("name"), str) for each in one)
        for one in lists
    )
    if not named or not lists[0]:
        raise BadInput("a pod without named containers", where=f"{where}.containers", remedy="list at least one")


def _container(work: ForcedDocuments, named: str) -> int:
    """The place of the target's container."""
    found = work.pod["containers"]
    names = [each["name"] for each in found]
    where = f"{work.folder}: {work.deployment}.spec.template.spec.containers"
    if named:
        if named in names:
            return names.index(named)
        what = message("there is no container {name}", name=repr(named))
        there = message("there are: {names}", names=", ".join(names))
        raise BadInput(what, where=work.target.file or where, remedy=there)
    able = [place for place, each in enumerate(found) if not is_proxy(each)]
    if not able:
        raise BadInput("every container is a proxy to the database", where=where, remedy="add the API's container")
    for narrower in (_probed, lambda each: _served(work, each), lambda each: bool(each.get("ports"))):
        if len(able) > 1:
            able = [place for place in able if narrower(found[place])] or able
    if len(able) > 1:
        what = message("several containers might be the API: {names}", names=", ".join(names[place] for place in able))
        name = f"{work.deployment.partition('/')[2]}/{names[able[0]]}"
        raise BadInput(what, where=where, remedy=_example(name))
    return able[0]


def _probed(container: Json) -> bool:
    return "httpGet" in container.get("readinessProbe", {})


def _served(work: ForcedDocuments, container: Json) -> bool:
    """Whether a Service leads to one of its ports."""
    ports = _ports(container)
    wanted = {_target(port) for key in _selecting(work, work.labels) for port in _spec(work, key).get("ports", [])}
    return any(name in wanted or number in wanted for name, number in ports)


def _service(work: ForcedDocuments) -> str:
    """The Service of the target's HTTP port; of several the one nearest to users."""
    keys = _selecting(work, work.labels)
    named = [each for each in keys if _spec(work, each).get("clusterIP") != "None"]
    if not named:
        where = f"{work.folder}: {(work.of_kind('Service') or [work.deployment])[0]}"
        what = message(
            "no Service leads to the pods of {deployment}; Services here: {names}",
            deployment=work.deployment,
            names=_listed(work.of_kind("Service")),
        )
        remedy = message(
            "its selector has to be among the pod template's labels, which are {labels}", labels=str(work.labels)
        )
        raise BadInput(what, where=where, remedy=remedy)

    def rank(key: str) -> tuple[bool, int]:
        kind = _spec(work, key).get("type", "ClusterIP")
        return (_http_port_of(work, key) is None, _FRONTS.index(kind) if kind in _FRONTS else len(_FRONTS))

    return min(named, key=rank)


def _leads_to(work: ForcedDocuments) -> int:
    """The number of the container's port that the Service leads to; that port of the Service is put first."""
    spec = _spec(work, work.service)
    where = f"{work.folder}: {work.service}.spec.ports"
    if not spec.get("ports"):
        raise BadInput("a Service without ports", where=where, remedy="add one")
    place = _http_port_of(work, work.service)
    if place is None:
        usual = [at for at, port in enumerate(spec["ports"]) if port.get("name") in _USUAL]
        place = usual[0] if usual else 0
    spec["ports"].insert(0, spec["ports"].pop(place))
    target = _target(spec["ports"][0])
    for name, number in _ports(work.container):
        if target in (name, number):
            return number
    if isinstance(target, int):
        return target
    names = ", ".join(name for name, _ in _ports(work.container) if name) or message("none")
    what = message("port {port} is no named container port", port=repr(target))
    remedy = message("named ports of container {container}: {names}", container=work.container["name"], names=names)
    raise BadInput(what, where=where, remedy=remedy)


def _http_port_of(work: ForcedDocuments, key: str) -> int | None:
    """Which port of the Service leads to where the target's probes ask, or to its port of a usual name."""
    ports = _ports(work.container)
    asked = [
        work.container[probe]["httpGet"].get("port")
        for probe in _PROBES
        if "httpGet" in (work.container.get(probe) or {})
    ]
    usual = [name for name, _ in ports if name in _USUAL]
    for wanted in (*asked, *usual):
        same = {wanted, *(number for name, number in ports if name == wanted)}
        same |= {name for name, number in ports if name and number in same}
        for place, port in enumerate(_spec(work, key).get("ports", [])):
            if _target(port) in same:
                return place
    return None


def _selecting(work: ForcedDocuments, labels: dict[str, str]) -> list[str]:
    return [key for key in work.of_kind("Service") if selects(_spec(work, key).get("selector"), labels)]


def selects(selector: dict[str, str] | None, labels: dict[str, str]) -> bool:
    """Whether a Service's selector, or a selector's ``matchLabels``, picks pods with ``labels``."""
    return bool(selector) and all(labels.get(key) == value for key, value in (selector or {}).items())


def _labels_of(deployment: Json) -> dict[str, str]:
    spec = deployment.get("spec") or {}
    labels: dict[str, str] = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    return labels


def _spec(work: ForcedDocuments, key: str) -> Json:
    found = work.documents[key].get("spec")
    return found if isinstance(found, dict) else {}


def _ports(container: Json) -> list[tuple[str, int]]:
    return [(str(port.get("name", "")), int(port["containerPort"])) for port in container.get("ports") or []]


def _target(port: Json) -> Any:
    return port.get("targetPort", port.get("port"))


def _listed(keys: list[str]) -> str | Message:
    return ", ".join(key.partition("/")[2] for key in keys) or message("none")


def _example(name: str) -> Message:
    return message(
        "say which is the API in a target file (--target FILE.yaml), for example `deployment: {name}`", name=name
    )
