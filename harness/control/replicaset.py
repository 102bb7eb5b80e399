"""Which pods a ReplicaSet gives up first (pkg/controller/controller_utils.go, ``ActivePodsWithRanks``).

Left out because ``PodView`` cannot tell: the ``pod-deletion-cost`` annotation (rule 4; the document sets none) and how
many pods share a node (rule 5; ``local`` and ``sim`` have one node each). ``running`` stands for the phase: Pending
and Unknown are one. The UID, which is random, is the pod's name here, so that the order repeats.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cmp_to_key

from harness.model.cluster import PodView


def victims(pods: Iterable[PodView], count: int, now_ns: int) -> tuple[str, ...]:
    """Names of the ``count`` pods that a scale-down deletes, the first to go first; terminating pods are no choice.

    Kubernetes: unassigned before assigned, pending before running, not ready before ready, then the ones ready for
    less time, with more restarts, and newer; times are compared by powers of two (``LogarithmicScaleDown``).
    """
    # Kubernetes' comparison is no total order (equal times fall to a later rule, near ones to the UID): sorting by
    # name first makes the answer independent of the order in which the pods came.
    active = sorted((pod for pod in pods if not pod.terminating), key=lambda pod: pod.name)
    active.sort(key=cmp_to_key(lambda one, other: _compare(one, other, now_ns)))
    return tuple(pod.name for pod in active[: max(0, count)])


def _compare(one: PodView, other: PodView, now_ns: int) -> int:
    """Negative when ``one`` goes before ``other``."""
    for left, right in ((one.scheduled, other.scheduled), (one.running, other.running), (one.ready, other.ready)):
        if left != right:
            return -1 if not left else 1
    if one.ready and one.ready_since_ns != other.ready_since_ns:
        return _younger_first(one, one.ready_since_ns, other, other.ready_since_ns, now_ns)
    if one.restarts != other.restarts:
        return other.restarts - one.restarts
    if one.created_ns != other.created_ns:
        return _younger_first(one, one.created_ns, other, other.created_ns, now_ns)
    return 0


def _younger_first(one: PodView, one_ns: int | None, other: PodView, other_ns: int | None, now_ns: int) -> int:
    """``afterOrZero`` for an unknown time, ``logarithmicRankDiff`` for known ones."""
    if one_ns is None or other_ns is None:
        return -1 if one_ns is None else 1
    difference = _rank(now_ns - one_ns) - _rank(now_ns - other_ns)
    if difference:
        return difference
    return -1 if one.name < other.name else 1


def _rank(age_ns: int) -> int:
    """The whole part of log2 of an age; -1 when it has none."""
    return age_ns.bit_length() - 1 if age_ns > 0 else -1
