"""Pods and ReplicaSets as the control-plane rules see them. Times are nanoseconds of one clock."""

from __future__ import annotations

import msgspec


class PodView(msgspec.Struct, frozen=True, kw_only=True):
    """One pod of the Deployment. ``revision`` is its pod template's digest.

    ``restarts`` is the highest restart count of its regular containers, ``sidecar_restarts`` of its restartable init
    containers. ``deletion_cost`` is the annotation ``controller.kubernetes.io/pod-deletion-cost``.
    """

    name: str
    revision: str
    created_ns: int
    ready: bool = False
    ready_since_ns: int | None = None
    scheduled: bool = True
    running: bool = True
    terminating: bool = False
    restarts: int = 0
    sidecar_restarts: int = 0
    deletion_cost: int = 0
    node: str = ""


class ReplicaSet(msgspec.Struct, frozen=True, kw_only=True):
    """A ReplicaSet of the Deployment. ``replicas`` is what its spec asks for.

    ``desired`` and ``most`` are the annotations deployment.kubernetes.io/desired-replicas and max-replicas: the
    Deployment's replicas, and replicas + maxSurge, when this set was last sized.
    """

    revision: str
    created_ns: int
    replicas: int
    desired: int
    most: int
