"""The document's errata about manifests, held against a folder: still there, fixed here, or not readable from it.

Each is read from the rendered resources alone, as they are written, before a rung forces anything. What an erratum
says and how it is mended stands in the register (``scenarios``).

What reading a folder for one of the document's errata comes to.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from harness.model.manifests import FIXED_HERE, NOT_READABLE, OLD_REGISTRY, STILL_THERE, RepositoryErratum
from harness.model.message import Message, message
from harness.stack.manifests.folder import ContainerAt, Folder, at, ends_tls, listed, tag_of
from harness.stack.manifests.forced.work import accepts_s, drain_s


class SettingRead(NamedTuple):
    """What was read: the state, the sentence, the place ("" for none)."""

    state: str
    told: Message
    place: tuple[str, int] = ("", 0)


def still(told: Message, place: tuple[str, int] = ("", 0)) -> SettingRead:
    """The document's mistake stands in the folder, at the place."""
    return SettingRead(STILL_THERE, told, place)


def fixed(told: Message, place: tuple[str, int] = ("", 0)) -> SettingRead:
    """The folder does not have the document's mistake."""
    return SettingRead(FIXED_HERE, told, place)


def unread(told: Message) -> SettingRead:
    """The folder does not show it."""
    return SettingRead(NOT_READABLE, told)


Read = Callable[[Folder], SettingRead]


def read(folder: Folder) -> tuple[RepositoryErratum, ...]:
    """Every erratum of the table with what ``folder`` says of it, in the table's order."""
    found = ((name, reader(folder)) for name, reader in TABLE.items())
    return tuple(
        RepositoryErratum(id=name, state=each.state, told=each.told, file=each.place[0], line=each.place[1])
        for name, each in found
    )


def _outside(reason: Message) -> Read:
    return lambda _folder: unread(reason)


def _replicas(folder: Folder) -> SettingRead:
    place = folder.place(folder.deployment, "spec", "replicas")
    replicas = at(folder.documents.get(folder.deployment), "spec", "replicas")
    if folder.autoscaler() is None:
        return fixed(message("no HorizontalPodAutoscaler scales the Deployment"))
    if replicas is None:
        return fixed(message("the Deployment leaves replicas to the HorizontalPodAutoscaler"))
    return still(message("replicas: {number} beside a HorizontalPodAutoscaler", number=str(replicas)), place)


def _unpinned(containers: list[ContainerAt], folder: Folder) -> SettingRead | None:
    for each in containers:
        if tag_of(each.image) in ("", "latest"):
            place = folder.place(each.key, *each.path, "image")
            return still(message("container {name} runs {image}", name=each.name, image=each.image), place)
    return None


def _image(folder: Folder) -> SettingRead:
    own = [each for each in folder.of_target() if not each.is_proxy]
    return _unpinned(own, folder) or fixed(message("every image has a tag or a digest"))


def _proxy_image(folder: Folder) -> SettingRead:
    if not folder.proxies():
        return unread(message("the pod has no proxy to the database"))
    return _unpinned(folder.proxies(), folder) or fixed(message("the proxy has a tag or a digest"))


def _registry(folder: Folder) -> SettingRead:
    for each in folder.containers():
        if OLD_REGISTRY.match(each.image):
            place = folder.place(each.key, *each.path, "image")
            return still(message("container {name} runs {image}", name=each.name, image=each.image), place)
    return fixed(message("no image of the team's own lies in Container Registry (gcr.io)"))


#: What a target has to be told, each by any of these names.
_NEEDED = {
    "DB_PORT": r"DB_PORT|PGPORT|.*DATABASE_(URL|DSN).*",
    "DB_USER": r"DB_USER|PGUSER|.*DATABASE_(URL|DSN).*",
    "DB_NAME": r"DB_NAME|PGDATABASE|.*DATABASE_(URL|DSN).*",
    "DB_SSLMODE": r"DB_SSLMODE|PGSSLMODE|.*DATABASE_(URL|DSN).*",
    "FIREBASE_PROJECT_ID": r"FIREBASE_PROJECT_ID|GOOGLE_CLOUD_PROJECT|GCP_PROJECT\w*",
}


def _environment(folder: Folder) -> SettingRead:
    app = folder.app()
    if app is None:
        return unread(message("the folder has no container of the target's"))
    names, elsewhere = folder.variables(app)
    missing = [name for name, form in _NEEDED.items() if not any(re.fullmatch(form, each) for each in names)]
    if missing and elsewhere:
        return unread(message("some variables come from a ConfigMap or Secret that is made elsewhere"))
    if missing:
        place = folder.place(app.key, *app.path, "env" if "env" in app.says else "name")
        told = message("container {name} is not told {missing}", name=app.name, missing=", ".join(missing))
        return still(told, place)
    return fixed(message("the target is told its database and its project"))


