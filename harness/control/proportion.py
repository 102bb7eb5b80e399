"""A Deployment scaled in the middle of a replacement: its ReplicaSets grow or shrink in proportion.

Kubernetes: ``scale`` of pkg/controller/deployment/sync.go, so that scaling neither hastens nor undoes the replacement.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from harness.control.goint import int32
from harness.model.cluster import ReplicaSet

Sets = tuple[ReplicaSet, ...]


def scaled(sets: Sets, available: Mapping[str, int], newest: str, replicas: int, most: int) -> Sets:
    """``sets`` sized for a Deployment of ``replicas``, of which at most ``most`` pods may exist (with maxSurge).

    ``available`` has the available pods of each of ``sets``.

    One active set takes all; when the newest is as large as it should be and available, the old ones go; else all
    active sets share what is added or taken, the largest taking the rest that rounding leaves.
    """
    active = [each for each in sets if each.replicas > 0]
    if len(active) == 1:
        return _sized(sets, {active[0].revision: replicas}, replicas, most)
    new = next((each for each in sets if each.revision == newest), None)
    if new is not None and new.replicas == new.desired == replicas == available[newest]:
        return _sized(sets, {each.revision: 0 for each in active if each.revision != newest}, replicas, most)
    return _sized(sets, _shares(active, replicas, most), replicas, most)


def _shares(active: list[ReplicaSet], replicas: int, most: int) -> dict[str, int]:
    to_add = (most if replicas > 0 else 0) - sum(each.replicas for each in active)
    newer_first = sorted(active, key=lambda each: (each.created_ns, each.revision), reverse=to_add > 0)
    largest_first = sorted(newer_first, key=lambda each: -each.replicas)
    sizes, added = {}, 0
    for each in largest_first:
        share = _share(each, to_add - added, replicas, most)
        sizes[each.revision] = each.replicas + share
        added += share
    largest = largest_first[0].revision
    sizes[largest] = max(0, sizes[largest] + to_add - added)
    return sizes


def _share(replica_set: ReplicaSet, left: int, replicas: int, most: int) -> int:
    """``GetReplicaSetProportion``: no more than is ``left`` to add, or to take when negative."""
    if left == 0:
        return 0
    if replicas == 0:
        fraction = -replica_set.replicas
    else:
        size = replica_set.replicas * most / replica_set.most
        fraction = int32(math.floor(size + 0.5)) - replica_set.replicas  # ``RoundToInt32``: halves away from zero
    return min(fraction, left) if left > 0 else max(fraction, left)


def _sized(sets: Sets, sizes: Mapping[str, int], replicas: int, most: int) -> Sets:
    return tuple(
        msgspec.structs.replace(each, replicas=sizes[each.revision], desired=replicas, most=most)
        if each.revision in sizes
        else each
        for each in sets
    )
