"""What is made elsewhere and named here: Secrets of operators, of stores and of hands; service accounts; files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from harness.base import yamltext
from harness.base.errors import BadInput
from harness.model.message import message
from harness.stack.manifests.forced import reasons
from harness.stack.manifests.forced.work import ROOT_CERTIFICATES, Json, Work, containers

Keys = dict[str, set[str]]


def stand_in(work: Work, told: Keys) -> None:
    """Makes every Secret and ServiceAccount that pods name and no manifest has. ``told`` are the keys of Secrets that
    operators would make, by name."""
    wanted: Keys = {name: set() for name in work.target.secrets}
    for _, pod in list(work.pods()):
        _volumes(work, pod, wanted)
        for name, key, optional in _references(pod):
            if not optional:  # a pod starts without it
                wanted.setdefault(name, set()).update({key} if key else set())
    there = {key.partition("/")[2] for key in work.of_kind("Secret")} | _synced(work)
    for name in sorted(wanted):
        if name not in there:
            _make(work, name, wanted[name] | told.get(name, set()))
        elif name in work.target.secrets:
            _give(work, name)
    _accounts(work)


def told_keys(documents: dict[str, Json]) -> Keys:
    """The keys of the Secrets that operators would make of ExternalSecrets, SealedSecrets and SecretProviderClasses."""
    found: Keys = {}
    for document in documents.values():
        spec, name = document.get("spec") or {}, document["metadata"]["name"]
        match document["kind"]:
            case "ExternalSecret":
                target = spec.get("target") or {}
                keys = {each["secretKey"] for each in spec.get("data") or [] if "secretKey" in each}
                keys |= set(((target.get("template") or {}).get("data") or {}).keys())
                found.setdefault(target.get("name") or name, set()).update(keys)
            case "SealedSecret":
                made = ((spec.get("template") or {}).get("metadata") or {}).get("name") or name
                found.setdefault(made, set()).update(spec.get("encryptedData") or {})
            case "SecretProviderClass":
                for each in spec.get("secretObjects") or []:
                    keys = {one["key"] for one in each.get("data") or [] if "key" in one}
                    found.setdefault(each["secretName"], set()).update(keys)
                found.setdefault(_of_class(name), set()).update(_files(spec))
    return found


def _of_class(name: str) -> str:
    """The Secret that stands in for the files of a SecretProviderClass."""
    return f"rehearsal-files-{name}"


def _files(spec: Json) -> Iterator[str]:
    """The names of the files that a provider's parameters ask for."""
    parameters = spec.get("parameters") or {}
    for text in (parameters.get("secrets"), parameters.get("objects")):
        try:
            listed = yamltext.documents(str(text), "")[0][0] if text else []
        except (BadInput, IndexError):  # it is no YAML, or there is nothing in it
            listed = []
        for each in listed if isinstance(listed, list) else []:
            if isinstance(each, dict) and (file := each.get("path") or each.get("fileName") or each.get("objectName")):
                yield str(file).strip("/").replace("/", "_")


def _references(pod: Json) -> Iterator[tuple[str, str, bool]]:
    """(name, key, optional) of every Secret that the pod names; the key is "" where all are meant."""
    for container in containers(pod):
        for each in container.get("env") or []:
            if (ref := (each.get("valueFrom") or {}).get("secretKeyRef")) is not None:
                yield ref["name"], ref["key"], ref.get("optional", False)
        for each in container.get("envFrom") or []:
            if (ref := each.get("secretRef")) is not None:
                yield ref["name"], "", ref.get("optional", False)
    for volume in pod.get("volumes") or []:
        secret = volume.get("secret")
        projected = [each["secret"] for each in (volume.get("projected") or {}).get("sources", []) if "secret" in each]
        for each in [*([secret] if secret else []), *projected]:
            for item in each.get("items") or [{"key": ""}]:
                yield each.get("secretName") or each["name"], item["key"], each.get("optional", False)