def _proxy_stops(folder: Folder) -> SettingRead:
    for each in folder.proxies():
        native = each.init and each.says.get("restartPolicy") == "Always"
        place = folder.place(each.key, *each.path, "name")
        drains_s = drain_s(each.says)
        app = folder.app()
        target_s = 0.0 if app is None else app.pre_stop_s(0.0 if drains_s else math.inf)
        if not native and each.pre_stop_s(0.0) + accepts_s(each.says) + drains_s <= target_s:
            return still(message("container {name} is stopped together with the target", name=each.name), place)
        return fixed(message("container {name} ends after the target", name=each.name), place)
    return unread(message("the pod has no proxy to the database"))


def _pre_stop(folder: Folder) -> SettingRead:
    app = folder.app()
    if app is None:
        return unread(message("the folder has no container of the target's"))
    if at(app.says, "lifecycle", "preStop") is None:
        told = message("container {name} has no preStop", name=app.name)
        return still(told, folder.place(app.key, *app.path, "name"))
    place = folder.place(app.key, *app.path, "lifecycle", "preStop")
    proxy = _proxy_stops(folder)
    if proxy.state == STILL_THERE:
        return proxy
    return fixed(message("container {name} waits before it ends", name=app.name), place)


def _read_keys(folder: Folder) -> dict[str, set[str]]:
    """By ``Kind/name``, the keys that some container reads; ``*`` for all of them."""
    found: dict[str, set[str]] = {}
    for each in folder.containers():
        for variable in listed(each.says.get("env")):
            for kind, field in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
                if isinstance(ref := at(variable, "valueFrom", field), dict):
                    found.setdefault(f"{kind}/{ref.get('name')}", set()).add(str(ref.get("key")))
        for source in listed(each.says.get("envFrom")):
            for kind, field in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
                if field in source:
                    found.setdefault(f"{kind}/{at(source, field, 'name')}", set()).add("*")
    text = repr(list(folder.documents.values()))
    for key in folder.documents:
        kind, _, name = key.partition("/")
        fields = {"ConfigMap": "configMap", "Secret": "secretName"}
        if kind in fields and re.search(rf"'{fields[kind]}': (?:{{[^{{}}]*'name': )?'{re.escape(name)}'", text):
            found.setdefault(key, set()).add("*")
    return found


def _placeholders(folder: Folder) -> SettingRead:
    for key, document in folder.of_kind("Secret"):
        for name, value in (at(document, "data") or {}).items():
            try:
                base64.b64decode("".join(str(value).split()), validate=True)
            except (binascii.Error, ValueError):
                told = message("{key} of {resource} is no base64", key=name, resource=key)
                return still(told, folder.place(key, "data", name))
    return fixed(message("every Secret of the folder is base64, or has stringData"))


#: The end of a name that has the hash of its contents, so that a change makes another ConfigMap.
_HASHED = re.compile(r"-[2456789bcdfghkmt]{10}$")
_KEY_FILE = re.compile(r"(?i)(?:firebase|google|gcp).*(?:credential|key|json)|service.?account")


def _key_file(folder: Folder) -> SettingRead:
    read_keys = _read_keys(folder)
    for key, document in folder.of_kind("Secret"):
        for name in {**(at(document, "data") or {}), **(at(document, "stringData") or {})}:
            if _KEY_FILE.search(name) and not read_keys.get(key, set()) & {"*", name}:
                told = message("{key} of {resource} is read by no container", key=name, resource=key)
                return still(told, folder.place(key, "data", name))
    return fixed(message("no Secret holds a key file that nobody reads"))


def _metrics(folder: Folder) -> Iterator[tuple[dict[str, Any], tuple[str, int]]]:
    """Each metric that the Deployment is scaled by, with its place."""
    key, document = folder.autoscaler() or ("", {})
    for index, each in enumerate(listed(at(document, "spec", "metrics"))):
        target = ("resource", "target", "averageUtilization") if "resource" in each else ()
        yield each, folder.place(key, "spec", "metrics", index, *target)


def _summed(name: str) -> Read:
    def reading(folder: Folder) -> SettingRead:
        if folder.autoscaler() is None:
            return unread(message("no HorizontalPodAutoscaler scales the Deployment"))
        several = sum(not each.init or each.says.get("restartPolicy") == "Always" for each in folder.of_target()) > 1
        for each, place in _metrics(folder) if several else ():
            if at(each, "resource", "name") == name and at(each, "resource", "target", "averageUtilization"):
                told = message("a percentage of {name} is of all the pod's containers together", name=name)
                return still(told, place)
        return fixed(message("no percentage of {name} is of several containers together", name=name))

    return reading


def _latency(folder: Folder) -> SettingRead:
    for each, place in _metrics(folder):
        name = str(at(each, "external", "metric", "name") or "")
        if "latenc" in name.lower():
            return still(message("the external metric {name} scales the Deployment", name=name), place)
    return unread(message("no external metric scales the Deployment"))


