"""What the controller remembers of one HPA: recommendations, changes that happened, conditions.

Of recommendations all outdated ones are dropped, where Kubernetes overwrites one a time. That differs only when an
edited HPA lengthens a window, where Kubernetes still knows some of what had run out. Changes are overwritten as there:
one that the policies of its own direction are done with still counts for a longer policy of the other.
"""

from __future__ import annotations

import msgspec

from harness.model.autoscaling import Behavior, ConditionType, HpaCondition

NS = 10**9


class Recommendation(msgspec.Struct, frozen=True):
    """What the metrics asked for, before any limit."""

    at_ns: int
    replicas: int


class ScaleChange(msgspec.Struct, frozen=True):
    """By how many replicas the target was scaled."""

    at_ns: int
    replicas: int


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Empty at first, and lost when the controller restarts, as in Kubernetes."""

    recommendations: tuple[Recommendation, ...] = ()
    ups: tuple[ScaleChange, ...] = ()
    downs: tuple[ScaleChange, ...] = ()
    conditions: tuple[HpaCondition, ...] = ()
    last_scale_ns: int | None = None


def condition(history: History, now_ns: int, type_: ConditionType, ok: bool, words: tuple[str, str]) -> History:
    """``setCondition``: replaces the condition of that type; its time stays while its status does.

    ``words`` are its reason and its message.
    """
    before = {each.type: each for each in history.conditions}
    known = before.get(type_)
    since_ns = known.since_ns if known is not None and known.ok == ok else now_ns
    before[type_] = HpaCondition(type=type_, ok=ok, reason=words[0], message=words[1], since_ns=since_ns)
    return msgspec.structs.replace(history, conditions=tuple(before.values()))


def changed(changes: tuple[ScaleChange, ...], period_s: int, now_ns: int) -> int:
    """``getReplicasChangePerPeriod``: replicas changed within the last ``period_s``, its beginning left out."""
    return sum(change.replicas for change in changes if change.at_ns > now_ns - period_s * NS)


def stored(history: History, behavior: Behavior, before: int, after: int, now_ns: int) -> History:
    """``storeScaleEvent``: remembers a change that happened, in the place of one that is older than the longest policy
    of its direction asks for, the last such in the list (``markScaleEventsOutdated``), or behind all.
    """
    rules, kept = (behavior.up, history.ups) if after > before else (behavior.down, history.downs)
    longest_s = max((policy.period_s for policy in rules.policies), default=0)
    new = ScaleChange(now_ns, abs(after - before))
    outdated = [at for at, change in enumerate(kept) if change.at_ns < now_ns - longest_s * NS]
    changes = (*kept[: outdated[-1]], new, *kept[outdated[-1] + 1 :]) if outdated else (*kept, new)
    if after > before:
        return msgspec.structs.replace(history, ups=changes)
    return msgspec.structs.replace(history, downs=changes)
