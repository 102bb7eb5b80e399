"""Reads a Deployment's pod template: containers, probes, resources, and where each variable comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from harness.base.errors import BadInput
from harness.base.message import said_by
from harness.model.manifests import Container, EnvVar, PodTemplate, Probe
from harness.model.message import gettext_noop, message
from harness.stack.database.sidecar import ACCEPT, DRAIN
from harness.stack.manifests import digest, quantity, spec
from harness.stack.manifests.forced.work import ROOT_CERTIFICATES, is_proxy


class Sources:
    """The ConfigMaps and Secrets of the folder, as data by name."""

    def __init__(
        self,
        config_maps: dict[str, dict[str, str]],
        secrets: dict[str, dict[str, str]],
        plain: dict[str, dict[str, str]],
    ) -> None:
        """``plain`` are the Secrets' values as text, as far as they are text."""
        self.config_maps = config_maps
        self.secrets = secrets
        self._plain = plain

    def plain(self, source: str) -> str:
        """The text of ``secret:<name>/<key>``; "" where there is none."""
        name, _, key = source.removeprefix("secret:").partition("/")
        return self._plain.get(name, {}).get(key, "") if source.startswith("secret:") else ""

    def value(self, kind: str, ref: spec.KeyRef, where: str) -> EnvVar | None:
        """The variable a key reference stands for, without its name; ``None`` for an optional one that is absent."""
        maps = self.config_maps if kind == "ConfigMap" else self.secrets
        if ref.name in maps and ref.key in maps[ref.name]:
            value = maps[ref.name][ref.key] if kind == "ConfigMap" else ""
            return EnvVar(name="", value=value, source=f"{kind.lower()}:{ref.name}/{ref.key}")
        if ref.optional:
            return None
        if ref.name in maps:
            what = message("{kind} {name} has no key {key}", kind=kind, name=repr(ref.name), key=repr(ref.key))
            keys = ", ".join(maps[ref.name]) or message("none")
            raise BadInput(what, where=where, remedy=message("its keys: {keys}", keys=keys))
        raise _absent(kind, ref.name, maps, where)

    def whole(self, kind: str, ref: spec.NameRef, where: str) -> dict[str, str]:
        """All data of one ConfigMap or Secret (a Secret's values are left out)."""
        maps = self.config_maps if kind == "ConfigMap" else self.secrets
        if ref.name not in maps:
            if ref.optional:
                return {}
            raise _absent(kind, ref.name, maps, where)
        return {key: value if kind == "ConfigMap" else "" for key, value in maps[ref.name].items()}


def _absent(kind: str, name: str, here: Iterable[str], where: str) -> BadInput:
    what = message("{kind} {name} is not among the manifests", kind=kind, name=repr(name))
    names = ", ".join(here) or message("none")
    return BadInput(what, where=where, remedy=message("{kind}s here: {names}", kind=kind, names=names))


def template(raw: dict[str, Any], pod: spec.PodSpec, sources: Sources, where: str) -> PodTemplate:
    """The pod template ``pod`` with its references resolved; ``BadInput`` names what dangles or makes no sense."""
    _volumes(pod, sources, where)
    if not pod.containers:
        raise BadInput("a pod without containers", where=where, remedy="list at least one container")
    containers = tuple(
        _container(each, sources, f"{where}.containers[{index}] ({each.name})")
        for index, each in enumerate(pod.containers)
    ) + tuple(
        _native_sidecar(each, sources, f"{where}.initContainers[{index}] ({each.name})")
        for index, each in enumerate(pod.init_containers)
        if each.restart_policy == "Always"  # one that ends is the kubelet's affair; ``honour`` says so
    )
    if len({each.name for each in containers}) != len(containers):
        raise BadInput("two containers have one name", where=f"{where}.containers", remedy="give each its own")
    return PodTemplate(
        digest=digest.of(raw), containers=containers, termination_grace_s=pod.termination_grace_period_seconds
    )


