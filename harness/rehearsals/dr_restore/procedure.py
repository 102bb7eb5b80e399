"""The document's restore procedure, step 2 and 3, as it is written: the ConfigMap, then the Deployment restarted.

As corrected: the instance switched in the sidecar's argument, which rolls pods; and
the restart in order after it.

The users and probes of a rehearsal on the stack, and what windows of their evidence saw.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Coroutine, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from harness.base.clock import NS
from harness.base.errors import BadInput, StackNotStarted
from harness.load.users import Users, UsersPlan
from harness.model.evidence import Side, Window
from harness.model.manifests import INSTANCE_NAMED, Container, Manifests
from harness.model.message import Message, Told, english, message, raw_text
from harness.model.scenario import BLACKOUT_S
from harness.rehearsals.dr_restore.types import APPLY_LIMIT_S, NotInTime, TrafficPlan
from harness.rules.bounds import ratio_lower
from harness.run.context import RunContext
from harness.stack.protocol import Stack

REQUEST_TIMEOUT_S = 5.0


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """What a window saw. ``bound``: the availability is at least this, 95 %; ``None`` without a probe.

    ``probes_missing`` and ``requests_missing`` more were due and are not in evidence: bad ones for ``bound``.
    """

    probes: int
    good: int
    bound: float | None
    requests: int
    errors: int
    probes_missing: int = 0
    requests_missing: int = 0

    @property
    def availability(self) -> float | None:
        """Good probes over all."""
        return self.good / self.probes if self.probes else None


class Traffic:
    """The load of a run on its stack, which is up, and what windows of its evidence saw."""

    def __init__(self, on: RunContext[Any], plan: TrafficPlan) -> None:
        self.evidence = on.evidence
        self._plan = plan
        self._clock = on.clock
        users = UsersPlan(
            population=plan.population, probes=plan.probes, request_timeout_s=REQUEST_TIMEOUT_S, seed=on.options.seed
        )
        self._users = Users(on, users)

    async def flag_on(self) -> None:
        """Everybody's requests go to the API."""
        await self._users.set_flag(on=True)

    async def begin(self) -> None:
        """Everybody admitted, and the schedule begun."""
        await self._users.admit()
        await self._users.go()

    def event(self, kind: str, subject: str, said: Message) -> int:
        """An event of the rehearsal, now; the time."""
        now_ns = self._clock.now_ns()
        self.evidence.event(now_ns, kind, subject, said)
        return now_ns

    async def blackout(self, after_ns: int, limit_s: float) -> int:
        """Returns the time at which ``BLACKOUT_S`` had passed since the last good probe. Raises ``NotInTime``."""
        give_up_ns = self._clock.now_ns() + round(limit_s * NS)
        while (now_ns := self._clock.now_ns()) < give_up_ns:
            last_ns = max(self._last_good_ns(), after_ns)
            if now_ns - last_ns >= BLACKOUT_S * NS:
                return now_ns
            await self._clock.sleep(0.05)
        raise NotInTime(
            f"the disaster was not noticed: good probes still come {limit_s:g} s after it",
            where="the probes through the service",
            remedy="do the pods read a database other than the stack's own? See the manifests, and the pods' logs",
        )

    async def first_good(self, after_ns: int, limit_s: float) -> int | None:
        """When the first probe sent after ``after_ns`` was good: its answer's time; ``None`` without one in time."""
        give_up_ns = self._clock.now_ns() + round(limit_s * NS)
        while self._clock.now_ns() < give_up_ns:
            rows = self.evidence.ledger.probes
            good = rows["done_ns"][rows["ok"] & (rows["sent_ns"] > after_ns)]
            if len(good):
                return int(good.min())
            await self._clock.sleep(0.05)
        return None

    @property
    def last_answer_s(self) -> float:
        """By so long after a window the last call that was due in it is answered or given up."""
        return max(self._plan.probes.timeout_s, REQUEST_TIMEOUT_S)

    def seen(self, start_ns: int, end_ns: int) -> Calls:
        """What was due in ``[start_ns, end_ns)`` and answered so far."""
        window = Window(start_ns=start_ns, end_ns=end_ns)
        probes = self.evidence.ledger.probe_rows_due(window)
        requests = self.evidence.ledger.requests_due(window, Side.API)
        good, count = int(probes["ok"].sum()), len(probes)
        due, there = self._users.due(window), self.evidence.ledger.calls
        probes_missing = sum(each.id not in there for each in due.probes)
        return Calls(
            probes=count,
            good=good,
            bound=ratio_lower(good, count + probes_missing) if count else None,
            requests=len(requests),
            errors=int((~requests["ok"]).sum()),
            probes_missing=probes_missing,
            requests_missing=sum(each.id not in there for each in due.requests),
        )

    def _last_good_ns(self) -> int:
        rows = self.evidence.ledger.probes
        good = rows["done_ns"][rows["ok"]]
        return int(good.max()) if len(good) else 0


INSTANCE = "PROJECT_ID:REGION:INSTANCE_NAME-restored"

RESTART = raw_text("kubectl rollout restart")


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
    begun_ns, why = traffic.event("phase", "restart", RESTART), ""
    try:
        await stack.restart()
    except StackNotStarted as error:
        why = error.what
    said = message("not complete: {why}", why=why) if why else message("complete")
    end_ns = traffic.event("phase", "restart", said)
    return Window(start_ns=begun_ns, end_ns=end_ns), why


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


class ProcedureWritten(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the steps. ``told``: what was written over what; ``why``: what the restart said when it failed."""

    reached: Reached
    told: Told
    why: str = ""


async def as_written(stack: Stack, manifests: Manifests, traffic: Traffic, limit_s: float) -> ProcedureWritten:
    """新インスタンスのエンドポイントをConfigMapに反映, Deployment再起動: how far that came in ``limit_s``.

    What was written is in the evidence as an event. Raises ``StackNotStarted`` when the apply itself fails.
    """
    changed, told = reflected(manifests, ENDPOINT)
    reached, why = Reached.APPLY, ""
    try:
        async with asyncio.timeout(limit_s):
            await _applied(stack, changed)
            traffic.event("phase", "as written", message("applied: {what}", what=english(told)))
            traffic.event("phase", "as written", RESTART)
            reached = Reached.RESTART
            try:
                await stack.restart()
                reached = Reached.READY
            except StackNotStarted as error:
                why = error.what
    except TimeoutError:
        pass
    return ProcedureWritten(reached=reached, told=told, why=why)


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
