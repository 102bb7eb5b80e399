"""The manifests that were applied against what the document prints: a claim for each thing that it prints. Pure.

They gate nothing: manifests of somebody's own may well be better than the document's, which is then to follow them.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from harness.model.autoscaling import Hpa
from harness.model.judgement import Judgement, Kind
from harness.model.manifests import INSTANCE_NAMED, Deployment, Manifests, Probe
from harness.model.message import Message, message
from harness.model.verdict import Verdict

_MIB = 2**20
_ANNOTATION = "iam.gke.io/gcp-service-account"
#: The kinds of the seven files that Phase 2 requires (Kubernetes構成, manifest.phase2_required).
PHASE_2 = (
    "Deployment", "Service", "ServiceAccount", "ConfigMap", "Secret", "HorizontalPodAutoscaler", "PodDisruptionBudget",
)  # fmt: skip
_HTTPS = "architecture.https_at_l4"


class Applied(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run keeps of its manifests. The containers are without their variables, whose values are nobody's to
    keep. ``written`` are kinds and names of the folder's own; ``account`` is the ServiceAccount that the pods name,
    ``annotated`` whether it is there with a Google service account, which a cluster of ours takes away; ``instance_in``
    where Cloud SQL's instance stands.
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


def applied(manifests: Manifests) -> Applied:
    """What is to be kept of ``manifests``."""
    pod = manifests.documents.get(f"Deployment/{manifests.deployment.name}", {}).get("spec", {}).get("template", {})
    account = str(pod.get("spec", {}).get("serviceAccountName", ""))
    key = f"ServiceAccount/{account}"
    metadata = manifests.documents.get(key, {}).get("metadata", {})
    taken = any(
        each.forced and each.name.startswith(f"{key} ") and _ANNOTATION in each.name for each in manifests.patches
    )
    return Applied(
        deployment=_without_variables(manifests.deployment),
        service_port=manifests.service_port,
        service_target_port=manifests.service_target_port,
        written=manifests.written,
        hpa=manifests.hpa,
        account=account,
        annotated=taken or _ANNOTATION in (metadata.get("annotations") or {}),
        instance_in=tuple(_instances(manifests)),
        db_host=manifests.config.get("db_host", ""),
    )


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


def as_printed(found: Applied) -> Iterator[Judgement]:
    """Each claim on what the document prints."""
    yield from _deployment(found.deployment)
    yield from _sidecar(found)
    yield from _others(found)
    yield from _one_of_each(found)


def _judgement(claim: str, kept: bool, printed: str, seen: str | Message, *also: str) -> Judgement:
    told = message("printed: {printed}; applied: {seen}", printed=printed, seen=seen)
    verdict = Verdict.PASS if kept else Verdict.FAIL
    return Judgement(id=claim, claim=claim, also=also, kind=Kind.CHECK, gates=False, verdict=verdict, told=(told,))


def _deployment(of: Deployment) -> Iterator[Judgement]:
    api, rolling = of.template.containers[0], of.strategy
    yield _judgement("manifest.deployment.replicas", of.replicas == 2, "replicas 2", f"replicas {of.replicas}")
    for claim, printed, seen in (
        ("manifest.deployment.resources", (500, 512 * _MIB), (api.request_cpu_m, api.request_memory_bytes)),
        ("manifest.deployment.limits", (1000, 1024 * _MIB), (api.limit_cpu_m, api.limit_memory_bytes)),
    ):
        yield _judgement(claim, printed == seen, _size(*printed), _size(*seen))
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
        yield _judgement(claim, probe == asked, _probe(asked), "–" if probe is None else _probe(probe))
    surge = (rolling.max_surge, rolling.max_unavailable)
    seen_surge = f"maxSurge {surge[0]}, maxUnavailable {surge[1]}"
    yield _judgement("deploy.rolling.strategy", surge == (1, 0), "maxSurge 1, maxUnavailable 0", seen_surge)


def _sidecar(of: Applied) -> Iterator[Judgement]:
    containers = of.deployment.template.containers
    proxies = [each for each in containers if each.proxy]
    names = ", ".join(each.name for each in proxies) or "–"
    yield _judgement("manifest.sidecar", len(proxies) == 1, "cloud-sql-proxy", names, "database.proxy.per_pod")
    alone = of.instance_in == tuple(each.name for each in proxies) and len(proxies) == 1
    where = ", ".join(of.instance_in) or "–"
    yield _judgement("manifest.sidecar.args", alone, "PROJECT_ID:REGION:INSTANCE_NAME", where)
    asked = [(each.request_cpu_m, each.request_memory_bytes) for each in (*containers[:1], *proxies)]
    kept = asked == [(500, 512 * _MIB), (100, 128 * _MIB)]
    yield _judgement(
        "manifest.sidecar.requests", kept, "500m/512Mi + 100m/128Mi", " + ".join(_size(*one) for one in asked)
    )
    yield _judgement("manifest.configmap.db_host", of.db_host == "localhost", "localhost", of.db_host or "–")


def _others(of: Applied) -> Iterator[Judgement]:
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


def _one_of_each(of: Applied) -> Iterator[Judgement]:
    kinds = [name.partition("/")[0] for name in of.written]
    counts = (kinds.count("Deployment"), kinds.count("Service"))
    seen = message(
        "Deployments: {deployments}, Services: {services}", deployments=str(counts[0]), services=str(counts[1])
    )
    claims = ("strategy.replicated_monolith", "strategy.versus.structure")
    yield _judgement(claims[0], counts == (1, 1), "1, 1", seen, *claims[1:])
    if "Ingress" not in kinds and of.service_port != 443:  # no TLS: nothing but an Ingress of this folder would end it
        told = message(
            "the only way in is the Service's port {port}, and no Ingress is applied", port=str(of.service_port)
        )
        yield Judgement(
            id="architecture.https_clients",
            claim="architecture.https_clients",
            kind=Kind.CHECK,
            gates=False,
            verdict=Verdict.ERRATUM_SHOWN,
            erratum=_HTTPS,
            told=(told,),
        )


def _size(cpu_m: int | None, memory_bytes: int | None) -> str:
    cpu = "–" if cpu_m is None else f"{cpu_m}m"
    return f"{cpu}/{'–' if memory_bytes is None else f'{memory_bytes / _MIB:g}Mi'}"


def _probe(of: Probe) -> str:
    return (
        f"{of.path}:{of.port} {of.initial_delay_s:g} s, {of.period_s:g} s, {of.timeout_s:g} s, ×{of.failure_threshold}"
    )
