"""What is asked of the target, what is asked in production mode, and what then lies about."""

from __future__ import annotations

import asyncio
import functools
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.contract.check import Check, NotExercised
from harness.contract.chosen import chosen
from harness.contract.http import Exchange
from harness.contract.logs import Logs
from harness.contract.reach import OnStack
from harness.contract.runner import run_checks
from harness.model.message import message
from harness.model.stack import Capability, Rung
from harness.rehearsal.running import Running
from harness.rehearsals.security import layers
from harness.rehearsals.security.checks import ALL, ASKED, LEFT, PRODUCTION
from harness.rehearsals.security.checks.secrets import told_by
from harness.rehearsals.security.ground import Canaries, SecurityGround
from harness.rehearsals.security.issuer import Issuer
from harness.rehearsals.security.privileges import containers, read_role
from harness.rehearsals.security.production import in_production
from harness.rehearsals.security.types import SecurityDetails, SecurityPlan
from harness.stack.firebase.documents import Documents
from harness.stack.protocol import ByKubectl

#: To bring an image out of the engine.
IMAGE_LIMIT_S = 180.0


async def act(plan: SecurityPlan, on: Running[SecurityDetails]) -> None:
    """Brings the stack up and makes the checks that the plan asks for."""
    logs = Logs(on.folder / "logs", on.clock)
    on.saw(logs.saw)
    await on.up()
    ground = _ground(on, logs)
    on.at_end(ground.documents.close)
    await _make(plan, on, ground, ASKED)
    if plan.production and _of(plan, PRODUCTION):
        issuer = Issuer(on.clock)
        async with in_production(issuer, ground.endpoints, on.folder / "logs", on.options.seed) as reach:
            await _make(plan, on, msgspec.structs.replace(ground, reach=reach, issuer=issuer), PRODUCTION)
    await _make(plan, on, ground, LEFT)


def _of(plan: SecurityPlan, checks: Sequence[Check]) -> list[Check]:
    """Those that the plan asks for."""
    wanted = {check.id for check in chosen(ALL, plan.only)}
    return [check for check in checks if check.id in wanted]


def _ground(on: Running[SecurityDetails], logs: Logs) -> SecurityGround:
    stack, endpoints = on.stack, on.stack.endpoints()
    return SecurityGround(
        reach=OnStack(stack, on.clock),
        clock=on.clock,
        documents=Documents(endpoints.firestore, endpoints.project_id),
        logs=logs,
        seed=on.options.seed,
        run_id=on.run_id,
        hides_tokens=True,
        canaries=Canaries(),
        folder=on.folder,
        manifests=on.manifests,
        pods=on.manifests.deployment.replicas,
        facts=lambda: msgspec.json.encode(on.details),
        role=lambda: read_role(endpoints),
        kubectl=stack.kubectl
        if isinstance(stack, ByKubectl) and Capability.REAL_KUBERNETES in stack.capabilities
        else None,
        images=functools.partial(_images, stack)
        if isinstance(stack, ByKubectl) and on.options.rung is Rung.KIND
        else None,
    )


async def _images(stack: ByKubectl) -> list[str]:
    """What is wrong with the images that the cluster's pods were made of, those of init containers and Jobs too, each
    brought out of the engine for the look alone."""
    from harness.stack.kind import docker

    ran = await stack.kubectl("get", "pods", "-o", "json")
    pods = msgspec.json.decode(ran.output)["items"] if ran.status == 0 else ()
    if not pods:
        raise NotExercised(message("kubectl get pods: {answer}", answer=ran.output[:300]))
    wrong: list[str] = []
    for image in dict.fromkeys(each["image"] for pod in pods for each in containers(pod["spec"])):
        with tempfile.TemporaryDirectory(prefix="tekutoko-image-") as scratch:
            archive = Path(scratch) / "image.tar"
            await docker.save(image, archive, limit_s=IMAGE_LIMIT_S)
            wrong += await asyncio.to_thread(lambda of, at: [*layers.found(of, at)], image, archive)
    return wrong


async def _make(
    plan: SecurityPlan, on: Running[SecurityDetails], ground: SecurityGround, checks: Sequence[Check]
) -> None:
    def seen(exchanges: Sequence[Exchange]) -> None:
        told_by(exchanges, ground.canaries)

    await run_checks(_of(plan, checks), ground, on.folder, on.progress, on.details.checks.append, seen=seen)
