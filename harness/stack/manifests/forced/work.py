"""What the steps of forcing share: the documents as they change, and the note of each change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from harness.model.manifests import INSTANCE_NAMED, PatchNote
from harness.model.stack import CLUSTERS, EnvironmentKind, Target

Json = dict[str, Any]
Documents = dict[str, Json]

#: What stands for a value that only the running stack knows: ``set-by-the-rung/NAME``.
BY_THE_RUNG = "set-by-the-rung/"
OUTSIDE = "rehearsal-outside"  # the ConfigMap of addresses outside the target's pods
DATABASE_SECRET = "rehearsal-database"  # noqa: S105 - a name
PASSWORD = "database_password"  # noqa: S105 - a name
ROOT_CERTIFICATES = "kube-root-ca.crt"  # a ConfigMap that every namespace has
SIDECAR_IMAGE = "tekutoko-rehearsal/database-sidecar:current"
TARGET_IMAGE = "tekutoko-rehearsal/api:current"
SIDECAR_PROCESS = "local-process/database-proxy"
TARGET_PROCESS = "local-process/target"
#: Google's proxies to a database, in whatever registry, of whatever version; and what stands in for them here.
_PROXY = re.compile(
    r"(?:^|/)(?:cloud[-_]?sql[-_]proxy|gce-proxy|alloydb-auth-proxy|database-sidecar|database-proxy)(?:[:@]|$)"
)
#: Durations are Go's: "30s", "1m30s".
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class ForcedDocuments:
    """The documents under way, copies of the rendered ones. ``rung`` and ``target`` say what is forced on them."""

    def __init__(self, documents: Documents, rung: EnvironmentKind, target: Target, folder: str) -> None:
        self.documents = documents
        self.rung = rung
        self.target = target
        self.folder = folder
        self.notes: list[PatchNote] = []
        self.deployment = ""  # the target's, by key
        self.service = ""  # that leads to it, by key
        self.port = 0  # that the target listens on in its pod
        self.keeps: list[str] = []  # images that run beside the target
        self.image = ""  # the target's, as the folder names it
        self.operated = False  # something is left out that an operator may make pods of
        self.gone: dict[str, Json] = {}  # what is left out, with the labels of its pods, if it is a workload

    @property
    def on_cluster(self) -> bool:
        """Whether the documents are applied to a cluster; else processes are made after them."""
        return self.rung in CLUSTERS

    @property
    def pod(self) -> Json:
        """The target's pod spec."""
        found: Json = self.documents[self.deployment]["spec"]["template"]["spec"]
        return found

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the target's pods."""
        found: dict[str, str] = self.documents[self.deployment]["spec"]["template"]["metadata"].get("labels", {})
        return found

    @property
    def container(self) -> Json:
        """The target's container; ``aim`` has put it first."""
        found: Json = self.pod["containers"][0]
        return found

    def note(self, name: str, reason: str) -> None:
        """Tells that ``name`` was forced, and why; ``reason`` is one of ``reasons``."""
        self.notes.append(PatchNote(name=name, layer=f"rung/{self.rung}", reason=reason, forced=True))

    def of_kind(self, kind: str) -> list[str]:
        """The keys of the documents of ``kind``."""
        return [key for key in self.documents if key.startswith(f"{kind}/")]

    def leave_out(self, key: str, reason: str) -> None:
        """Removes a document and tells it."""
        spec = _inner(self.documents.pop(key), "spec")
        template = _inner(_inner(spec, "jobTemplate", "spec") or spec, "template")
        self.gone[key] = _inner(template, "metadata", "labels")
        self.note(key, reason)

    def pods(self) -> Iterator[tuple[str, Json]]:
        """Every pod spec that will run, by the key of its document."""
        for key, document in self.documents.items():
            if document["kind"] in ("Deployment", "Job"):
                yield key, document["spec"]["template"]["spec"]


def _inner(document: Json, *path: str) -> Json:
    """The mapping at ``path``; empty where there is none, or something else."""
    for key in path:
        found = document.get(key)
        document = found if isinstance(found, dict) else {}
    return document


def containers(pod: Json) -> list[Json]:
    """All containers of a pod, init containers last."""
    return [*pod.get("containers", []), *pod.get("initContainers", [])]


def is_proxy(container: Json) -> bool:
    """Whether the container is a proxy to the database."""
    return _PROXY.search(str(container.get("image", ""))) is not None


def proxies(pod: Json) -> list[Json]:
    """The proxies to the database that live as long as the pod."""
    lasting = [each for each in pod.get("initContainers", []) if each.get("restartPolicy") == "Always"]
    return [each for each in (*pod.get("containers", []), *lasting) if is_proxy(each)]


def accepts_s(proxy: Json) -> float:
    """How long after SIGTERM it goes on as before, by an argument or a variable."""
    return _said_s(proxy, "min-sigterm-delay", "CSQL_PROXY_MIN_SIGTERM_DELAY")


def drain_s(proxy: Json) -> float:
    """How long it then waits at most for the end of its connections; of its second version, and of its first."""
    return _said_s(proxy, "(?:max-sigterm-delay|term_timeout)", "CSQL_PROXY_MAX_SIGTERM_DELAY")


def _said_s(proxy: Json, argument: str, variable: str) -> float:
    words = " ".join(str(each) for each in (*(proxy.get("command") or ()), *(proxy.get("args") or ())))
    found = re.search(rf"(?:^|\s)--?{argument}[= ](\S+)", words)
    variables = {str(each.get("name")): str(each.get("value", "")) for each in proxy.get("env") or ()}
    said = found[1] if found is not None else variables.get(variable, "")
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(said))


def instance_of(arguments: list[str]) -> str:
    """The database instance that a proxy's arguments name; "" when none does."""
    for each in arguments:
        for word in str(each).rpartition("instances=")[2].split(","):
            plain = word.partition("=tcp:")[0]
            if (found := INSTANCE_NAMED.fullmatch(plain)) is not None:
                return found[1]
    return ""
