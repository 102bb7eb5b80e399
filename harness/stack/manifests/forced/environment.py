"""The variables of the containers that run, by what they mean: the database, Firebase, the project, the port.

What already says the right thing stays as it is written. A variable that comes from a Secret keeps its way: the value
of the Secret is set. Any other is an entry of the container's own ``env``, which wins over ``envFrom``.

What is made elsewhere and named here: Secrets of operators, of stores and of hands; service accounts; files.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

import msgspec

from harness.base import yamltext
from harness.base.errors import BadInput
from harness.model.message import message
from harness.model.stack import DATABASE_NAME, DATABASE_USER, PROJECT_ID
from harness.model.variables import PRODUCTION, REHEARSED_AS, Meaning, names, url
from harness.stack.manifests.forced import reasons
from harness.stack.manifests.forced.work import (
    BY_THE_RUNG,
    DATABASE_SECRET,
    OUTSIDE,
    PASSWORD,
    ROOT_CERTIFICATES,
    ForcedDocuments,
    Json,
    containers,
    is_proxy,
)

Keys = dict[str, set[str]]


def stand_in(work: ForcedDocuments, told: Keys) -> None:
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


def _volumes(work: ForcedDocuments, pod: Json, wanted: Keys) -> None:
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


def _synced(work: ForcedDocuments) -> set[str]:
    """The Secrets that the rehearsal's own driver makes."""
    classes = (work.documents[key] for key in work.of_kind("SecretProviderClass"))
    return {each["secretName"] for one in classes for each in one["spec"].get("secretObjects") or []}


def _make(work: ForcedDocuments, name: str, keys: set[str]) -> None:
    given = work.target.secrets.get(name, {})
    data = {key: given.get(key) or generated(name, key) for key in sorted(keys | set(given))}
    metadata = {"name": name}
    work.documents[f"Secret/{name}"] = {
        "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "stringData": data,
    }  # fmt: skip
    keys_told = ", ".join(data)
    work.note(f"Secret/{name} ({keys_told})", reasons.GIVEN_SECRET if any(given.values()) else reasons.SECRET)


def _give(work: ForcedDocuments, name: str) -> None:
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


def _accounts(work: ForcedDocuments) -> None:
    for _, pod in list(work.pods()):
        account = pod.get("serviceAccountName", "default")
        if account != "default" and f"ServiceAccount/{account}" not in work.documents:
            work.documents[f"ServiceAccount/{account}"] = {
                "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account},
            }  # fmt: skip
            work.note(f"ServiceAccount/{account}", reasons.ACCOUNT)


def check_config_maps(work: ForcedDocuments) -> None:
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


_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PASSWORD_VARIABLE = "REHEARSAL_DATABASE_PASSWORD"  # noqa: S105 - a name
#: Variables of the database's address, by their keys of the ConfigMap.
_ADDRESS = {"database_host": "REHEARSAL_DATABASE_HOST", "database_port": "REHEARSAL_DATABASE_PORT"}
#: Keys of the ConfigMap ``OUTSIDE``; each is filled in by the running stack.
_KEYS = ("database_host", "database_port", "auth", "firestore", "storage")
_REASONS = {
    Meaning.AUTH: reasons.EMULATORS,
    Meaning.FIRESTORE: reasons.EMULATORS,
    Meaning.STORAGE: reasons.EMULATORS,
    Meaning.PROJECT: reasons.PROJECT,
    Meaning.PORT: reasons.CONTRACT,
    Meaning.METRICS_PORT: reasons.CONTRACT,
    Meaning.ENVIRONMENT: reasons.ENVIRONMENT,
    Meaning.CREDENTIALS: reasons.CREDENTIALS,
}


class VariableSeen(msgspec.Struct, frozen=True):
    """A variable as the manifests have it. ``secret`` is (name, key) where it comes from one; "" is no value known."""

    value: str = ""
    secret: tuple[str, str] | None = None
    listed: bool = False  # in ``env``; else by ``envFrom``


