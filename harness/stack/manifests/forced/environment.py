"""The variables of the containers that run, by what they mean: the database, Firebase, the project, the port.

What already says the right thing stays as it is written. A variable that comes from a Secret keeps its way: the value
of the Secret is set. Any other is an entry of the container's own ``env``, which wins over ``envFrom``.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

import msgspec

from harness.model.stack import DATABASE_NAME, DATABASE_USER, PROJECT_ID
from harness.model.variables import PRODUCTION, REHEARSED_AS, Meaning, names, url
from harness.stack.manifests.forced import reasons
from harness.stack.manifests.forced.elsewhere import put
from harness.stack.manifests.forced.work import (
    BY_THE_RUNG,
    DATABASE_SECRET,
    OUTSIDE,
    PASSWORD,
    Json,
    Work,
    containers,
    is_proxy,
)

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


class Seen(msgspec.Struct, frozen=True):
    """A variable as the manifests have it. ``secret`` is (name, key) where it comes from one; "" is no value known."""

    value: str = ""
    secret: tuple[str, str] | None = None
    listed: bool = False  # in ``env``; else by ``envFrom``


class Wanted(msgspec.Struct, frozen=True):
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


def force(work: Work, proxy_port: int) -> None:
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

    def __init__(self, work: Work, container: Json, proxy_port: int) -> None:
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
            self._set(name, Wanted(REHEARSED_AS), reasons.ENVIRONMENT)
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

    def _wanted(self) -> dict[Meaning, Wanted]:
        """What each meaning is on a cluster, but the password and what is made of it."""
        port = self.proxy_port
        found = {
            Meaning.DATABASE_HOST: Wanted("127.0.0.1", also=_LOOPBACK) if port else Wanted(key="database_host"),
            Meaning.DATABASE_PORT: Wanted(str(port)) if port else Wanted(key="database_port"),
            Meaning.DATABASE_USER: Wanted(DATABASE_USER),
            Meaning.DATABASE_NAME: Wanted(DATABASE_NAME),
            Meaning.DATABASE_SSLMODE: Wanted("disable"),
            Meaning.AUTH: Wanted(key="auth"),
            Meaning.FIRESTORE: Wanted(key="firestore"),
            Meaning.STORAGE: Wanted(key="storage"),
            Meaning.PROJECT: Wanted(PROJECT_ID),
        }
        if self.is_target:
            found[Meaning.PORT] = Wanted(str(self.work.port))
        return found

    def _all(self, meaning: Meaning, wanted: Wanted) -> None:
        for name in self._names(meaning):
            self._set(name, wanted, _REASONS.get(meaning, reasons.DATABASE))

    def _set(self, name: str, wanted: Wanted, reason: str) -> None:
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
                parts = [Wanted(key=key).entry(variable) for key, variable in _ADDRESS.items()]
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


def _add_password(work: Work) -> None:
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


def seen(work: Work, container: Json) -> dict[str, Seen]:
    """The container's variables as Kubernetes has them: ``env`` wins over ``envFrom``, the last of a name wins."""
    found: dict[str, Seen] = {}
    for each in container.get("envFrom") or []:
        found.update(_of_all(work, each))
    for each in container.get("env") or []:
        source = each.get("valueFrom") or {}
        config, secret = source.get("configMapKeyRef"), source.get("secretKeyRef")
        if config is not None:
            value = _data(work, "ConfigMap", config["name"]).get(config["key"], "")
            found[each["name"]] = Seen(value, listed=True)
        elif secret is not None:
            found[each["name"]] = Seen("", (secret["name"], secret["key"]), listed=True)
        else:
            found[each["name"]] = Seen(str(each.get("value") or ""), listed=True)
    return found


def _of_all(work: Work, source: Json) -> Iterator[tuple[str, Seen]]:
    prefix = source.get("prefix", "")
    if (ref := source.get("configMapRef")) is not None:
        for key, value in _data(work, "ConfigMap", ref["name"]).items():
            yield prefix + key, Seen(value)
    if (ref := source.get("secretRef")) is not None:
        for key in _data(work, "Secret", ref["name"]):
            yield prefix + key, Seen("", (ref["name"], key))


def _data(work: Work, kind: str, name: str) -> dict[str, str]:
    document = work.documents.get(f"{kind}/{name}") or {}
    return {key: str(value) for part in ("data", "stringData") for key, value in (document.get(part) or {}).items()}


def _told_for_processes(work: Work) -> None:
    """A process is told the contract when it starts (``harness.stack.environment``); here it is said what that is."""
    there, own = seen(work, work.container), work.target.variables
    project = [name for name in names(Meaning.PROJECT, there, own) if name in there and there[name].value != PROJECT_ID]
    if project:
        work.note(f"{work.container['name']} {', '.join(project)}", reasons.PROJECT)
    for name in _in_production(work, there):
        rest = [each for each in work.container.get("env") or [] if each["name"] != name]
        work.container["env"] = [{"name": name, "value": REHEARSED_AS}, *rest]
        work.note(f"{work.container['name']} {name}", reasons.ENVIRONMENT)


def _in_production(work: Work, there: dict[str, Seen]) -> list[str]:
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
