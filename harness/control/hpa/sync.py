"""One reconciliation of an HPA (``reconcileAutoscaler``): from usage to the replicas to set."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.control.hpa import rates
from harness.control.hpa.grouping import Settings
from harness.control.hpa.history import NS, History, Recommendation, condition, stored
from harness.control.hpa.proposal import Readings, propose
from harness.control.hpa.replicas import ScaleInputs
from harness.model.autoscaling import Behavior, ConditionType, Hpa, ScaledPod, ScalingEvent

# Recommendations held against those of the last minutes, so that a short dip or peak changes nothing.


class Stable(msgspec.Struct, frozen=True):
    """The recommendation to follow, why when it is another, and the history with this one in it."""

    replicas: int
    reason: str
    message: str
    history: History


_UP = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
_DOWN = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)


def stabilized_without_behavior(history: History, desired: int, window_ns: int, now_ns: int) -> Stable:
    """``stabilizeRecommendation``: the highest recommendation of the window (5 minutes) stands."""
    recent = tuple(each for each in history.recommendations if each.at_ns >= now_ns - window_ns)
    highest = max((each.replicas for each in recent), default=desired)
    kept = msgspec.structs.replace(history, recommendations=(*recent, Recommendation(now_ns, desired)))
    return Stable(max(desired, highest), *_DOWN, kept)


def stabilized_with_behavior(
    history: History, behavior: Behavior, *, current: int, desired: int, window_ns: int, now_ns: int
) -> Stable:
    """``stabilizeRecommendationWithBehaviors``: ``current`` within the lowest and the highest of the windows.

    ``window_ns`` stands where ``behavior.scaleDown`` gives no ``stabilizationWindowSeconds``.
    """
    up_ns = (behavior.up.stabilization_s or 0) * NS
    # Kubernetes writes the controller's window into the HPA's field, in whole seconds.
    down_ns = behavior.down.stabilization_s * NS if behavior.down.stabilization_s is not None else window_ns // NS * NS
    ups = [each.replicas for each in history.recommendations if each.at_ns > now_ns - up_ns]
    downs = [each.replicas for each in history.recommendations if each.at_ns > now_ns - down_ns]
    lowest, highest = min([desired, *ups]), max([desired, *downs])
    replicas = min(max(current, lowest), highest)
    recent = tuple(each for each in history.recommendations if each.at_ns >= now_ns - max(up_ns, down_ns))
    kept = msgspec.structs.replace(history, recommendations=(*recent, Recommendation(now_ns, desired)))
    return Stable(replicas, *(_UP if desired >= current else _DOWN), kept)


class ScaleSubresource(msgspec.Struct, frozen=True):
    """The target's scale subresource: replicas asked for, and replicas its controller counts."""

    spec_replicas: int
    status_replicas: int


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What one reconciliation sees at ``now_ns``. ``pods`` are all of the target's selector, terminating ones too."""

    hpa: Hpa
    scale: ScaleSubresource
    pods: Sequence[ScaledPod]
    readings: Readings
    now_ns: int
    settings: Settings = Settings()


class ScaleOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """``replicas`` to set on the target, as before when ``rescale`` is false; ``history`` goes into the next call."""

    replicas: int
    rescale: bool
    reason: str
    metric_replicas: int | None  # what the metrics asked for; None when they were not asked or could not tell
    history: History
    events: tuple[ScalingEvent, ...]


class _Decision(msgspec.Struct, frozen=True):
    """Replicas before they are compared with what is there."""

    desired: int
    reason: str
    history: History
    events: tuple[ScalingEvent, ...] = ()
    metric_replicas: int | None = None


def sync(look: Look, history: History) -> ScaleOutcome:
    """The next replicas of the HPA's target, and the history to call this with the next time.

    The caller sets the replicas before it calls again: a change is remembered as having happened.
    """
    current, now_ns = look.scale.spec_replicas, look.now_ns
    if not history.recommendations:
        history = msgspec.structs.replace(history, recommendations=(Recommendation(now_ns, current),))
    got = ("SucceededGetScale", "the HPA controller was able to get the target's current scale")
    history = condition(history, now_ns, ConditionType.ABLE_TO_SCALE, True, got)
    return _apply(look, _decide(look, history))


