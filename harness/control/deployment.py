"""Deployment and ReplicaSet controllers together: from pods to what to do with them, one step at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from harness.control.replicaset import manage
from harness.control.rollout import available, complete, settle
from harness.model.cluster import PodView, ReplicaSet
from harness.model.manifests import Deployment


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What to do now: keep ``sets``, make as many pods of each revision, terminate the pods named in ``delete``.

    ``complete`` says that the Deployment is as asked for (``DeploymentComplete``).
    """

    sets: tuple[ReplicaSet, ...]
    create: dict[str, int]
    delete: tuple[str, ...]
    complete: bool


def step(sets: Sequence[ReplicaSet], pods: Iterable[PodView], deployment: Deployment, now_ns: int) -> Step:
    """The next step towards ``deployment``; call again when a pod changed, or time passed with minReadySeconds.

    ``sets`` are the last step's, none at first. A pod that is lost in the middle of a replacement is made anew by its
    own set, of whatever revision.
    """
    seen = list(pods)
    ready: dict[str, int] = {}
    for pod in seen:
        ready[pod.revision] = ready.get(pod.revision, 0) + available(pod, deployment.min_ready_s, now_ns)
    sized = settle(sets, ready, deployment, now_ns)
    create: dict[str, int] = {}
    delete: list[str] = []
    for each in sized:
        more, gone = manage(each, seen, now_ns)
        delete += gone
        if more:
            create[each.revision] = more
    done = not create and not delete and complete(sized, seen, deployment, now_ns)
    return Step(sets=sized, create=create, delete=tuple(delete), complete=done)