def _volumes(pod: spec.PodSpec, sources: Sources, where: str) -> None:
    for volume in pod.volumes:
        if volume.config_map is not None and volume.config_map.name != ROOT_CERTIFICATES:
            sources.whole("ConfigMap", volume.config_map, f"{where}.volumes ({volume.name})")
        if volume.secret is not None:
            ref = spec.NameRef(name=volume.secret.secret_name, optional=volume.secret.optional)
            sources.whole("Secret", ref, f"{where}.volumes ({volume.name})")
    names = [volume.name for volume in pod.volumes]
    for container in pod.containers:
        for mount in container.volume_mounts:
            if mount.name not in names:
                raise BadInput(
                    message("volumeMount {name} names no volume", name=repr(mount.name)),
                    where=f"{where}.containers ({container.name})",
                    remedy=message("volumes here: {names}", names=", ".join(names) or message("none")),
                )


def _native_sidecar(container: spec.ContainerSpec, sources: Sources, where: str) -> Container:
    """Kubernetes: an init container with ``restartPolicy: Always`` starts before the others and ends after them."""
    return msgspec.structs.replace(_container(container, sources, where), native_sidecar=True)


def _pre_stop_s(lifecycle: spec.LifecycleYaml | None, where: str) -> float:
    if lifecycle is None or lifecycle.pre_stop is None:
        return 0
    if lifecycle.pre_stop.sleep is None:
        if lifecycle.pre_stop.exec or lifecycle.pre_stop.http_get:
            return 0  # the kubelet's affair, as above
        raise BadInput(
            "a preStop that does nothing", where=where, remedy=gettext_noop("write preStop: {sleep: {seconds: 5}}")
        )
    return lifecycle.pre_stop.sleep.seconds


def _container(container: spec.ContainerSpec, sources: Sources, where: str) -> Container:
    for name, amounts in (("requests", container.resources.requests), ("limits", container.resources.limits)):
        for key in amounts:
            _amount(amounts, key, quantity.whole_bytes, f"{where}.resources.{name}")
    requests = container.resources.limits | container.resources.requests  # a missing request is the limit
    limits = container.resources.limits
    numbers = {
        "request_cpu_m": _amount(requests, "cpu", quantity.millicores, where),
        "request_memory_bytes": _amount(requests, "memory", quantity.whole_bytes, where),
        "limit_cpu_m": _amount(limits, "cpu", quantity.millicores, where),
        "limit_memory_bytes": _amount(limits, "memory", quantity.whole_bytes, where),
    }
    for kind in ("cpu_m", "memory_bytes"):
        request, limit = numbers[f"request_{kind}"], numbers[f"limit_{kind}"]
        if request is not None and limit is not None and request > limit:
            what = message("the request of {resource} is above its limit", resource=kind.split("_")[0])
            raise BadInput(what, where=f"{where}.resources", remedy="lower the request or raise the limit")
    env = _environment(container, sources, where)
    return Container(
        name=container.name,
        image=container.image,
        args=tuple(container.args),
        env=env,
        secrets={each.name: text for each in env if (text := sources.plain(each.source))},
        proxy=is_proxy({"image": container.image}),
        accepts_s=_seconds(env, ACCEPT),
        drain_s=_seconds(env, DRAIN),
        port=container.ports[0].container_port if container.ports else None,
        pre_stop_s=_pre_stop_s(container.lifecycle, f"{where}.lifecycle"),
        liveness=_probe(container.liveness_probe, container, f"{where}.livenessProbe"),
        readiness=_probe(container.readiness_probe, container, f"{where}.readinessProbe"),
        startup=_probe(container.startup_probe, container, f"{where}.startupProbe"),
        request_cpu_m=numbers["request_cpu_m"],
        request_memory_bytes=numbers["request_memory_bytes"],
        limit_cpu_m=numbers["limit_cpu_m"],
        limit_memory_bytes=numbers["limit_memory_bytes"],
    )


def _seconds(env: tuple[EnvVar, ...], name: str) -> float:
    return next((float(each.value) for each in env if each.name == name), 0.0)


def _amount(
    amounts: dict[str, str | int | float], key: str, read: Callable[[str | float], int], where: str
) -> int | None:
    if key not in amounts:
        return None
    try:
        return read(amounts[key])
    except ValueError as error:
        example = "'500m'" if key == "cpu" else "'512Mi'"
        raise BadInput(
            said_by(error), where=f"{where}.{key}", remedy=message("e.g. {example}", example=example)
        ) from error


