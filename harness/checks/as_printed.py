"""The manifests that were applied against what the document prints: a claim for each thing that it prints. Pure.

They gate nothing: manifests of somebody's own may well be better than the document's, which is then to follow them.
More pods, more CPU and memory, and a longer timeout keep what is printed; anything else differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from harness.model.autoscaling import Hpa
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.manifests import (
    FIXED_HERE,
    INSTANCE_NAMED,
    STILL_THERE,
    Deployment,
    Manifests,
    Probe,
    RepositoryErratum,
)
from harness.model.message import Message, message

_MIB = 2**20
_ANNOTATION = "iam.gke.io/gcp-service-account"
#: The kinds of the seven files that Phase 2 requires (Kubernetes構成, manifest.phase2_required).
PHASE_2 = (
    "Deployment", "Service", "ServiceAccount", "ConfigMap", "Secret", "HorizontalPodAutoscaler", "PodDisruptionBudget",
)  # fmt: skip
_HTTPS = "architecture.https_at_l4"
#: What the document prints of the pod's variables, and of the keys.
_VARIABLES = ("ENVIRONMENT", "DB_HOST", "DB_PASSWORD")
_CONFIG = ("environment", "db_host", "db_port", "db_name", "log_level")
_CREDENTIALS = "firebase_credentials"
_COPY = message("the rehearsal's own copy of what is printed (--manifests DIR compares yours)")
#: The ids of what is said of any manifests.
PRINTED = (
    "manifest.deployment.replicas", "manifest.deployment.resources", "manifest.deployment.limits",
    "manifest.deployment.liveness", "manifest.deployment.readiness", "deploy.rolling.strategy", "manifest.sidecar",
    "manifest.sidecar.args", "manifest.sidecar.requests", "manifest.configmap.db_host", "manifest.service.ports",
    "manifest.serviceaccount", "manifest.hpa.range", "phase2.manifests",
    "strategy.replicated_monolith", "architecture.https_clients", "manifest.files",
)  # fmt: skip


class AppliedManifests(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run keeps of its manifests. The containers are without their variables, whose values are nobody's to
    keep; ``variables`` are the names of the API's. ``written`` are kinds and names of the folder's own; ``account`` is
    the ServiceAccount that the pods name, ``annotated`` whether it is there with a Google service account, which a
    cluster of ours takes away; ``instance_in`` where Cloud SQL's instance stands. ``keys`` are those of ConfigMap and
    Secret, ``unread`` those of them that no container is given; ``environment`` is what the target is told to be.
    ``way_in`` is what was read of where TLS ends, ``None`` of a folder of the rehearsal's own.
    """

    deployment: Deployment
    service_port: int
    service_target_port: int
    written: tuple[str, ...] = ()
    hpa: Hpa | None = None
    account: str = ""
    annotated: bool = False
    instance_in: tuple[str, ...] = ()
    db_host: str = ""
    environment: str = ""
    variables: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    way_in: RepositoryErratum | None = None
    unread: tuple[str, ...] = ()


def applied(manifests: Manifests) -> AppliedManifests:
    """What is to be kept of ``manifests``."""
    pod = manifests.documents.get(f"Deployment/{manifests.deployment.name}", {}).get("spec", {}).get("template", {})
    account = str(pod.get("spec", {}).get("serviceAccountName", ""))
    key = f"ServiceAccount/{account}"
    metadata = manifests.documents.get(key, {}).get("metadata", {})
    taken = any(
        each.forced and each.name.startswith(f"{key} ") and _ANNOTATION in each.name for each in manifests.patches
    )
    return AppliedManifests(
        deployment=_without_variables(manifests.deployment),
        service_port=manifests.service_port,
        service_target_port=manifests.service_target_port,
        written=manifests.written,
        hpa=manifests.hpa,
        account=account,
        annotated=taken or _ANNOTATION in (metadata.get("annotations") or {}),
        instance_in=tuple(_instances(manifests)),
        db_host=manifests.config.get("db_host", ""),
        environment=manifests.config.get("environment", ""),
        variables=tuple(each.name for each in manifests.deployment.template.containers[0].env),
        keys=(*manifests.config, *manifests.secret_keys),
        way_in=next((each for each in manifests.errata if each.id == _HTTPS), None),
        unread=() if _mounts_whole(pod) else tuple(_unread(manifests)),
    )


