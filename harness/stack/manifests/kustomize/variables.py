"""``vars``: ``$(NAME)`` in a few fields stands for a field of a resource (an older word of kustomize)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from harness.base.errors import BadInput
from harness.model.message import message
from harness.stack.manifests.kustomize.fields import FieldSpec, specs, visit
from harness.stack.manifests.kustomize.form import Variable
from harness.stack.manifests.kustomize.replacements import split
from harness.stack.manifests.kustomize.resource import Id, Resource
from harness.stack.manifests.kustomize.tree import NOWHERE, Map, Place, Seq

_REFERENCE = re.compile(r"\$(?:(\$)|\(([^)]*)\))")
_OF_CONTAINERS = tuple(
    f"{containers}/{field}"
    for containers in ("containers", "initContainers")
    for field in ("args", "command", "env/value", "volumeMounts/mountPath")
)
_BELOW = (*_OF_CONTAINERS, "volumes/nfs/server")
BUILT_IN = (
    *specs("Pod", *(f"spec/{each}" for each in _BELOW)),
    *specs(
        "DaemonSet Deployment Job ReplicaSet StatefulSet",
        *(f"spec/template/spec/{each}" for each in _BELOW),
    ),
    *specs("CronJob", *(f"spec/jobTemplate/spec/template/spec/{each}" for each in _OF_CONTAINERS)),
    *specs("Deployment", "spec/template/metadata/annotations"),
    *specs("Ingress", "spec/rules/host", "spec/tls/hosts", "spec/tls/secretName"),
    *specs("Service", "spec/ports/port", "spec/ports/targetPort"),
    *specs("", "metadata/labels", "metadata/annotations"),
)


def claim(variables: Iterable[tuple[Variable, Place]], resources: list[Resource]) -> None:
    """Marks the resource that each variable reads, as it is called in the folder that declares it."""
    for variable, _place in variables:
        wanted = _wanted(variable)
        for each in resources:
            if any(_is(one, wanted) for one in each.ids):
                each.variables.append(variable.name)
                break


def resolve(variables: dict[str, tuple[Variable, Place]], resources: list[Resource], more: list[FieldSpec]) -> None:
    """Puts the values in. Raises ``BadInput`` for a variable that names nothing."""
    values = {name: _value(variable, place, resources) for name, (variable, place) in variables.items()}

    def replaced(text: str) -> Any:
        whole = _REFERENCE.fullmatch(text)
        if whole is not None and whole[2] in values:
            return values[whole[2]]
        return _REFERENCE.sub(
            lambda found: "$" if found[1] else _shown(values.get(found[2], found[0])),
            text,
        )

    def act(holder: Any, key: Any) -> None:
        value = holder[key]
        if isinstance(value, str):
            holder[key] = replaced(value)
        elif isinstance(value, Map):
            for name in value:
                if isinstance(value[name], str):
                    value[name] = replaced(value[name])
        elif isinstance(value, Seq):
            for index, each in enumerate(value):
                if isinstance(each, str):
                    value[index] = replaced(each)

    if values:
        for each in resources:
            for spec in (*BUILT_IN, *more):
                visit(each, spec, act, NOWHERE)


def _wanted(variable: Variable) -> Id:
    reference = variable.objref
    group, _, version = reference.api_version.rpartition("/")
    return Id(
        reference.group or group, reference.version or version, reference.kind, reference.namespace, reference.name
    )


def _is(one: Id, wanted: Id) -> bool:
    return one.name == wanted.name and one[:3] == wanted[:3] and wanted.namespace in ("", one.namespace)


def _value(variable: Variable, place: Place, resources: list[Resource]) -> Any:
    where = f"{place[0]}:{place[1]}, vars ({variable.name})"
    found = [each for each in resources if variable.name in each.variables]
    if not found:
        reads = f"{variable.objref.kind}/{variable.objref.name}"
        what = message("variable {name} reads {resource}, which is not there", name=variable.name, resource=reads)
        here = ", ".join(each.key for each in resources)
        raise BadInput(what, where=where, remedy=message("correct objref; there are: {names}", names=here))
    node: Any = found[0].body
    for part in _parts(variable.fieldref.fieldpath):
        if isinstance(node, Map) and part in node:
            node = node[part]
        elif isinstance(node, Seq) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        else:
            what = message("{resource} has no {path}", resource=found[0].key, path=variable.fieldref.fieldpath)
            raise BadInput(what, where=where, remedy="correct fieldref.fieldpath")
    if isinstance(node, (Map, Seq)):
        path = variable.fieldref.fieldpath
        what = message("{resource}, {path} is no single value", resource=found[0].key, path=path)
        raise BadInput(what, where=where, remedy="name a field that is text or a number")
    return node


def _parts(path: str) -> list[str]:
    """``spec.ports[0].port`` as its parts."""
    return [part for part in split(re.sub(r"\[([0-9]+)\]", r".\1", path)) if part]


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