def _environment(container: spec.ContainerSpec, sources: Sources, where: str) -> tuple[EnvVar, ...]:
    found: dict[str, EnvVar] = {}
    for each in container.env_from:
        for kind, ref in (("ConfigMap", each.config_map_ref), ("Secret", each.secret_ref)):
            if ref is not None:
                for key, value in sources.whole(kind, ref, f"{where}.envFrom").items():
                    name = each.prefix + key
                    found[name] = EnvVar(name=name, value=value, source=f"{kind.lower()}:{ref.name}/{key}")
    for variable in container.env:
        resolved = _variable(variable, sources, f"{where}.env ({variable.name})")
        if resolved is not None:
            found[variable.name] = resolved  # as in Kubernetes, env wins over envFrom and the last of a name wins
    return tuple(found.values())


def _variable(variable: spec.EnvSpec, sources: Sources, where: str) -> EnvVar | None:
    source = variable.value_from
    if source is None:
        return EnvVar(name=variable.name, value=variable.value or "", source="value")
    if variable.value:
        raise BadInput("a variable has value and valueFrom", where=where, remedy="keep one")
    if source.field_ref is not None:
        return EnvVar(name=variable.name, value="", source=f"field:{source.field_ref.field_path}")
    if source.resource_field_ref is not None:
        return EnvVar(name=variable.name, value="", source=f"field:{source.resource_field_ref.resource}")
    for kind, ref in (("ConfigMap", source.config_map_key_ref), ("Secret", source.secret_key_ref)):
        if ref is not None:
            found = sources.value(kind, ref, where)
            return None if found is None else EnvVar(name=variable.name, value=found.value, source=found.source)
    what = "valueFrom is none of configMapKeyRef, secretKeyRef, fieldRef, resourceFieldRef"
    raise BadInput(what, where=where, remedy="use one of these")


def port_number(port: spec.Port, ports: list[spec.ContainerPort], where: str) -> int:
    """A port by number or by the name of a container port."""
    if isinstance(port, int):
        if not 1 <= port <= 65535:
            what = message("port {port} is outside 1..65535", port=str(port))
            raise BadInput(what, where=where, remedy="name a container port")
        return port
    for each in ports:
        if each.name == port:
            return each.container_port
    names = ", ".join(each.name for each in ports if each.name) or message("none")
    what = message("port {port} is no named container port", port=repr(port))
    raise BadInput(what, where=where, remedy=message("named ports: {names}", names=names))


def _probe(probe: spec.ProbeSpec | None, container: spec.ContainerSpec, where: str) -> Probe | None:
    if probe is None:
        return None
    if probe.http_get is None:
        if probe.exec or probe.tcp_socket or probe.grpc:
            return None  # the kubelet's affair; a rung without one says that it does not probe (``honour``)
        raise BadInput("a probe that asks nothing", where=where, remedy="write httpGet with path and port")
    given = {
        "initialDelaySeconds": probe.initial_delay_seconds,
        "periodSeconds": probe.period_seconds,
        "timeoutSeconds": probe.timeout_seconds,
        "successThreshold": probe.success_threshold,
        "failureThreshold": probe.failure_threshold,
    }
    for name, value in given.items():
        if value < 0:
            what = message("{key} is {value}", key=name, value=str(value))
            raise BadInput(what, where=where, remedy=message("it must be at least {least}", least="0"))
    success = probe.success_threshold or 1  # 0 is as if nothing were said (``SetDefaults_Probe``)
    if where.endswith(("livenessProbe", "startupProbe")) and success != 1:
        kind = "liveness" if where.endswith("livenessProbe") else "startup"
        what = message("successThreshold of a {kind} probe must be 1", kind=kind)
        raise BadInput(what, where=where, remedy="remove it")
    return Probe(
        path=probe.http_get.path,
        port=port_number(probe.http_get.port, container.ports, f"{where}.httpGet.port"),
        initial_delay_s=probe.initial_delay_seconds,
        period_s=probe.period_seconds or 10,
        timeout_s=probe.timeout_seconds or 1,
        success_threshold=success,
        failure_threshold=probe.failure_threshold or 3,
    )