def _decide(look: Look, history: History) -> _Decision:
    hpa, current, now_ns = look.hpa, look.scale.spec_replicas, look.now_ns
    if current == 0 and hpa.min_replicas != 0:
        off = ("ScalingDisabled", "scaling is disabled since the replica count of the target is zero")
        return _Decision(0, "", condition(history, now_ns, ConditionType.SCALING_ACTIVE, False, off))
    if current > hpa.max_replicas:
        return _Decision(hpa.max_replicas, "Current number of replicas above Spec.MaxReplicas", history)
    if current < hpa.min_replicas:
        return _Decision(hpa.min_replicas, "Current number of replicas below Spec.MinReplicas", history)
    verdict = propose(hpa, _ground(look), look.readings, look.scale.status_replicas)
    words = (verdict.reason, verdict.message)
    history = condition(history, now_ns, ConditionType.SCALING_ACTIVE, verdict.replicas is not None, words)
    if verdict.replicas is None:
        failed = ScalingEvent(warning=True, reason="FailedComputeMetricsReplicas", message=verdict.error)
        return _Decision(current, "", history, (*verdict.events, failed))
    wanted = max(verdict.replicas, 0)
    reason = "All metrics below target" if wanted < current else ""
    if wanted > current:
        reason = f"{verdict.metric} above target"
    desired, history = _limited(look, history, wanted)
    return _Decision(desired, reason, history, verdict.events, verdict.replicas)


def _limited(look: Look, history: History, wanted: int) -> tuple[int, History]:
    """``normalizeDesiredReplicas`` and the one with behaviors: stabilization first, then speed and range."""
    hpa, current, now_ns = look.hpa, look.scale.spec_replicas, look.now_ns
    window_ns = look.settings.downscale_stabilization_ns
    if hpa.behavior is None:
        stable = stabilized_without_behavior(history, wanted, window_ns, now_ns)
        limited = rates.without_behavior(hpa, current, stable.replicas)
    else:
        stable = stabilized_with_behavior(
            history, hpa.behavior, current=current, desired=wanted, window_ns=window_ns, now_ns=now_ns
        )
        limited = rates.with_behavior(
            hpa, hpa.behavior, history, current=current, desired=stable.replicas, now_ns=now_ns
        )
    same = ("ReadyForNewScale", "recommended size matches current size")
    able = same if stable.replicas == wanted else (stable.reason, stable.message)
    history = condition(stable.history, now_ns, ConditionType.ABLE_TO_SCALE, True, able)
    is_limited = limited.replicas != stable.replicas
    why = (limited.reason, limited.message)
    history = condition(history, now_ns, ConditionType.SCALING_LIMITED, is_limited, why)
    return limited.replicas, history


def _apply(look: Look, decision: _Decision) -> ScaleOutcome:
    current, now_ns = look.scale.spec_replicas, look.now_ns
    desired, history, events = decision.desired, decision.history, decision.events
    rescale = desired != current
    if rescale:
        able = ("SucceededRescale", f"the HPA controller was able to update the target scale to {desired}")
        history = condition(history, now_ns, ConditionType.ABLE_TO_SCALE, True, able)
        message = f"New size: {desired}; reason: {decision.reason}"
        events = (*events, ScalingEvent(warning=False, reason="SuccessfulRescale", message=message))
        if look.hpa.behavior is not None:
            history = stored(history, look.hpa.behavior, current, desired, now_ns)
        history = msgspec.structs.replace(history, last_scale_ns=now_ns)
    return ScaleOutcome(
        replicas=desired,
        rescale=rescale,
        reason=decision.reason,
        metric_replicas=decision.metric_replicas,
        history=history,
        events=events,
    )


def _ground(look: Look) -> ScaleInputs:
    return ScaleInputs(current=look.scale.spec_replicas, pods=look.pods, settings=look.settings, now_ns=look.now_ns)
