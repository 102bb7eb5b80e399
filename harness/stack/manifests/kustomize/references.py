"""Names that follow: a Deployment that names a ConfigMap names it as it is called in the end, hash and all.

Which fields name what: kustomize's built-in ``nameReference``. The suffix is the hash that kustomize takes of a
generated ConfigMap or Secret.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from harness.base.errors import BadInput
from harness.model.message import Message, message
from harness.stack.manifests.kustomize.fields import FieldSpec, specs, visit
from harness.stack.manifests.kustomize.form import Referred
from harness.stack.manifests.kustomize.resource import CLUSTER_SCOPED, Id, Resource
from harness.stack.manifests.kustomize.tree import NOWHERE, Map, Seq, plain

_IN_TEMPLATE = "Deployment ReplicaSet DaemonSet StatefulSet Job"
_LETTERS = str.maketrans({"0": "g", "1": "h", "3": "k", "a": "m", "e": "t"})
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def _of_pods(*paths: str, others: str = "") -> tuple[FieldSpec, ...]:
    """``paths`` below the spec of a pod, of everything that makes pods."""
    kinds = f"{_IN_TEMPLATE} {others}".strip()
    return (
        *specs("Pod", *(f"spec/{each}" for each in paths)),
        *specs("PodTemplate", *(f"template/spec/{each}" for each in paths)),
        *specs(kinds, *(f"spec/template/spec/{each}" for each in paths)),
        *specs("CronJob", *(f"spec/jobTemplate/spec/template/spec/{each}" for each in paths)),
    )


def _of_variables(key_ref: str, ref: str) -> tuple[FieldSpec, ...]:
    return _of_pods(
        *(
            f"{containers}/{field}"
            for containers in ("containers", "initContainers")
            for field in (f"env/valueFrom/{key_ref}/name", f"envFrom/{ref}/name")
        )
    )


_NGINX = r"metadata/annotations/nginx.ingress.kubernetes.io\/"
_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"
_ROLES = specs("Role ClusterRole", "rules/resourceNames")
#: Who names a resource of each kind.
BUILT_IN = (
    *(
        Referred(kind=kind, fields=specs("HorizontalPodAutoscaler", "spec/scaleTargetRef/name"))
        for kind in ("Deployment", "ReplicationController", "ReplicaSet", "StatefulSet")
    ),
    Referred(
        kind="ConfigMap",
        version="v1",
        fields=(
            *_of_pods("volumes/configMap/name", "volumes/projected/sources/configMap/name"),
            *_of_variables("configMapKeyRef", "configMapRef"),
            *specs("Node", "spec/configSource/configMap"),
            *_ROLES,
            *specs("Ingress", f"{_NGINX}fastcgi-params-configmap"),
        ),
    ),
    Referred(
        kind="Secret",
        version="v1",
        fields=(
            *_of_pods("volumes/secret/secretName", "volumes/projected/sources/secret/name", "imagePullSecrets/name"),
            *_of_variables("secretKeyRef", "secretRef"),
            *specs("Ingress", "spec/tls/secretName", f"{_NGINX}auth-secret", f"{_NGINX}auth-tls-secret"),
            *specs("Ingress", r"metadata/annotations/ingress.kubernetes.io\/auth-secret"),
            *specs("ServiceAccount", "imagePullSecrets/name"),
            *specs(
                "StorageClass",
                *(f"parameters/{name}" for name in ("secretName", "adminSecretName", "userSecretName", "secretRef")),
            ),
            *_ROLES,
            *specs(
                "Service", "spec/template/spec/containers/env/valueFrom/secretKeyRef/name", group="serving.knative.dev"
            ),
            *specs("PersistentVolume", "spec/azureFile/secretName"),
        ),
    ),
    Referred(
        kind="Service",
        version="v1",
        fields=(
            *specs("StatefulSet", "spec/serviceName", group="apps"),
            *specs(
                "Ingress",
                "spec/rules/http/paths/backend/serviceName",
                "spec/backend/serviceName",
                "spec/rules/http/paths/backend/service/name",
                "spec/defaultBackend/service/name",
            ),
            *specs("APIService", "spec/service/name", group="apiregistration.k8s.io"),
            *specs(
                "ValidatingWebhookConfiguration MutatingWebhookConfiguration",
                "webhooks/clientConfig/service",
                group=_ADMISSION,
            ),
        ),
    ),
    Referred(kind="Role", group=_RBAC, fields=specs("RoleBinding", "roleRef/name", group=_RBAC)),
    Referred(
        kind="ClusterRole", group=_RBAC, fields=specs("RoleBinding ClusterRoleBinding", "roleRef/name", group=_RBAC)
    ),
    Referred(
        kind="ServiceAccount",
        version="v1",
        fields=(
            *specs("RoleBinding ClusterRoleBinding", "subjects", group=_RBAC),
            *_of_pods("serviceAccountName", others="ReplicationController"),
        ),
    ),
    Referred(
        kind="PersistentVolumeClaim",
        version="v1",
        fields=_of_pods("volumes/persistentVolumeClaim/claimName", others="ReplicationController"),
    ),
    Referred(
        kind="PersistentVolume",
        version="v1",
        fields=(*specs("PersistentVolumeClaim", "spec/volumeName"), *specs("ClusterRole", "rules/resourceNames")),
    ),
    Referred(
        kind="StorageClass",
        version="v1",
        group="storage.k8s.io",
        fields=(
            *specs("PersistentVolume PersistentVolumeClaim", "spec/storageClassName"),
            *specs("StatefulSet", "spec/volumeClaimTemplates/spec/storageClassName"),
        ),
    ),
    Referred(
        kind="PriorityClass",
        version="v1",
        group="scheduling.k8s.io",
        fields=_of_pods("priorityClassName", others="ReplicationController"),
    ),
    Referred(
        kind="ValidatingAdmissionPolicy",
        group=_ADMISSION,
        fields=specs("ValidatingAdmissionPolicyBinding", "spec/policyName", group=_ADMISSION),
    ),
)


def add_hashes(resources: list[Resource]) -> None:
    """Gives every generated ConfigMap and Secret that wants one its suffix."""
    for each in resources:
        if each.hashed:
            each.rename(f"{each.name}-{content_hash(each)}", each.at)


def content_hash(resource: Resource) -> str:
    """The ten letters that kustomize takes of kind and data; the name in it is always empty."""
    body = resource.body
    found: dict[str, Any] = {"kind": resource.kind, "name": "", "data": plain(body.get("data", ""))}
    if resource.kind == "Secret":
        found["type"] = body.get("type", "")
    optional = "stringData" if resource.kind == "Secret" else "binaryData"
    if optional in body:
        found[optional] = plain(body[optional])
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    for letter, escape in _ESCAPES.items():
        text = text.replace(letter, escape)
    return hashlib.sha256(text.encode()).hexdigest()[:10].translate(_LETTERS)


def follow(resources: list[Resource], more: Iterable[Referred]) -> None:
    """Puts the names that resources have in the end into the fields that name them. Raises ``BadInput``."""
    for referrer in resources:
        for referred in (*BUILT_IN, *more):
            for spec in referred.fields:
                if spec.is_for(referrer):
                    _follow(referrer, spec, referred, resources)


def _follow(referrer: Resource, spec: FieldSpec, referred: Referred, resources: list[Resource]) -> None:
    def act(holder: Any, key: Any) -> None:
        value = holder[key]
        if isinstance(value, Seq):
            for index in range(len(value)):
                act(value, index)
        elif isinstance(value, Map):
            _mapping(value)
        elif isinstance(value, str):
            found = _meant(value, referrer, spec, referred, resources)
            if found is not None and found.name != value:
                holder[key] = found.name  # its place stays: there it is named

    def _mapping(value: Map) -> None:
        name = value.get("name")
        if not isinstance(name, str):
            return
        namespace = value.get("namespace")
        candidates = resources
        if namespace is not None:
            first = [each for each in resources if each.ids[0].namespace == namespace]
            candidates = first or [each for each in resources if each.id.namespace == namespace]
        found = _meant(name, referrer, spec, referred, candidates)
        if found is not None and (found.name != name or found.namespace):
            value["name"] = found.name
            if found.namespace:
                value["namespace"] = found.namespace

    visit(referrer, spec, act, NOWHERE)


def _meant(
    name: str, referrer: Resource, spec: FieldSpec, referred: Referred, candidates: list[Resource]
) -> Resource | None:
    """The resource that ``referrer`` means by ``name``; ``None`` for one that is not here, or was never renamed."""
    role = referrer.body.get("roleRef") if spec.path.endswith("roleRef/name") else None
    found = [
        each
        for each in candidates
        if any(one.name == name for one in each.previous)
        and any(_is_kind(one, referred) for one in each.previous)
        and (not isinstance(role, Map) or any(_is_role(one, role) for one in each.previous))
        and _near(each, referrer)
    ]
    if len(found) > 1:
        found = [each for each in found if _same_layers(each, referrer, True)]
    if len(found) > 1:
        found = [each for each in found if _same_layers(each, referrer, False)]
    if len({each.name for each in found}) > 1:
        names: str | Message = found[0].key
        for each in found[1:]:
            names = message("{first} or {second}", first=names, second=each.key)
        what = message("{resource}, {field} may mean {names}", resource=referrer.key, field=spec.path, names=names)
        where = f"{referrer.at[0]}:{referrer.at[1]}"
        raise BadInput(what, where=where, remedy="give the two resources different names")
    return found[0] if found else None


def _is_kind(one: Id, referred: Referred) -> bool:
    wanted = (referred.group, referred.version, referred.kind)
    return all(not want or want == have for want, have in zip(wanted, one[:3], strict=True))


def _is_role(one: Id, role: Map) -> bool:
    return (one.kind, one.group) == (role.get("kind", one.kind), role.get("apiGroup", one.group))


def _near(each: Resource, referrer: Resource) -> bool:
    """Whether the two are in one namespace, or one of them in none."""
    if CLUSTER_SCOPED & {each.kind, referrer.kind}:
        return True
    subjects = referrer.body.get("subjects", ()) if referrer.kind == "RoleBinding" else ()
    named = {one.get("namespace") for one in subjects if isinstance(one, Map)}
    return each.id.namespace == referrer.id.namespace or (each.kind == "ServiceAccount" and each.namespace in named)


def _same_layers(one: Resource, other: Resource, or_none: bool) -> bool:
    """Whether both went through the same prefixes and suffixes; with ``or_none``, none matches any."""
    return all(
        (or_none and (not mine or not theirs)) or _same_end(mine, theirs)
        for mine, theirs in ((one.prefixes, other.prefixes), (one.suffixes, other.suffixes))
    )


def _same_end(mine: list[str], theirs: list[str]) -> bool:
    """Whether the shorter list is the end of the longer."""
    shorter, longer = sorted((mine, theirs), key=len)
    return longer[len(longer) - len(shorter) :] == shorter
