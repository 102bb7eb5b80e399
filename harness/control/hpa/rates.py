"""How far one reconciliation may go: the range, and the speed that ``behavior`` or the older rule allows."""

from __future__ import annotations

import math

import msgspec

from harness.control.goint import int32
from harness.control.hpa.history import History, ScaleChange, changed
from harness.model.autoscaling import Behavior, Hpa, PolicyKind, ScalingPolicy, ScalingRules, SelectPolicy


class Limited(msgspec.Struct, frozen=True):
    """Replicas after the limits, with the reason and message of the condition ScalingLimited."""

    replicas: int
    reason: str
    message: str


_TOO_FAST_UP = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
_TOO_FAST_DOWN = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
_TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
_TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
_WITHIN = ("DesiredWithinRange", "the desired count is within the acceptable range")


def without_behavior(hpa: Hpa, current: int, desired: int) -> Limited:
    """``convertDesiredReplicasWithRules``: at most twice as many at a time, or 4; down as far as the minimum."""
    speed = max(2 * current, 4)
    most, why = (speed, _TOO_FAST_UP) if hpa.max_replicas > speed else (hpa.max_replicas, _TOO_MANY)
    if desired < hpa.min_replicas:
        return Limited(hpa.min_replicas, *_TOO_FEW)
    if desired > most:
        return Limited(most, *why)
    return Limited(desired, *_WITHIN)


def with_behavior(
    hpa: Hpa, behavior: Behavior, history: History, *, current: int, desired: int, now_ns: int
) -> Limited:
    """``convertDesiredReplicasWithBehaviorRate``: the policies of the direction, then the range."""
    if desired > current:
        speed = max(current, up_limit(behavior.up, history.ups, history.downs, current, now_ns))
        most, why = (speed, _TOO_FAST_UP) if hpa.max_replicas > speed else (hpa.max_replicas, _TOO_MANY)
        if desired > most:
            return Limited(most, *why)
    elif desired < current:
        speed = min(current, down_limit(behavior.down, history.ups, history.downs, current, now_ns))
        least, why = (speed, _TOO_FAST_DOWN) if hpa.min_replicas < speed else (hpa.min_replicas, _TOO_FEW)
        if desired < least:
            return Limited(least, *why)
    return Limited(desired, *_WITHIN)


def up_limit(
    rules: ScalingRules, ups: tuple[ScaleChange, ...], downs: tuple[ScaleChange, ...], current: int, now_ns: int
) -> int:
    """``calculateScaleUpLimitWithScalingRules``: a percentage is rounded up, so that small counts can grow."""
    if rules.select is SelectPolicy.DISABLED:
        return current
    allowed = []
    for policy in rules.policies:
        begin = _at_begin(policy, ups, downs, current, now_ns)
        more = policy.value if policy.kind is PolicyKind.PODS else None
        allowed.append(begin + more if more is not None else int32(math.ceil(begin * (1 + policy.value / 100))))
    return min(allowed) if rules.select is SelectPolicy.MIN else max(allowed)


def down_limit(
    rules: ScalingRules, ups: tuple[ScaleChange, ...], downs: tuple[ScaleChange, ...], current: int, now_ns: int
) -> int:
    """``calculateScaleDownLimitWithBehaviors``: a percentage is cut, which lets one more pod go."""
    if rules.select is SelectPolicy.DISABLED:
        return current
    allowed = []
    for policy in rules.policies:
        begin = _at_begin(policy, ups, downs, current, now_ns)
        fewer = policy.value if policy.kind is PolicyKind.PODS else None
        allowed.append(begin - fewer if fewer is not None else int32(begin * (1 - policy.value / 100)))
    return max(allowed) if rules.select is SelectPolicy.MIN else min(allowed)


def _at_begin(
    policy: ScalingPolicy, ups: tuple[ScaleChange, ...], downs: tuple[ScaleChange, ...], current: int, now_ns: int
) -> int:
    """How many replicas there were when the policy's period began."""
    return current - changed(ups, policy.period_s, now_ns) + changed(downs, policy.period_s, now_ns)
