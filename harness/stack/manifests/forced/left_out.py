"""What of a folder is no part of a run: kinds a cluster lacks, what reaches beyond a namespace, other workloads."""

from __future__ import annotations

from harness.base.errors import BadInput
from harness.model.manifests import PART
from harness.model.message import message
from harness.stack.manifests.forced import reasons
from harness.stack.manifests.forced.select_target import selects
from harness.stack.manifests.forced.work import BY_THE_RUNG, ForcedDocuments, containers, is_proxy, proxies
from harness.stack.manifests.spec import picks

#: Kinds of every cluster that lie in a namespace and that a run takes over.
_TAKEN = {
    "v1": ("ConfigMap", "Secret", "Service", "ServiceAccount"),
    "apps": ("Deployment",),
    "autoscaling": ("HorizontalPodAutoscaler",),
    "batch": ("Job",),
    "networking.k8s.io": ("NetworkPolicy",),
    "policy": ("PodDisruptionBudget",),
    "rbac.authorization.k8s.io": ("Role", "RoleBinding"),
}
_FRONTS = ("Ingress", "Gateway", "HTTPRoute", "GRPCRoute")
_WORKLOADS = ("StatefulSet", "DaemonSet", "CronJob", "Pod", "ReplicaSet", "PersistentVolumeClaim", "Endpoints",
              "ResourceQuota", "LimitRange", "EndpointSlice", "Lease")  # fmt: skip
#: Kinds of operators that are much used, and make no pods: a budget beside them is the API's, or a mistake.
_NO_PODS = (
    "ServiceMonitor",
    "PodMonitor",
    "PodMonitoring",
    "PrometheusRule",
    "ExternalSecret",
    "SecretStore",
    "SealedSecret",
    "SecretProviderClass",
    "ManagedCertificate",
    "Certificate",
    "Issuer",
    "BackendConfig",
    "FrontendConfig",
    "HealthCheckPolicy",
    "GCPBackendPolicy",
    "VirtualService",
    "DestinationRule",
    "PeerAuthentication",
    "AuthorizationPolicy",
    "ScaledObject",
    "VerticalPodAutoscaler",
    "NetworkAttachmentDefinition",
)
_CLUSTERS = ("rbac.authorization.k8s.io", "apiextensions.k8s.io", "admissionregistration.k8s.io", "storage.k8s.io",
             "scheduling.k8s.io", "apiregistration.k8s.io", "node.k8s.io")  # fmt: skip
#: A hook of Helm or Argo CD that comes before the deployment; any other comes with it or after it.
_BEFORE = ("pre-install", "pre-upgrade", "PreSync", "Sync", "crd-install")
_HOOKS = ("helm.sh/hook", "argocd.argoproj.io/hook")


def leave_out_kinds(work: ForcedDocuments, *, fronted: bool) -> None:
    """Removes what is not of the namespace, or of no kind that every cluster has. ``fronted`` keeps Ingresses."""
    for key, document in list(work.documents.items()):
        group, _, version = str(document.get("apiVersion", "")).rpartition("/")
        kind, group = document["kind"], group or version
        if _rehearsed(key, work) or (fronted and kind == "Ingress"):
            continue
        if kind == "Namespace":
            work.leave_out(key, reasons.NAMESPACE)
        elif kind in _FRONTS:
            work.leave_out(key, reasons.FRONT)
        elif kind in _TAKEN.get(group, ()):
            document.setdefault("metadata", {}).pop("namespace", None)
        elif group in _TAKEN and kind in _WORKLOADS:
            work.leave_out(key, reasons.NO_PART)
        else:
            beyond = group in _CLUSTERS or group in _TAKEN
            work.leave_out(key, reasons.BEYOND if beyond else reasons.OTHER_KIND)
            work.operated = work.operated or not (beyond or kind in _NO_PODS)
    for key in work.of_kind("RoleBinding"):
        for subject in work.documents[key].get("subjects") or []:
            if "namespace" in subject:
                subject["namespace"] = f"{BY_THE_RUNG}namespace"


def _rehearsed(key: str, work: ForcedDocuments) -> bool:
    """A class of the rehearsal's own secret store (the overlay ``kind-secret-manager``)."""
    document = work.documents[key]
    return document["kind"] == "SecretProviderClass" and str(document.get("spec", {}).get("provider")) == "rehearsal"


