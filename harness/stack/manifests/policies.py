"""Reads a HorizontalPodAutoscaler and a PodDisruptionBudget, with the API server's defaults and refusals."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TypeVar

import msgspec

from harness.base.errors import BadInput
from harness.base.message import said_by
from harness.model.autoscaling import (
    DEFAULT_DOWN,
    DEFAULT_UP,
    Behavior,
    Hpa,
    MetricKind,
    MetricSpec,
    PolicyKind,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
)
from harness.model.disruption import Budget, UnhealthyPodEviction
from harness.model.message import message
from harness.stack.manifests import quantity, spec

MAX_PERIOD_S = 1800
MAX_WINDOW_S = 3600

E = TypeVar("E", bound=StrEnum)


def hpa(name: str, given: spec.HpaSpec, where: str) -> Hpa:
    """The autoscaler ``given``. Raises ``BadInput`` naming the key. ``where`` is the place of its spec."""
    if not 0 < given.min_replicas <= given.max_replicas:
        least, most = str(given.min_replicas), str(given.max_replicas)
        what = message("minReplicas {least}, maxReplicas {most}", least=least, most=most)
        raise BadInput(what, where=where, remedy="0 < minReplicas <= maxReplicas")
    metrics = tuple(_metric(each, f"{where}.metrics[{index}]") for index, each in enumerate(given.metrics))
    if given.target_cpu is not None and not metrics:
        metrics = (MetricSpec(kind=MetricKind.RESOURCE, name="cpu", average_utilization=given.target_cpu),)
        _target(metrics[0], f"{where}.targetCPUUtilizationPercentage")
    found = Hpa(
        name=name,
        min_replicas=given.min_replicas,
        max_replicas=given.max_replicas,
        behavior=_behavior(given.behavior, f"{where}.behavior"),
    )
    return msgspec.structs.replace(found, metrics=metrics) if metrics else found


def budget(name: str, given: spec.PdbSpec, where: str) -> Budget:
    """The budget ``given``; raises ``BadInput``."""
    if given.min_available is not None and given.max_unavailable is not None:
        raise BadInput("a PDB has either minAvailable or maxUnavailable", where=where, remedy="give one of the two")
    for key, value in (("minAvailable", given.min_available), ("maxUnavailable", given.max_unavailable)):
        good = value is None or (value >= 0 if isinstance(value, int) else re.fullmatch(r"[0-9]{1,2}%|100%", value))
        if not good:
            what = message("{key} is {value}", key=key, value=repr(value))
            raise BadInput(what, where=where, remedy="write a number or a percentage, e.g. 1 or '50%'")
    policy = given.unhealthy_pod_eviction_policy
    return Budget(
        name=name,
        min_available=given.min_available,
        max_unavailable=given.max_unavailable,
        unhealthy=_one_of(UnhealthyPodEviction, policy, f"{where}.unhealthyPodEvictionPolicy"),
    )


def _metric(given: spec.MetricSpec, where: str) -> MetricSpec:
    kind = _one_of(MetricKind, given.type, f"{where}.type")
    key = kind.value[0].lower() + kind.value[1:]
    attribute = "container_resource" if kind is MetricKind.CONTAINER_RESOURCE else key
    source: spec.MetricSource | None = getattr(given, attribute)
    if source is None:
        what = message("a metric of type {kind} without {key}", kind=kind.value, key=key)
        raise BadInput(what, where=where, remedy=message("add {key}", key=key))
    target = source.target
    found = MetricSpec(
        kind=kind,
        name=source.metric.name if source.metric is not None else source.name,
        container=source.container,
        average_utilization=target.average_utilization,
        average_value_m=_milli(target.average_value, f"{where}.{key}.target.averageValue"),
        value_m=_milli(target.value, f"{where}.{key}.target.value"),
    )
    _target(found, f"{where}.{key}.target")
    return found


def _target(metric: MetricSpec, where: str) -> None:
    """One target, above 0, that the kind of metric can have."""
    resource = metric.kind in (MetricKind.RESOURCE, MetricKind.CONTAINER_RESOURCE)
    allowed = {
        "averageUtilization": metric.average_utilization if resource else None,
        "averageValue": metric.average_value_m,
        "value": metric.value_m if metric.kind in (MetricKind.OBJECT, MetricKind.EXTERNAL) else None,
    }
    given = [
        value for value in (metric.average_utilization, metric.average_value_m, metric.value_m) if value is not None
    ]
    if len(given) != 1 or given != [value for value in allowed.values() if value is not None] or given[0] <= 0:
        remedy = (
            "give one of averageUtilization or averageValue, above 0"
            if resource
            else "give one of averageValue or value, above 0"
        )
        raise BadInput(message("the target of {metric} fits no metric", metric=metric.name), where=where, remedy=remedy)


def _behavior(given: spec.Behavior | None, where: str) -> Behavior | None:
    if given is None:
        return None
    return Behavior(
        up=_rules(given.scale_up, DEFAULT_UP, f"{where}.scaleUp"),
        down=_rules(given.scale_down, DEFAULT_DOWN, f"{where}.scaleDown"),
    )


def _rules(given: spec.ScalingRules | None, default: ScalingRules, where: str) -> ScalingRules:
    if given is None:
        return default
    window_s = given.stabilization_window_seconds
    if window_s is not None and not 0 <= window_s <= MAX_WINDOW_S:
        what = message("{key} is {value}", key="stabilizationWindowSeconds", value=str(window_s))
        raise BadInput(what, where=where, remedy=message("it must be 0 to {most}", most=str(MAX_WINDOW_S)))
    policies = default.policies
    if given.policies is not None:
        policies = tuple(_policy(each, f"{where}.policies[{index}]") for index, each in enumerate(given.policies))
    if not policies:
        raise BadInput("no policies", where=where, remedy="list one, or leave policies out for the defaults")
    tolerance = _milli(given.tolerance, f"{where}.tolerance")
    return ScalingRules(
        policies=policies,
        select=_one_of(SelectPolicy, given.select_policy or default.select.value, f"{where}.selectPolicy"),
        stabilization_s=default.stabilization_s if window_s is None else window_s,
        tolerance=None if tolerance is None else tolerance / 1000,
    )


def _policy(given: spec.ScalingPolicy, where: str) -> ScalingPolicy:
    kind = _one_of(PolicyKind, given.type, f"{where}.type")
    if given.value <= 0 or not 0 < given.period_seconds <= MAX_PERIOD_S:
        what = message(
            "value {value}, periodSeconds {period}", value=str(given.value), period=str(given.period_seconds)
        )
        remedy = message("value above 0, periodSeconds 1 to {most}", most=str(MAX_PERIOD_S))
        raise BadInput(what, where=where, remedy=remedy)
    return ScalingPolicy(kind=kind, value=given.value, period_s=given.period_seconds)


def _milli(value: str | float | None, where: str) -> int | None:
    if value is None:
        return None
    try:
        return quantity.millicores(value)
    except ValueError as error:
        raise BadInput(said_by(error), where=where, remedy="e.g. '500m' or '100Mi'") from error


def _one_of(words: type[E], value: str, where: str) -> E:
    try:
        return words(value)
    except ValueError as error:
        known = ", ".join(word.value for word in words)
        raise BadInput(
            message("{value} is not known", value=repr(value)),
            where=where,
            remedy=message("one of {values}", values=known),
        ) from error