def _front(folder: Folder) -> SettingRead:
    fronts = [*folder.of_kind("Ingress"), *folder.of_kind("Gateway")]
    for key, document in fronts:
        if ends_tls(document):
            return fixed(message("{key} can end TLS", key=key), folder.place(key, "spec"))
    for key, _ in fronts:
        return still(message("{key} names no certificate", key=key), folder.place(key, "spec"))
    balancers = [each for each in folder.of_kind("Service") if at(each[1], "spec", "type") == "LoadBalancer"]
    for key, document in balancers:
        if any(each.get("port") == 443 for each in listed(at(document, "spec", "ports"))):
            return unread(message("whether the pods behind port 443 of {key} end TLS is not in a manifest", key=key))
    for key, _ in balancers:
        told = message("{key} is a LoadBalancer, which ends no TLS, and there is no Ingress", key=key)
        return still(told, folder.place(key, "spec", "type"))
    return unread(message("neither LoadBalancer nor Ingress is among the manifests"))


def _volume(folder: Folder) -> SettingRead:
    pod = at(folder.documents.get(folder.deployment), "spec", "template", "spec")
    for index, each in enumerate(listed(at(pod, "volumes"))):
        name = at(each, "csi", "volumeAttributes", "secretProviderClass")
        if name is None:
            continue
        place = folder.place(folder.deployment, "spec", "template", "spec", "volumes", index)
        mounted = any(
            mount.get("name") == each.get("name")
            for container in folder.of_target()
            for mount in listed(container.says.get("volumeMounts"))
        )
        if not mounted:
            return still(message("no container mounts the volume {name}", name=str(each.get("name"))), place)
        if f"SecretProviderClass/{name}" not in folder.documents:
            return still(message("SecretProviderClass {name} is not among the manifests", name=str(name)), place)
        return fixed(message("the volume is mounted and its SecretProviderClass is there"), place)
    return fixed(message("no volume of the Secrets Store driver is left without a mount"))


def _host(folder: Folder) -> SettingRead:
    app = folder.app()
    for index, each in enumerate(listed(app.says.get("env")) if app else []):
        if app is not None and each.get("name") in ("DB_HOST", "PGHOST"):
            source = at(each, "valueFrom", "configMapKeyRef")
            place = folder.place(app.key, *app.path, "env", index)
            if isinstance(source, dict) and folder.proxies() and not _HASHED.search(str(source.get("name"))):
                told = message("{name} comes from {config}, whose change restarts nothing", name=str(each["name"]),
                               config=f"ConfigMap/{source.get('name')}")  # fmt: skip
                return still(told, place)
            return fixed(message("a new address of the database replaces the pods"), place)
    return unread(message("where the address of the database comes from is not in a manifest"))


def _placeholder_names(folder: Folder) -> SettingRead:
    for each in folder.containers():
        for field in ("image", "args", "command"):
            value: Any = each.says.get(field)
            words = [str(one) for one in value] if isinstance(value, list) else [str(value or "")]
            found = next((one for one in words if re.search(r"PROJECT_ID|INSTANCE_NAME|\bREGION\b", one)), None)
            if found is not None:
                told = message("container {name} has the placeholder {words}", name=each.name, words=found)
                return still(told, folder.place(each.key, *each.path, field))
    return fixed(message("no container has a placeholder of the document"))


def _zones(folder: Folder) -> SettingRead:
    pod = at(folder.documents.get(folder.deployment), "spec", "template", "spec")
    path = ("spec", "template", "spec")
    if "topology.kubernetes.io/zone" in repr([at(pod, "topologySpreadConstraints"), at(pod, "affinity")]):
        key = "topologySpreadConstraints" if at(pod, "topologySpreadConstraints") else "affinity"
        return fixed(message("the pods are spread over zones"), folder.place(folder.deployment, *path, key))
    return still(message("nothing spreads the pods over zones"), folder.place(folder.deployment, *path))


_IAM = message("who may use the account is granted outside the manifests")
_POOL = message("the size of the connection pool is not in a manifest")

TABLE: dict[str, Read] = {
    "manifest.deployment.replicas_beside_hpa": _replicas,
    "manifest.deployment.image_latest": _image,
    "manifest.gcr_shut_down": _registry,
    "manifest.deployment.env_incomplete": _environment,
    "manifest.deployment.no_zone_spread": _zones,
    "manifest.sidecar_unpinned": _proxy_image,
    "manifest.sidecar_stops_at_once": _proxy_stops,
    "manifest.secret.placeholders_not_base64": _placeholders,
    "manifest.secret.firebase_credentials_unused": _key_file,
    "manifest.workload_identity_binding_missing": _outside(_IAM),
    "manifest.hpa.connections_at_max": _outside(_POOL),
    "manifest.hpa.cpu_of_summed_requests": _summed("cpu"),
    "manifest.hpa.memory_of_summed_requests": _summed("memory"),
    "manifest.hpa.latency_of_the_database": _latency,
    "deploy.downtime_without_prestop": _pre_stop,
    "architecture.https_at_l4": _front,
    "security.load_balancer_ends_no_tls": _front,
    "security.csi.volume_alone": _volume,
    "dr.configmap_changes_nothing": _host,
    "operations.apply_placeholders": _placeholder_names,
}