class VariableWanted(msgspec.Struct, frozen=True):
    """What a variable is to say: a value, or a key of the ConfigMap ``OUTSIDE``; ``also`` are values as good."""

    value: str = ""
    key: str = ""
    also: tuple[str, ...] = ()

    def entry(self, name: str) -> Json:
        """As an element of ``env``."""
        if self.key:
            return {"name": name, "valueFrom": {"configMapKeyRef": {"name": OUTSIDE, "key": self.key}}}
        return {"name": name, "value": self.value}

    @property
    def text(self) -> str:
        """As a Secret's value."""
        return f"{BY_THE_RUNG}{self.key}" if self.key else self.value


def force(work: ForcedDocuments, proxy_port: int) -> None:
    """Sets the variables of every container that runs. ``proxy_port`` is the database's in the pod, 0 without one."""
    if not work.on_cluster:
        _told_for_processes(work)
        return
    data = {key: f"{BY_THE_RUNG}{key}" for key in _KEYS}
    work.documents[f"ConfigMap/{OUTSIDE}"] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": OUTSIDE},
        "data": data,
    }
    work.note("outside-services", reasons.OUTSIDE)
    for key, pod in list(work.pods()):
        for container in containers(pod):
            if is_proxy(container):
                continue
            beside = key == work.deployment and any(container is each for each in pod["containers"])
            _Variables(work, container, proxy_port if beside else 0).force()
    _add_password(work)


