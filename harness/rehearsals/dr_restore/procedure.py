"""The document's restore procedure, step 2 and 3, as it is written: the ConfigMap, then the Deployment restarted."""

from __future__ import annotations

import asyncio
import copy
from enum import StrEnum

import msgspec

from harness.base.errors import StackNotStarted
from harness.model.manifests import Container, Manifests
from harness.model.message import Told, english, message, verbatim
from harness.rehearsals.dr_restore.traffic import Traffic
from harness.rehearsals.dr_restore.types import APPLY_LIMIT_S
from harness.stack.protocol import Stack

KEY = "db_host"
#: The endpoint of any instance, as a container behind Cloud SQL Proxy has it (the document's own configmap.yaml).
ENDPOINT = "localhost"


def reflected(manifests: Manifests, host: str) -> tuple[Manifests, Told]:
    """The manifests with ``host`` written into every ConfigMap that has ``KEY``; what was written over what, in words.

    The pod template's digest stays: a new value in a ConfigMap replaces no pod.
    """
    documents = copy.deepcopy(manifests.documents)
    told = []
    for key, document in documents.items():
        if key.startswith("ConfigMap/") and KEY in document.get("data", {}):
            before, document["data"][KEY] = document["data"][KEY], host
            places = {"where": f"{key} {KEY}", "host": host}
            if before == host:
                told.append(message("{where}: {host}, as before", **places))
            else:
                told.append(message("{where}: {host}, was {before}", before=str(before), **places))
    template = manifests.deployment.template
    containers = tuple(_with_host(each, host) for each in template.containers)
    deployment = msgspec.structs.replace(
        manifests.deployment, template=msgspec.structs.replace(template, containers=containers)
    )
    config = manifests.config | ({KEY: host} if KEY in manifests.config else {})
    changed = msgspec.structs.replace(manifests, documents=documents, deployment=deployment, config=config)
    return changed, tuple(told) or (message("no ConfigMap has {key}", key=KEY),)


def _with_host(container: Container, host: str) -> Container:
    env = tuple(
        msgspec.structs.replace(each, value=host)
        if each.source.startswith("configmap:") and each.source.endswith(f"/{KEY}")
        else each
        for each in container.env
    )
    return msgspec.structs.replace(container, env=env)


class Reached(StrEnum):
    """How far the steps as written came within their time."""

    APPLY = "apply"  # the restart was never asked for
    RESTART = "restart"  # asked for, and not complete
    READY = "ready"  # complete: the pods became ready


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the steps. ``told``: what was written over what; ``why``: what the restart said when it failed."""

    reached: Reached
    told: Told
    why: str = ""


async def as_written(stack: Stack, manifests: Manifests, traffic: Traffic, limit_s: float) -> Written:
    """新インスタンスのエンドポイントをConfigMapに反映, Deployment再起動: how far that came in ``limit_s``.

    What was written is in the evidence as an event. Raises ``StackNotStarted`` when the apply itself fails.
    """
    changed, told = reflected(manifests, ENDPOINT)
    reached, why = Reached.APPLY, ""
    try:
        async with asyncio.timeout(limit_s):
            await _applied(stack, changed)
            traffic.event("phase", "as written", message("applied: {what}", what=english(told)))
            traffic.event("phase", "as written", verbatim("kubectl rollout restart"))
            reached = Reached.RESTART
            try:
                await stack.restart()
                reached = Reached.READY
            except StackNotStarted as error:
                why = error.what
    except TimeoutError:
        pass
    return Written(reached=reached, told=told, why=why)


async def _applied(stack: Stack, manifests: Manifests) -> None:
    """As ``kubectl apply``, which returns before any pod follows: the stack's own goes on waiting for pods that cannot
    become ready without their database.
    """
    applied = asyncio.ensure_future(stack.apply(manifests))
    try:
        await asyncio.wait({applied}, timeout=APPLY_LIMIT_S)
        if applied.done():
            applied.result()
    finally:
        applied.cancel()
        await asyncio.gather(applied, return_exceptions=True)
