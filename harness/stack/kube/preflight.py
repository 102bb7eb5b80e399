"""Whether a run can be on the cluster, asked before anything is made: version, permissions, metrics, kinds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from harness.base.errors import BadInput, StackNotStarted
from harness.model.message import message, of_error
from harness.stack.kubernetes.api_server import ApiServer, Json, Refused

OLDEST = 27  # of Kubernetes 1.x: autoscaling/v2, policy/v1 and discovery.k8s.io/v1 are older, sidecars a little younger
METRICS = "/apis/metrics.k8s.io/v1beta1"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_UNAUTHORIZED, _FORBIDDEN = 401, 403
#: What the harness itself does: (API group, resource, verbs). A port-forward by WebSocket is a GET for older servers.
NEEDED = (
    ("", "namespaces", "create get list delete"),
    ("", "pods", "create get list watch delete deletecollection"),
    ("", "pods/log", "get"),
    ("", "pods/portforward", "create get"),
    ("", "pods/eviction", "create"),
    ("", "services", "create get"),
    ("", "configmaps", "create"),
    ("", "serviceaccounts", "create"),
    ("", "events", "list watch"),
    ("apps", "deployments", "get patch"),
    ("apps", "deployments/scale", "patch"),
    ("autoscaling", "horizontalpodautoscalers", "list watch"),
    ("discovery.k8s.io", "endpointslices", "list watch"),
)
#: Kinds that reach beyond the namespace although they lie in it.
_REACHING_OUT = ("Ingress", "Gateway")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the cluster is: ``version`` as it says it; ``metrics`` is whether the metrics API is served."""

    version: str
    metrics: bool


async def examine(api: ApiServer, namespace: str, documents: Mapping[str, Json]) -> Found:
    """Makes nothing. Raises ``StackNotStarted`` (silent, too old, a permission refused) and ``BadInput`` (kinds)."""
    version = await _version(api)
    jobs = [("batch", "jobs", "get")] if any(each["kind"] == "Job" for each in documents.values()) else []
    wanted = [*NEEDED, *jobs, *[await _of(api, document) for document in documents.values()]]
    verbs = sorted({(group, resource, verb) for group, resource, all_ in wanted for verb in all_.split()})
    answers = await asyncio.gather(*(_allowed(api, namespace, *each) for each in verbs))
    if refused := [each for each, allowed in zip(verbs, answers, strict=True) if not allowed]:
        raise StackNotStarted(
            "these credentials may not do what a run needs: " + ", ".join(_said(refused)),
            where=message("namespace {namespace}", namespace=namespace),
            remedy="ask for a role with these verbs, or use another context; nothing was created",
        )
    return Found(version=version, metrics=await _serves(api, METRICS))


async def _version(api: ApiServer) -> str:
    try:
        said = await api.get("/version")
    except Refused as error:
        if error.status in (_UNAUTHORIZED, _FORBIDDEN):
            raise StackNotStarted(
                message("the cluster refuses these credentials: {message}", message=error.message),
                remedy="log in again (kubectl get namespaces with the same context), or use another context",
            ) from error
        raise StackNotStarted(
            message("the cluster cannot be reached: {what}", what=of_error(error)),
            where=error.given[1],
            remedy="is it up, and its network reachable from here? kubectl version with the same context",
        ) from error
    minor = int("".join(filter(str.isdigit, said["minor"])) or 0)
    if said["major"] != "1" or minor < OLDEST:
        what = message(
            "the cluster is Kubernetes {version}; 1.{oldest} is the oldest",
            version=said["gitVersion"],
            oldest=str(OLDEST),
        )
        raise StackNotStarted(what, remedy="use a newer cluster")
    return str(said["gitVersion"])


async def _of(api: ApiServer, document: Json) -> tuple[str, str, str]:
    """What applying a document takes. Raises ``BadInput`` for what is not of the namespace alone."""
    kind, name = document["kind"], document["metadata"]["name"]
    group, _, _ = document["apiVersion"].rpartition("/")
    try:
        path = await api.path_of(document, "default")
    except Refused as error:
        raise BadInput(f"{error.message}", where=f"{kind}/{name}", remedy="install it, or leave it out") from error
    if "/namespaces/default/" not in path or kind in _REACHING_OUT:
        raise BadInput(
            message("{kind}/{name} reaches beyond the run's namespace", kind=kind, name=name),
            where="--manifests",
            remedy="on somebody's cluster a run makes only what lies in its own namespace; leave it out",
        )
    return group, path.split("/")[-2], "create patch"


async def _allowed(api: ApiServer, namespace: str, group: str, resource: str, verb: str) -> bool:
    """A SelfSubjectAccessReview, which is answered and not stored."""
    name, _, subresource = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": name, "subresource": subresource}
    if resource != "namespaces":
        attributes["namespace"] = namespace
    review: dict[str, Any] = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    return bool((await api.post(_REVIEWS, review))["status"].get("allowed"))


async def _serves(api: ApiServer, path: str) -> bool:
    try:
        await api.get(path)
    except Refused:
        return False
    return True


def _said(refused: Iterable[tuple[str, str, str]]) -> list[str]:
    """``verb, verb`` of ``resource.group`` as RBAC writes them."""
    by_resource: dict[str, list[str]] = {}
    for group, resource, verb in refused:
        by_resource.setdefault(f"{resource}.{group}" if group else resource, []).append(verb)
    return [f"{'/'.join(verbs)} {resource}" for resource, verbs in by_resource.items()]
