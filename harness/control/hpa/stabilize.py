"""Recommendations held against those of the last minutes, so that a short dip or peak changes nothing."""

from __future__ import annotations

import msgspec

from harness.control.hpa.history import NS, History, Recommendation
from harness.model.autoscaling import Behavior


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


def without_behavior(history: History, desired: int, window_ns: int, now_ns: int) -> Stable:
    """``stabilizeRecommendation``: the highest recommendation of the window (5 minutes) stands."""
    recent = tuple(each for each in history.recommendations if each.at_ns >= now_ns - window_ns)
    highest = max((each.replicas for each in recent), default=desired)
    kept = msgspec.structs.replace(history, recommendations=(*recent, Recommendation(now_ns, desired)))
    return Stable(max(desired, highest), *_DOWN, kept)


def with_behavior(
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
