"""What the controller remembers of one HPA: recommendations, changes that happened, conditions.

Kubernetes overwrites one outdated entry a time; here all outdated ones are dropped. That differs only when an edited
HPA lengthens a window or a period, where Kubernetes still knows some of what had run out.
"""

from __future__ import annotations

import msgspec

from harness.model.autoscaling import Behavior, Condition, ConditionType

NS = 10**9


class Recommendation(msgspec.Struct, frozen=True):
    """What the metrics asked for, before any limit."""

    at_ns: int
    replicas: int


class Change(msgspec.Struct, frozen=True):
    """By how many replicas the target was scaled."""

    at_ns: int
    replicas: int


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Empty at first, and lost when the controller restarts, as in Kubernetes."""

    recommendations: tuple[Recommendation, ...] = ()
    ups: tuple[Change, ...] = ()
    downs: tuple[Change, ...] = ()
    conditions: tuple[Condition, ...] = ()
    last_scale_ns: int | None = None


def condition(history: History, now_ns: int, type_: ConditionType, ok: bool, words: tuple[str, str]) -> History:
    """``setCondition``: replaces the condition of that type; its time stays while its status does.

    ``words`` are its reason and its message.
    """
    before = {each.type: each for each in history.conditions}
    known = before.get(type_)
    since_ns = known.since_ns if known is not None and known.ok == ok else now_ns
    before[type_] = Condition(type=type_, ok=ok, reason=words[0], message=words[1], since_ns=since_ns)
    return msgspec.structs.replace(history, conditions=tuple(before.values()))


def changed(changes: tuple[Change, ...], period_s: int, now_ns: int) -> int:
    """``getReplicasChangePerPeriod``: replicas changed within the last ``period_s``, its beginning left out."""
    return sum(change.replicas for change in changes if change.at_ns > now_ns - period_s * NS)


def stored(history: History, behavior: Behavior, before: int, after: int, now_ns: int) -> History:
    """``storeScaleEvent``: remembers a change that happened as long as the longest policy of its direction asks."""
    rules, kept = (behavior.up, history.ups) if after > before else (behavior.down, history.downs)
    longest_s = max((policy.period_s for policy in rules.policies), default=0)
    recent = tuple(change for change in kept if change.at_ns >= now_ns - longest_s * NS)
    changes = (*recent, Change(now_ns, abs(after - before)))
    if after > before:
        return msgspec.structs.replace(history, ups=changes)
    return msgspec.structs.replace(history, downs=changes)