def _volumes(work: Work, pod: Json, wanted: Keys) -> None:
    """Puts files of the rehearsal's own, or an empty folder, where a volume stands for what is not here."""
    if not work.on_cluster:
        return
    for volume in pod.get("volumes") or []:
        csi = volume.get("csi") or {}
        provider = (csi.get("volumeAttributes") or {}).get("secretProviderClass", "")
        if f"SecretProviderClass/{provider}" in work.documents:
            continue  # the rehearsal's own
        if csi:
            del volume["csi"]
            if provider:
                volume["secret"] = {"secretName": _of_class(provider)}
                wanted.setdefault(_of_class(provider), set())
                work.note(f"volumes/{volume['name']}", reasons.FILES)
        for kind in ("persistentVolumeClaim", "hostPath", "ephemeral", "nfs"):
            if kind in volume:
                del volume[kind]
        if set(volume) == {"name"}:
            volume["emptyDir"] = {}
            work.note(f"volumes/{volume['name']}", reasons.VOLUME)


def _synced(work: Work) -> set[str]:
    """The Secrets that the rehearsal's own driver makes."""
    classes = (work.documents[key] for key in work.of_kind("SecretProviderClass"))
    return {each["secretName"] for one in classes for each in one["spec"].get("secretObjects") or []}


def _make(work: Work, name: str, keys: set[str]) -> None:
    given = work.target.secrets.get(name, {})
    data = {key: given.get(key) or generated(name, key) for key in sorted(keys | set(given))}
    metadata = {"name": name}
    work.documents[f"Secret/{name}"] = {
        "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "stringData": data,
    }  # fmt: skip
    keys_told = ", ".join(data)
    work.note(f"Secret/{name} ({keys_told})", reasons.GIVEN_SECRET if any(given.values()) else reasons.SECRET)


def _give(work: Work, name: str) -> None:
    """The target file's values in a Secret that is there."""
    secret = work.documents[f"Secret/{name}"]
    given = {key: value for key, value in work.target.secrets[name].items() if value}
    if given:
        put(secret, given)
        work.note(f"Secret/{name} ({', '.join(given)})", reasons.GIVEN_SECRET)


def put(secret: Json, values: dict[str, str]) -> None:
    """Values as plain text in the place of what a Secret has under the same keys."""
    data = {key: value for key, value in (secret.get("data") or {}).items() if key not in values}
    if data or "data" in secret:
        secret["data"] = data
    secret["stringData"] = {**(secret.get("stringData") or {}), **values}


def generated(name: str, key: str) -> str:
    """A value that is the same at each run, and nobody's."""
    return hashlib.sha256(f"{name}/{key}".encode()).hexdigest()[:32]


def _accounts(work: Work) -> None:
    for _, pod in list(work.pods()):
        account = pod.get("serviceAccountName", "default")
        if account != "default" and f"ServiceAccount/{account}" not in work.documents:
            work.documents[f"ServiceAccount/{account}"] = {
                "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account},
            }  # fmt: skip
            work.note(f"ServiceAccount/{account}", reasons.ACCOUNT)


def check_config_maps(work: Work) -> None:
    """Every ConfigMap that is needed is there. Raises ``BadInput``: what a program is set by cannot be made up."""
    there = {key.partition("/")[2] for key in work.of_kind("ConfigMap")} | {ROOT_CERTIFICATES}
    for key, pod in work.pods():
        refs = [(each.get("valueFrom") or {}).get("configMapKeyRef") for one in containers(pod)
                for each in one.get("env") or []]  # fmt: skip
        refs += [each.get("configMapRef") for one in containers(pod) for each in one.get("envFrom") or []]
        refs += [volume.get("configMap") for volume in pod.get("volumes") or []]
        for ref in filter(None, refs):
            if ref["name"] not in there and not ref.get("optional"):
                what = message("{kind} {name} is not among the manifests", kind="ConfigMap", name=repr(ref["name"]))
                here = ", ".join(sorted(there - {ROOT_CERTIFICATES})) or message("none")
                raise BadInput(
                    what, where=f"{work.folder}: {key}.spec.template.spec",
                    remedy=message("add it, or write optional: true; ConfigMaps here: {names}", names=here),
                )  # fmt: skip