class _Variables:
    """Those of one container. One that is not the target's is told what it has a variable for, and no more."""

    def __init__(self, work: ForcedDocuments, container: Json, proxy_port: int) -> None:
        self.work = work
        self.container = container
        self.proxy_port = proxy_port  # 0: the database is reached where it is
        self.is_target = container is work.container
        self.there = seen(work, container)
        self.fresh: list[Json] = []  # entries for variables that ``env`` does not have
        self.changed: dict[str, list[str]] = {}  # by reason

    def force(self) -> None:
        """Every variable by its meaning; tells what changed."""
        for meaning, wanted in self._wanted().items():
            self._all(meaning, wanted)
        self._password()
        self._url()
        for name in _in_production(self.work, self.there):
            self._set(name, VariableWanted(REHEARSED_AS), reasons.ENVIRONMENT)
        self._without_credentials()
        if self.is_target and "POD_NAME" not in self.there:
            self.fresh.append({"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})
            self._told("POD_NAME", reasons.CONTRACT)
        if self.fresh:  # first, so that what is put together of others finds them
            self.container["env"] = [*self.fresh, *(self.container.get("env") or [])]
        for reason, variables in self.changed.items():
            self.work.note(f"{self.container['name']} {', '.join(dict.fromkeys(variables))}", reason)

    def _names(self, meaning: Meaning) -> list[str]:
        found = names(meaning, self.there, self.work.target.variables)
        return [name for name in found if self.is_target or name in self.there]

    def _told(self, name: str, reason: str) -> None:
        self.changed.setdefault(reason, []).append(name)

    def _wanted(self) -> dict[Meaning, VariableWanted]:
        """What each meaning is on a cluster, but the password and what is made of it."""
        port = self.proxy_port
        found = {
            Meaning.DATABASE_HOST: VariableWanted("127.0.0.1", also=_LOOPBACK)
            if port
            else VariableWanted(key="database_host"),
            Meaning.DATABASE_PORT: VariableWanted(str(port)) if port else VariableWanted(key="database_port"),
            Meaning.DATABASE_USER: VariableWanted(DATABASE_USER),
            Meaning.DATABASE_NAME: VariableWanted(DATABASE_NAME),
            Meaning.DATABASE_SSLMODE: VariableWanted("disable"),
            Meaning.AUTH: VariableWanted(key="auth"),
            Meaning.FIRESTORE: VariableWanted(key="firestore"),
            Meaning.STORAGE: VariableWanted(key="storage"),
            Meaning.PROJECT: VariableWanted(PROJECT_ID),
        }
        if self.is_target:
            found[Meaning.PORT] = VariableWanted(str(self.work.port))
        return found

    def _all(self, meaning: Meaning, wanted: VariableWanted) -> None:
        for name in self._names(meaning):
            self._set(name, wanted, _REASONS.get(meaning, reasons.DATABASE))

    def _set(self, name: str, wanted: VariableWanted, reason: str) -> None:
        """Makes ``name`` say what is wanted, where it does not."""
        there = self.there.get(name)
        if there is not None and there.secret is not None:
            if self._fill(there.secret, wanted.text):
                self._told(name, reason)
        elif there is None or wanted.key or there.value not in (wanted.value, *wanted.also):
            self._replace(wanted.entry(name))
            self._told(name, reason)

    def _replace(self, entry: Json) -> None:
        """In the place of an element of ``env``, where there is one."""
        there = self.there.get(entry["name"])
        if there is None or not there.listed:
            self.fresh.append(entry)
            return
        listed = self.container["env"]
        place = next(at for at, each in enumerate(listed) if each["name"] == entry["name"])
        rest = [each for each in listed[place:] if each["name"] != entry["name"]]
        self.container["env"] = [*listed[:place], entry, *rest]

    def _fill(self, secret: tuple[str, str], text: str) -> bool:
        """Sets a Secret's value; whether it changed, and is one of the manifests and not of the rehearsal's driver."""
        name, key = secret
        document = self.work.documents.get(f"Secret/{name}")
        if document is None or (document.get("stringData") or {}).get(key) == text:
            return False
        put(document, {key: text})
        return True

    def _password(self) -> None:
        for name in self._names(Meaning.DATABASE_PASSWORD):
            there = self.there.get(name)
            if there is None or there.secret is None:
                self._replace(_password_entry(name))
                self._told(name, reasons.DATABASE)
            elif self._fill(there.secret, BY_THE_RUNG + PASSWORD):
                self._told(name, reasons.DATABASE)

    def _url(self) -> None:
        """The variables that hold the database's URL, made of the run's own parts."""
        form = self.work.target.url_form
        for name in self._names(Meaning.DATABASE_URL):
            there = self.there.get(name)
            if there is not None and there.secret is not None:
                secret = self._address(f"{BY_THE_RUNG}{PASSWORD}", f"{BY_THE_RUNG}{{}}")
                if self._fill(there.secret, url(secret, form)):
                    self._told(name, reasons.DATABASE)
                continue
            if not any(each["name"] == _PASSWORD_VARIABLE for each in self.fresh):
                parts = [VariableWanted(key=key).entry(variable) for key, variable in _ADDRESS.items()]
                self.fresh[:0] = [_password_entry(_PASSWORD_VARIABLE), *([] if self.proxy_port else parts)]
            self._replace({"name": name, "value": url(self._address(f"$({_PASSWORD_VARIABLE})", ""), form)})
            self._told(name, reasons.DATABASE)

    def _address(self, password: str, form: str) -> dict[Meaning, str]:
        """The parts of the URL; host and port by ``form``, or by variables when it is ""."""
        host, port = (form.format(key) if form else f"$({variable})" for key, variable in _ADDRESS.items())
        return {
            Meaning.DATABASE_USER: DATABASE_USER,
            Meaning.DATABASE_NAME: DATABASE_NAME,
            Meaning.DATABASE_SSLMODE: "disable",
            Meaning.DATABASE_PASSWORD: password,
            Meaning.DATABASE_HOST: "127.0.0.1" if self.proxy_port else host,
            Meaning.DATABASE_PORT: str(self.proxy_port) if self.proxy_port else port,
        }

    def _without_credentials(self) -> None:
        """Takes the variables of credentials files away; makes them empty where ``envFrom`` has them."""
        for name in names(Meaning.CREDENTIALS, self.there, self.work.target.variables):
            if name not in self.there:
                continue
            if self.there[name].listed:
                self.container["env"] = [each for each in self.container["env"] if each["name"] != name]
            else:
                self.fresh.append({"name": name, "value": ""})
            self._told(name, reasons.CREDENTIALS)


def _password_entry(name: str) -> Json:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": DATABASE_SECRET, "key": "password"}}}


def _add_password(work: ForcedDocuments) -> None:
    """The Secret of the run's password, where anything names it."""
    named = any(
        (each.get("valueFrom") or {}).get("secretKeyRef", {}).get("name") == DATABASE_SECRET
        for _, pod in work.pods()
        for container in containers(pod)
        for each in container.get("env") or []
    )
    if named:
        work.documents[f"Secret/{DATABASE_SECRET}"] = {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": DATABASE_SECRET}, "type": "Opaque",
            "stringData": {"password": BY_THE_RUNG + PASSWORD},
        }  # fmt: skip


def seen(work: ForcedDocuments, container: Json) -> dict[str, VariableSeen]:
    """The container's variables as Kubernetes has them: ``env`` wins over ``envFrom``, the last of a name wins."""
    found: dict[str, VariableSeen] = {}
    for each in container.get("envFrom") or []:
        found.update(_of_all(work, each))
    for each in container.get("env") or []:
        source = each.get("valueFrom") or {}
        config, secret = source.get("configMapKeyRef"), source.get("secretKeyRef")
        if config is not None:
            value = _data(work, "ConfigMap", config["name"]).get(config["key"], "")
            found[each["name"]] = VariableSeen(value, listed=True)
        elif secret is not None:
            found[each["name"]] = VariableSeen("", (secret["name"], secret["key"]), listed=True)
        else:
            found[each["name"]] = VariableSeen(str(each.get("value") or ""), listed=True)
    return found


def _of_all(work: ForcedDocuments, source: Json) -> Iterator[tuple[str, VariableSeen]]:
    prefix = source.get("prefix", "")
    if (ref := source.get("configMapRef")) is not None:
        for key, value in _data(work, "ConfigMap", ref["name"]).items():
            yield prefix + key, VariableSeen(value)
    if (ref := source.get("secretRef")) is not None:
        for key in _data(work, "Secret", ref["name"]):
            yield prefix + key, VariableSeen("", (ref["name"], key))


def _data(work: ForcedDocuments, kind: str, name: str) -> dict[str, str]:
    document = work.documents.get(f"{kind}/{name}") or {}
    return {key: str(value) for part in ("data", "stringData") for key, value in (document.get(part) or {}).items()}


def _told_for_processes(work: ForcedDocuments) -> None:
    """A process is told the contract when it starts (``harness.stack.target``); here it is said what that is."""
    there, own = seen(work, work.container), work.target.variables
    project = [name for name in names(Meaning.PROJECT, there, own) if name in there and there[name].value != PROJECT_ID]
    if project:
        work.note(f"{work.container['name']} {', '.join(project)}", reasons.PROJECT)
    for name in _in_production(work, there):
        rest = [each for each in work.container.get("env") or [] if each["name"] != name]
        work.container["env"] = [{"name": name, "value": REHEARSED_AS}, *rest]
        work.note(f"{work.container['name']} {name}", reasons.ENVIRONMENT)


def _in_production(work: ForcedDocuments, there: dict[str, VariableSeen]) -> list[str]:
    """The variables that tell the target it is in production."""
    said = names(Meaning.ENVIRONMENT, there, work.target.variables)
    return [name for name in said if name in there and there[name].value in PRODUCTION]


def plain_secrets(document: Json) -> dict[str, str]:
    """A Secret's values as text; what is no text, or no base64, is left out."""
    found: dict[str, str] = {}
    for key, value in (document.get("data") or {}).items():
        try:
            found[key] = base64.b64decode("".join(str(value).split()), validate=True).decode()
        except ValueError:
            continue
    return found | {key: str(value) for key, value in (document.get("stringData") or {}).items()}