def leave_out_others(work: ForcedDocuments) -> None:
    """Removes workloads that are not the target, and what belongs to them. Raises ``BadInput`` for a name in ``keep``
    that is not there."""
    keep = set(work.target.keep)
    there = {*work.documents, *(each["name"] for _, pod in work.pods() for each in containers(pod))}
    if missing := sorted(keep - there):
        where = work.target.file or work.folder
        what = message("keep names {names}", names=", ".join(missing))
        raise BadInput(what, where=where, remedy=message("there are: {names}", names=", ".join(sorted(there))))
    for key in work.of_kind("Deployment"):
        if key != work.deployment and key in keep and work.on_cluster:
            work.keeps += [each["image"] for each in containers(work.documents[key]["spec"]["template"]["spec"])]
            _mark(work, key)
        elif key != work.deployment:
            work.leave_out(key, reasons.NO_PART if work.on_cluster else reasons.NO_CONTAINERS)
    for key in work.of_kind("Service"):
        _service(work, key)
    for key in work.of_kind("HorizontalPodAutoscaler"):
        reference = (work.documents[key].get("spec") or {}).get("scaleTargetRef") or {}
        if f"{reference.get('kind')}/{reference.get('name')}" in work.gone:
            work.leave_out(key, reasons.NO_PART)
    for key in work.of_kind("PodDisruptionBudget"):
        selector = (work.documents[key].get("spec") or {}).get("selector")
        picked = any(labels and picks(selector, labels) for labels in work.gone.values())
        if not picks(selector, work.labels) and (picked or work.operated):
            work.leave_out(key, reasons.NO_PART)
    _jobs(work, keep)
    _containers(work, keep)


def _mark(work: ForcedDocuments, key: str) -> None:
    """What runs beside the target carries the label that keeps it out of what is counted as the target's."""
    document = work.documents[key]
    name = document["metadata"]["name"]
    document["spec"]["template"].setdefault("metadata", {}).setdefault("labels", {})[PART] = name
    document["metadata"].setdefault("labels", {})[PART] = name


def _service(work: ForcedDocuments, key: str) -> None:
    if key == work.service:
        return
    selector = (work.documents[key].get("spec") or {}).get("selector")
    kept = (each["spec"]["template"]["metadata"].get("labels", {}) for each in work.documents.values()
            if each["kind"] == "Deployment")  # fmt: skip
    if not any(selects(selector, labels) for labels in kept):
        work.leave_out(key, reasons.SERVICE)
    else:  # its endpoints are the target's twice over, and are counted once
        document = work.documents[key]
        document["metadata"].setdefault("labels", {})[PART] = document["metadata"]["name"]
        spec = document["spec"]
        if spec.get("type", "ClusterIP") != "ClusterIP":
            spec["type"] = "ClusterIP"
            work.note(f"{key} type", reasons.CLUSTER_IP)


def _jobs(work: ForcedDocuments, keep: set[str]) -> None:
    """A Job that migrates runs when its image is the target's own and that is what runs; else it is left out."""
    for key in work.of_kind("Job"):
        job = work.documents[key]
        annotations = job["metadata"].get("annotations") or {}
        hooks = [word for name in _HOOKS for word in str(annotations.get(name, "")).split(",") if word]
        if hooks and not any(hook.strip() in _BEFORE for hook in hooks):
            work.leave_out(key, reasons.LATER)
        elif not work.on_cluster or not all(_at_hand(work, each, keep | ({each["name"]} if key in keep else set()))
                                            for each in _own(job["spec"]["template"]["spec"])):  # fmt: skip
            work.leave_out(key, _of_migrations(work))
        else:
            job["spec"].pop("ttlSecondsAfterFinished", None)  # a run waits for it, and says what became of it
            pod = job["spec"]["template"]["spec"]
            for place in ("containers", "initContainers"):  # a proxy that lasts would keep the Job from its end
                if place in pod:
                    pod[place] = [each for each in pod[place] if not is_proxy(each)]


def _own(pod: dict[str, list[dict[str, str]]]) -> list[dict[str, str]]:
    return [each for each in containers(pod) if not is_proxy(each)]


def _at_hand(work: ForcedDocuments, container: dict[str, str], keep: set[str]) -> bool:
    """Whether a container runs: of the target's own image, or kept by the target file."""
    if container["name"] in keep:
        work.keeps.append(container["image"])
        return True
    return work.target.own_image and container.get("image") == work.image


def _of_migrations(work: ForcedDocuments) -> str:
    return reasons.JOB if work.on_cluster else reasons.NO_JOBS


def _containers(work: ForcedDocuments, keep: set[str]) -> None:
    """Leaves the target, one proxy, and what is at hand."""
    pod = work.pod
    first, *others = pod["containers"]
    lasting = proxies(pod)[:1]
    for place, found in (("containers", others), ("initContainers", pod.get("initContainers") or [])):
        kept = [first] if place == "containers" else []
        for each in found:
            helper = work.on_cluster and not is_proxy(each)
            if any(each is one for one in lasting) or (helper and _at_hand(work, each, keep)):
                kept.append(each)
            else:
                ends = place == "initContainers" and each.get("restartPolicy") != "Always"
                beside = reasons.BESIDE if work.on_cluster else reasons.NO_CONTAINERS
                work.note(f"{place}/{each['name']}", _of_migrations(work) if ends else beside)
        if kept or place in pod:
            pod[place] = kept
    if not pod.get("initContainers"):
        pod.pop("initContainers", None)
    # The proxy stands behind the target: whatever else runs comes after it.
    pod["containers"].sort(key=lambda each: (each is not first, not is_proxy(each)))
