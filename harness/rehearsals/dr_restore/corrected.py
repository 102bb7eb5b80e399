"""The document's restore procedure as corrected: the instance switched in the sidecar's argument, which rolls pods; and
the restart in order after it.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec

from harness.base.errors import BadInput, StackNotStarted
from harness.judge.window import Window
from harness.model.manifests import INSTANCE_NAMED, Manifests
from harness.model.message import message, verbatim
from harness.rehearsals.dr_restore.traffic import Traffic
from harness.stack.protocol import Stack

INSTANCE = "PROJECT_ID:REGION:INSTANCE_NAME-restored"


def led_to(manifests: Manifests, instance: str) -> Manifests:
    """The manifests with ``instance`` for the one that a container beside the target names, in both their forms.

    The digest changes too. Raises ``BadInput`` when no container names an instance, or several different ones.
    """
    template = manifests.deployment.template
    first, *others = template.containers
    documents = copy.deepcopy(manifests.documents)
    key = f"Deployment/{manifests.deployment.name}"
    pod = documents[key]["spec"]["template"]["spec"]
    beside = (*pod["containers"][1:], *pod.get("initContainers", []))
    _one_instance([argument for each in beside for argument in each.get("args") or ()], key)
    for container in beside:
        if container.get("args"):
            container["args"] = _moved(container["args"], instance)
    moved = (msgspec.structs.replace(each, args=tuple(_moved(each.args, instance))) for each in others)
    digest = f"{template.digest[:8]}-{instance.rpartition('-')[2]}"
    changed = msgspec.structs.replace(template, containers=(first, *moved), digest=digest)
    deployment = msgspec.structs.replace(manifests.deployment, template=changed)
    return msgspec.structs.replace(manifests, deployment=deployment, documents=documents)


def _one_instance(arguments: Sequence[str], where: str) -> None:
    named = {found[1] for each in arguments if (found := INSTANCE_NAMED.fullmatch(str(each))) is not None}
    if len(named) != 1:
        told = f"containers beside the target name several: {', '.join(sorted(named))}" if named else "none is named"
        raise BadInput(
            message("which database instance the pods are led to is not known: {told}", told=told),
            where=f"{where}, arguments of the containers beside the first",
            remedy="name it PROJECT:REGION:INSTANCE in an argument of the sidecar alone, as the document's deployment",
        )


def _moved(arguments: Sequence[str], instance: str) -> list[str]:
    return [
        INSTANCE_NAMED.sub(rf"{instance}\2", each) if INSTANCE_NAMED.fullmatch(each) else each for each in arguments
    ]


async def as_corrected(stack: Stack, manifests: Manifests, good: Coroutine[Any, Any, int | None]) -> int | None:
    """Applies ``manifests``; when the first good answer came, by ``good``, ``None`` when there was none.

    With one, the apply is waited for. An apply that fails first is raised: ``StackNotStarted``.
    """
    applied, first = asyncio.ensure_future(stack.apply(manifests)), asyncio.ensure_future(good)
    try:
        await asyncio.wait({applied, first}, return_when=asyncio.FIRST_COMPLETED)
        if applied.done():
            applied.result()
        good_ns = await first
        if good_ns is not None:
            await applied
        return good_ns
    finally:
        for task in (applied, first):
            task.cancel()
        await asyncio.gather(applied, first, return_exceptions=True)


async def restarted(stack: Stack, traffic: Traffic) -> tuple[Window, str]:
    """Deployment再起動（5-10分）: of pods that can become ready. When, and why not complete: a result, too."""
    begun_ns, why = traffic.event("phase", "restart", verbatim("kubectl rollout restart")), ""
    try:
        await stack.restart()
    except StackNotStarted as error:
        why = error.what
    said = message("not complete: {why}", why=why) if why else message("complete")
    end_ns = traffic.event("phase", "restart", said)
    return Window(start_ns=begun_ns, end_ns=end_ns), why
