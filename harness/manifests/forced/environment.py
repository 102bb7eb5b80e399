"""The variables of the containers that run, by what they mean: the database, Firebase, the project, the port.

What already says the right thing stays as it is written. A variable that comes from a Secret keeps its way: the Secret's
value is set. Any other is an entry of the container's own ``env``, which wins over ``envFrom``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

import msgspec

from harness.manifests.forced import reasons
from harness.manifests.forced.elsewhere import put
from harness.manifests.forced.work import (
    BY_THE_RUNG,
    DATABASE_NAME,
    DATABASE_SECRET,
    DATABASE_USER,
    OUTSIDE,
    PASSWORD,
    PROJECT_ID,
    Json,
    Work,
    containers,
    is_proxy,
)
from harness.model.variables import PRODUCTION, REHEARSED_AS, Meaning, names, url

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PASSWORD_VARIABLE = "REHEARSAL_DATABASE_PASSWORD"  # noqa: S105 - a name
_HOST_VARIABLE, _PORT_VARIABLE = "REHEARSAL_DATABASE_HOST", "REHEARSAL_DATABASE_PORT"
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
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": OUTSIDE}, "data": data,
    }  # fmt: skip
    work.note("outside-services", reasons.OUTSIDE)
    for key, pod in list(work.pods()):
        for container in containers(pod):
            if is_proxy(container):
                continue
            target = key == work.deployment and container is work.container
            beside = key == work.deployment and container in pod["containers"]
            _container(work, container, proxy_port if target or beside else 0, target=target)
    _add_password(work)


def _container(work: Work, container: Json, proxy_port: int, *, target: bool) -> None:
    there = seen(work, container)
    own = work.target.variables
    changed: dict[str, list[str]] = {}
    fresh: list[Json] = []
    for meaning, wanted in _wanted(work, proxy_port, target=target).items():
        for name in names(meaning, there, own):
            if name not in there and not target and meaning is not Meaning.DATABASE_URL:
                continue  # a helper is told what it asks for
            if _set(work, container, name, there.get(name), wanted, fresh):
                changed.setdefault(_REASONS.get(meaning, reasons.DATABASE), []).append(name)
    changed.setdefault(reasons.DATABASE, []).extend(_password(work, container, there, fresh, target=target))
    changed.setdefault(reasons.DATABASE, []).extend(_url(work, container, there, proxy_port, fresh))
    if (found := there.get("ENVIRONMENT")) is not None and found.value in PRODUCTION:
        _set(work, container, "ENVIRONMENT", found, Wanted(REHEARSED_AS), fresh)
        changed.setdefault(reasons.ENVIRONMENT, []).append("ENVIRONMENT")
    changed.setdefault(reasons.CREDENTIALS, []).extend(_without_credentials(work, container, there, fresh))
    if target and "POD_NAME" not in there:
        fresh.append({"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})
        changed.setdefault(reasons.CONTRACT, []).append("POD_NAME")
    if fresh:  # first, so that what is put together of others finds them
        container["env"] = [*fresh, *(container.get("env") or [])]
    for reason, variables in changed.items():
        if variables:
            work.note(f"{', '.join(dict.fromkeys(variables))} of container {container['name']}", reason)


def _wanted(work: Work, proxy_port: int, *, target: bool) -> dict[Meaning, Wanted]:
    """What each meaning is on a cluster, but the password and what is made of it."""
    found = {
        Meaning.DATABASE_HOST: Wanted("127.0.0.1", also=_LOOPBACK) if proxy_port else Wanted(key="database_host"),
        Meaning.DATABASE_PORT: Wanted(str(proxy_port)) if proxy_port else Wanted(key="database_port"),
        Meaning.DATABASE_USER: Wanted(DATABASE_USER),
        Meaning.DATABASE_NAME: Wanted(DATABASE_NAME),
        Meaning.DATABASE_SSLMODE: Wanted("disable"),
        Meaning.AUTH: Wanted(key="auth"),
        Meaning.FIRESTORE: Wanted(key="firestore"),
        Meaning.STORAGE: Wanted(key="storage"),
        Meaning.PROJECT: Wanted(PROJECT_ID),
    }
    if target:
        found[Meaning.PORT] = Wanted(str(work.port))
    return found


def _set(work: Work, container: Json, name: str, there: Seen | None, wanted: Wanted, fresh: list[Json]) -> bool:
    """Makes ``name`` say what is wanted; whether anything changed."""
    if there is not None and there.secret is not None:
        return _fill(work, there.secret, wanted.text)
    if there is not None and there.value and there.value in (wanted.value, *wanted.also) and not wanted.key:
        return False
    _replace(container, wanted.entry(name), there, fresh)
    return True


def _replace(container: Json, entry: Json, there: Seen | None, fresh: list[Json]) -> None:
    """In the place of an element of ``env``, where there is one."""
    if there is None or not there.listed:
        fresh.append(entry)
        return
    listed = container["env"]
    place = next(at for at, each in enumerate(listed) if each["name"] == entry["name"])
    kept = [each for each in listed if each["name"] != entry["name"]]
    container["env"] = [*kept[:place], entry, *kept[place:]]


def _fill(work: Work, secret: tuple[str, str], text: str) -> bool:
    """Sets a Secret's value; whether it is one of the manifests, and no other than the rehearsal's own driver's."""
    name, key = secret
    document = work.documents.get(f"Secret/{name}")
    if document is None or (document.get("stringData") or {}).get(key) == text:
        return False
    put(document, {key: text})
    return True