def _unread(manifests: Manifests) -> Iterator[str]:
    """The keys of ConfigMap and Secret that no variable of a container names, also before the rung gave it another
    value."""
    containers = manifests.deployment.template.containers
    read = {each.source.rpartition("/")[2] for container in containers for each in container.env}
    keys = (*manifests.config, *manifests.secret_keys)
    yield from (key for key in keys if key not in read and key not in manifests.read_keys)


def _mounts_whole(pod: dict[str, Any]) -> bool:
    """Whether a pod takes a whole ConfigMap or Secret, as files or as variables: which keys it reads is then its own
    affair."""
    spec = pod.get("spec", {})
    containers = (*spec.get("containers", ()), *spec.get("initContainers", ()))
    volumes = any({"secret", "configMap", "projected"} & each.keys() for each in spec.get("volumes", ()))
    return volumes or any(each.get("envFrom") for each in containers)


def _without_variables(deployment: Deployment) -> Deployment:
    replace = msgspec.structs.replace
    kept = tuple(replace(each, env=(), secrets={}) for each in deployment.template.containers)
    return replace(deployment, template=replace(deployment.template, containers=kept))


def _instances(manifests: Manifests) -> Iterator[str]:
    for each in manifests.deployment.template.containers:
        if any(INSTANCE_NAMED.fullmatch(argument) for argument in each.args):
            yield each.name
        yield from (name.name for name in each.env if INSTANCE_NAMED.fullmatch(name.value))
    yield from (key for key, value in manifests.config.items() if INSTANCE_NAMED.fullmatch(value))


def missing(written: tuple[str, ...]) -> tuple[str, ...]:
    """The kinds of the seven that a folder does not have, whatever stands in for them."""
    kinds = {key.partition("/")[0] for key in written}
    return tuple(kind for kind in PHASE_2 if kind not in kinds)


def as_printed(found: AppliedManifests, *, own: bool = True) -> Iterator[Judgement]:
    """Each claim on what the document prints. The bundled folder is a copy of that: only one of a team's ``own`` keeps
    anything."""
    for each in _each(found):
        copied = each.verdict is Verdict.PASS and not own
        more = {"verdict": Verdict.NOT_EXERCISED, "told": (*each.told, _COPY)} if copied else {}
        yield msgspec.structs.replace(each, **more)


def _each(found: AppliedManifests) -> Iterator[Judgement]:
    yield from _deployment(found.deployment)
    yield from _sidecar(found)
    yield from _others(found)
    yield from _given(found)
    yield from _one_of_each(found)


def _judgement(claim: str, kept: bool, printed: str, seen: str | Message, *also: str) -> Judgement:
    told = message("printed: {printed}; applied: {seen}", printed=printed, seen=seen)
    verdict = Verdict.PASS if kept else Verdict.FAIL
    return Judgement(
        id=claim, claim=claim, also=also, kind=Kind.CHECK, gates=False, verdict=verdict, told=(told,), differs=not kept
    )


