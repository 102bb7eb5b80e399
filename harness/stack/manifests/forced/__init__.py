"""What a rung forces upon a rendered folder, by what it means and never by a key that only one folder has.

A folder written for production names databases, images, load balancers, Secrets and kinds that a rehearsal has not. The
steps of ``force``, in order, find the target, leave out what a cluster lacks, stand in for what is made elsewhere, lead
the proxy and the variables to the run's own parts, and say of each change what it is and why (``PatchNote``). Values
that only the running stack knows stand as ``set-by-the-rung/NAME`` (``harness.stack.kubernetes.documents`` fills them).
"""

from __future__ import annotations

import copy
from typing import Any

from harness.model.stack import EnvironmentKind, Target
from harness.stack.manifests.forced import environment, left_out, pod, sidecar
from harness.stack.manifests.forced import select_target as aim
from harness.stack.manifests.forced.work import BY_THE_RUNG, ForcedDocuments

__all__ = ["BY_THE_RUNG", "ForcedDocuments", "force"]


def force(
    documents: dict[str, dict[str, Any]], folder: str, rung: EnvironmentKind, target: Target, *, fronted: bool = False
) -> ForcedDocuments:
    """The documents of ``folder`` as ``rung`` has them; the given ones stay. ``fronted`` keeps an Ingress.

    Raises ``BadInput`` naming the folder, the resource and the key, before anything is made.
    """
    work = ForcedDocuments(copy.deepcopy(documents), rung, target, folder)
    told = environment.told_keys(work.documents)
    left_out.leave_out_kinds(work, fronted=fronted)
    aim.select_target(work)
    left_out.leave_out_others(work)
    environment.check_config_maps(work)
    environment.stand_in(work, told)
    pod.force(work, fronted=fronted)
    environment.force(work, sidecar.force(work))
    return work