def _password(work: Work, container: Json, there: dict[str, Seen], fresh: list[Json], *, target: bool) -> list[str]:
    """The variables of the database's password that were set."""
    changed = []
    for name in names(Meaning.DATABASE_PASSWORD, there, work.target.variables):
        found = there.get(name)
        if found is None and not target:
            continue
        if found is not None and found.secret is not None:
            if _fill(work, found.secret, BY_THE_RUNG + PASSWORD):
                changed.append(name)
        else:
            _replace(container, _password_entry(name), found, fresh)
            changed.append(name)
    return changed


def _password_entry(name: str) -> Json:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": DATABASE_SECRET, "key": "password"}}}


def _url(
    work: Work, container: Json, there: dict[str, Seen], proxy_port: int, fresh: list[Json]
) -> list[str]:
    """The variables that hold the database's URL, made of the run's own parts."""
    variables = names(Meaning.DATABASE_URL, there, work.target.variables)
    variables = tuple(name for name in variables if name in there or container is work.container)
    form, changed = work.target.url_form, []
    plain = {
        Meaning.DATABASE_USER: DATABASE_USER, Meaning.DATABASE_NAME: DATABASE_NAME, Meaning.DATABASE_SSLMODE: "disable",
    }  # fmt: skip
    secret = {
        Meaning.DATABASE_PASSWORD: BY_THE_RUNG + PASSWORD,
        Meaning.DATABASE_HOST: "127.0.0.1" if proxy_port else f"{BY_THE_RUNG}database_host",
        Meaning.DATABASE_PORT: str(proxy_port) if proxy_port else f"{BY_THE_RUNG}database_port",
    }
    named = {
        Meaning.DATABASE_PASSWORD: f"$({_PASSWORD_VARIABLE})",
        Meaning.DATABASE_HOST: "127.0.0.1" if proxy_port else f"$({_HOST_VARIABLE})",
        Meaning.DATABASE_PORT: str(proxy_port) if proxy_port else f"$({_PORT_VARIABLE})",
    }
    for name in variables:
        found = there.get(name)
        if found is not None and found.secret is not None:
            if _fill(work, found.secret, url({**plain, **secret}, form)):
                changed.append(name)
            continue
        if not any(each["name"] == _PASSWORD_VARIABLE for each in fresh):
            parts = [] if proxy_port else [
                Wanted(key="database_host").entry(_HOST_VARIABLE), Wanted(key="database_port").entry(_PORT_VARIABLE),
            ]  # fmt: skip
            fresh[:0] = [_password_entry(_PASSWORD_VARIABLE), *parts]
        _replace(container, {"name": name, "value": url({**plain, **named}, form)}, found, fresh)
        changed.append(name)
    return changed


def _without_credentials(work: Work, container: Json, there: dict[str, Seen], fresh: list[Json]) -> list[str]:
    """The variables of credentials files that were taken away, or made empty where ``envFrom`` has them."""
    gone = [name for name in names(Meaning.CREDENTIALS, there, work.target.variables) if name in there]
    for name in gone:
        if there[name].listed:
            container["env"] = [each for each in container["env"] if each["name"] != name]
        else:
            fresh.append({"name": name, "value": ""})
    return gone


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
    """The container's variables as Kubernetes would have them: ``env`` wins over ``envFrom``, the last of a name wins."""
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
        work.note(f"{', '.join(project)} of container {work.container['name']}", reasons.PROJECT)
    if there.get("ENVIRONMENT", Seen()).value in PRODUCTION:
        _replace(work.container, {"name": "ENVIRONMENT", "value": REHEARSED_AS}, there["ENVIRONMENT"], fresh := [])
        work.container["env"] = [*fresh, *(work.container.get("env") or [])]
        work.note(f"ENVIRONMENT of container {work.container['name']}", reasons.ENVIRONMENT)


def plain_secrets(document: Json) -> dict[str, str]:
    """A Secret's values as text; what is no text, or no base64, is left out."""
    found: dict[str, str] = {}
    for key, value in (document.get("data") or {}).items():
        try:
            found[key] = base64.b64decode(str(value), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
    return found | {key: str(value) for key, value in (document.get("stringData") or {}).items()}