def _deployment(of: Deployment) -> Iterator[Judgement]:
    api, rolling, replace = of.template.containers[0], of.strategy, msgspec.structs.replace
    yield _judgement("manifest.deployment.replicas", of.replicas >= 2, "replicas 2", f"replicas {of.replicas}")
    for claim, printed, seen in (
        ("manifest.deployment.resources", (500, 512 * _MIB), (api.request_cpu_m, api.request_memory_bytes)),
        ("manifest.deployment.limits", (1000, 1024 * _MIB), (api.limit_cpu_m, api.limit_memory_bytes)),
    ):
        yield _judgement(claim, _as_much(seen, printed), _size(*printed), _size(*seen))
    for claim, asked, probe in (
        (
            "manifest.deployment.liveness",
            Probe(path="/health", port=8080, initial_delay_s=10, period_s=30),
            api.liveness,
        ),
        (
            "manifest.deployment.readiness",
            Probe(path="/ready", port=8080, initial_delay_s=5, period_s=10),
            api.readiness,
        ),
    ):
        kept = probe is not None and probe == replace(asked, timeout_s=max(asked.timeout_s, probe.timeout_s))
        yield _judgement(claim, kept, _probe(asked), "–" if probe is None else _probe(probe))
    surge = (rolling.max_surge, rolling.max_unavailable)
    seen_surge = f"maxSurge {surge[0]}, maxUnavailable {surge[1]}"
    yield _judgement("deploy.rolling.strategy", surge == (1, 0), "maxSurge 1, maxUnavailable 0", seen_surge)


def _sidecar(of: AppliedManifests) -> Iterator[Judgement]:
    containers = of.deployment.template.containers
    proxies = [each for each in containers if each.proxy]
    names = ", ".join(each.name for each in proxies) or "–"
    yield _judgement("manifest.sidecar", len(proxies) == 1, "cloud-sql-proxy", names, "database.proxy.per_pod")
    alone = of.instance_in == tuple(each.name for each in proxies) and len(proxies) == 1
    where = ", ".join(of.instance_in) or "–"
    yield _judgement("manifest.sidecar.args", alone, "PROJECT_ID:REGION:INSTANCE_NAME", where)
    asked = [(each.request_cpu_m, each.request_memory_bytes) for each in (*containers[:1], *proxies)]
    printed = ((500, 512 * _MIB), (100, 128 * _MIB))
    kept = len(asked) == len(printed) and all(map(_as_much, asked, printed))
    yield _judgement(
        "manifest.sidecar.requests", kept, "500m/512Mi + 100m/128Mi", " + ".join(_size(*one) for one in asked)
    )
    yield _judgement("manifest.configmap.db_host", of.db_host == "localhost", "localhost", of.db_host or "–")


def _others(of: AppliedManifests) -> Iterator[Judgement]:
    ports = f"{of.service_port} → {of.service_target_port}"
    yield _judgement("manifest.service.ports", ports == "80 → 8080", "80 → 8080", ports)
    account: str | Message = of.account or "–"
    if not of.annotated:
        account = message("{account}, without it", account=account)
    yield _judgement("manifest.serviceaccount", of.annotated, _ANNOTATION, account)
    size = "–" if of.hpa is None else f"{of.hpa.min_replicas}–{of.hpa.max_replicas}"
    yield _judgement("manifest.hpa.range", size == "2–10", "2–10", size)
    lacking = missing(of.written)
    seen = ", ".join(lacking)
    told = message("missing: {kinds}", kinds=seen) if lacking else message("all seven")
    yield _judgement("phase2.manifests", not lacking, ", ".join(PHASE_2), told, "manifest.phase2_required")


def _given(of: AppliedManifests) -> Iterator[Judgement]:
    """What the pods are given of ConfigMap and Secret. That the target is told to be in production is not to be seen
    where it is told otherwise: there its emulators would be refused."""
    if not of.variables:
        return  # a run of before these were kept
    lacking = [name for name in _VARIABLES if name not in of.variables]
    yield _judgement("manifest.deployment.env", not lacking, ", ".join(_VARIABLES), ", ".join(of.variables) or "–")
    unread = [key for key in of.unread if key != _CREDENTIALS]
    seen = message("{keys}; read by no container: {unread}", keys=", ".join(of.keys), unread=", ".join(unread) or "–")
    kept = not unread and set(_CONFIG) <= set(of.keys)
    yield _judgement("manifest.configmap.keys", kept, ", ".join(_CONFIG), seen)
    if _CREDENTIALS in of.unread:
        told = message("the Secret's key {key} is read by no container", key=_CREDENTIALS)
        yield _shown("manifest.secret.firebase_credentials", "manifest.secret.firebase_credentials_unused", told)
    else:
        there: str | Message = _CREDENTIALS if _CREDENTIALS in of.keys else message("no such key")
        yield _judgement("manifest.secret.firebase_credentials", True, _CREDENTIALS, there)
    told_to_be = _judgement("manifest.configmap.environment", True, "production", of.environment or "–")
    if of.environment != "production":
        why = message("in production a target refuses the emulators' unsigned tokens")
        told_to_be = msgspec.structs.replace(told_to_be, verdict=Verdict.NOT_EXERCISED, told=(*told_to_be.told, why))
    yield told_to_be


def _shown(claim: str, erratum: str, told: Message, *also: str) -> Judgement:
    return Judgement(
        id=claim, claim=claim, also=also, kind=Kind.CHECK, gates=False, verdict=Verdict.ERRATUM_SHOWN, erratum=erratum,
        told=(told,),
    )  # fmt: skip


def _one_of_each(of: AppliedManifests) -> Iterator[Judgement]:
    kinds = [name.partition("/")[0] for name in of.written]
    counts = (kinds.count("Deployment"), kinds.count("Service"))
    seen = message(
        "Deployments: {deployments}, Services: {services}", deployments=str(counts[0]), services=str(counts[1])
    )
    claims = ("strategy.replicated_monolith", "strategy.versus.structure")
    yield _judgement(claims[0], counts == (1, 1), "1, 1", seen, *claims[1:])
    yield _way_in(of, front="Ingress" in kinds or "Gateway" in kinds)
    files = {kind: kinds.count(kind) for kind in PHASE_2}
    counted = ", ".join(f"{kind} {count}" for kind, count in files.items())
    yield _judgement("manifest.files", set(files.values()) == {1}, ", ".join(PHASE_2), counted)


def _way_in(of: AppliedManifests, *, front: bool) -> Judgement:
    """Whether TLS can end before the Service, whose own port alone says nothing of it where that is 443."""
    claims, port, read = ("architecture.https_clients", "architecture.diagram"), str(of.service_port), of.way_in
    if not front and of.service_port != 443:
        told = message("the only way in is the Service's port {port}, and no Ingress is applied", port=port)
        return _shown(claims[0], _HTTPS, told, *claims[1:])
    if read is not None and read.state == STILL_THERE:
        return _shown(claims[0], _HTTPS, read.told, *claims[1:])
    said = () if read is None else (read.told,)
    if read is not None and read.state == FIXED_HERE:
        verdict, more = Verdict.PASS, message("that it answers so is asked by network --ingress")
    else:
        verdict, more = Verdict.NOT_EXERCISED, message("whether TLS ends at port {port} is not to be read", port=port)
    return Judgement(
        id=claims[0], claim=claims[0], also=claims[1:], kind=Kind.CHECK, gates=False, verdict=verdict,
        told=(*said, more),
    )  # fmt: skip


def _as_much(seen: tuple[int | None, int | None], printed: tuple[int, int]) -> bool:
    return all(have is not None and have >= least for have, least in zip(seen, printed, strict=True))


def _size(cpu_m: int | None, memory_bytes: int | None) -> str:
    cpu = "–" if cpu_m is None else f"{cpu_m}m"
    return f"{cpu}/{'–' if memory_bytes is None else f'{memory_bytes / _MIB:g}Mi'}"


def _probe(of: Probe) -> str:
    return (
        f"{of.path}:{of.port} {of.initial_delay_s:g} s, {of.period_s:g} s, {of.timeout_s:g} s, ×{of.failure_threshold}"
    )
