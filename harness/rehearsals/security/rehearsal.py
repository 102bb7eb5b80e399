"""Security: every check on a running target, then the bundled API in production mode, then what the run left."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec

from harness.checks.contract import facts as contract
from harness.checks.contract import http, people
from harness.checks.contract.check import Check, chosen
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.logs import Logs
from harness.checks.contract.reach import LocalReach, NotExercised, StandaloneTarget
from harness.checks.contract.runner import run_checks
from harness.checks.contract.sections import not_covered
from harness.checks.walk_tables import StoredWalks
from harness.model.judgement import Expected
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.result import RunInfo
from harness.model.section import Section
from harness.model.stack import Address, Capability, Endpoints, EnvironmentKind
from harness.rehearsals.security import layers
from harness.rehearsals.security.checks import ALL, ASKED, LEFT, NOT_COVERED, PRODUCTION
from harness.rehearsals.security.checks.secrets import told_by
from harness.rehearsals.security.facts import CLAIMS, PHRASES, TOLD, asked, facts
from harness.rehearsals.security.ground import Canaries, SecurityGround
from harness.rehearsals.security.issuer import PROJECT, Issuer
from harness.rehearsals.security.privileges import containers, read_role
from harness.rehearsals.security.types import SecurityDetails, SecurityPlan
from harness.rules.rule import Fact
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.firebase.documents import Documents
from harness.stack.firebase.rest import AccountEnd
from harness.stack.manifests.change import environment_as_written, without_autoscaler
from harness.stack.protocol import ByKubectl, StackNeeds

# What is asked of the target, what is asked in production mode, and what then lies about.
# Users of an issuer that signs, and the bundled API that verifies them, for checks that know of neither.

LOG = "production.log"


class InProduction:
    """As ``harness.checks.contract.reach.Reach``. What its database holds is read through the API alone."""

    connect = staticmethod(http.over_tcp)

    def __init__(self, service: Address, issuer: Issuer, of: Endpoints) -> None:
        self.endpoints = msgspec.structs.replace(of, service=service, project_id=PROJECT)
        self._issuer = issuer

    async def sign_up(self, uid: str) -> people.SignedUpUser:
        """By the issuer."""
        return self._issuer.user(uid)

    async def end_account(self, uid: str, how: AccountEnd) -> None:
        """The issuer keeps no accounts."""
        raise _lacking(f"{how} {uid}")

    def seal(self, head: object, claims: object) -> str:
        """Signed."""
        return self._issuer.seal(head, claims)

    async def user_rows(self, uid: str) -> int:
        """Not read."""
        raise _lacking(uid)

    async def stored(self, walk_id: str) -> StoredWalks:
        """Not read."""
        raise _lacking(walk_id)

    def spare(self, name: str) -> AbstractAsyncContextManager[StandaloneTarget]:
        """None."""
        raise _lacking(name)

    async def put_photo(self, name: str, content: bytes, content_type: str) -> None:
        """No Storage."""
        raise _lacking(f"{name} ({content_type}, {len(content)} bytes)")

    async def has_photo(self, name: str) -> bool:
        """No Storage."""
        raise _lacking(name)


def _lacking(what: str) -> NotExercised:
    return NotExercised(message("in production mode nothing is read past the API: {what}", what=what), allowed=True)


@contextlib.asynccontextmanager
async def in_production(issuer: Issuer, of: Endpoints, folder: Path, seed: int) -> AsyncIterator[InProduction]:
    """The bundled API, led to ``issuer``. Its log lies in ``folder``."""
    from harness.stack.sim.production import production  # firebase-admin loads here

    await issuer.start()
    try:
        with (folder / LOG).open("ab", buffering=0) as log:

            def write(line: bytes) -> None:
                log.write(line)

            async with production(PROJECT, issuer.url, write, seed) as service:
                yield InProduction(service, issuer, of)
    finally:
        await issuer.stop()


#: To bring an image out of the engine.
IMAGE_LIMIT_S = 180.0


async def act(plan: SecurityPlan, on: RunContext[SecurityDetails]) -> None:
    """Brings the stack up and makes the checks that the plan asks for."""
    logs = Logs(on.folder / "logs", on.clock)
    on.on_event(logs.saw)
    await on.up()
    ground = _ground(on, logs)
    on.add_finalizer(ground.documents.close)
    await _make(plan, on, ground, ASKED)
    if plan.production and _of(plan, PRODUCTION):
        on.details.environment = environment_as_written(on.manifests)
        issuer = Issuer(on.clock)
        async with in_production(issuer, ground.endpoints, on.folder / "logs", on.options.seed) as reach:
            await _make(plan, on, msgspec.structs.replace(ground, reach=reach, issuer=issuer), PRODUCTION)
    await _make(plan, on, ground, LEFT)


def _of(plan: SecurityPlan, checks: Sequence[Check]) -> list[Check]:
    """Those that the plan asks for."""
    wanted = {check.id for check in chosen(ALL, plan.only)}
    return [check for check in checks if check.id in wanted]


def _ground(on: RunContext[SecurityDetails], logs: Logs) -> SecurityGround:
    stack, endpoints = on.stack, on.stack.endpoints()
    return SecurityGround(
        reach=LocalReach(stack, on.clock),
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
        if isinstance(stack, ByKubectl) and on.options.rung is EnvironmentKind.KIND
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
    plan: SecurityPlan, on: RunContext[SecurityDetails], ground: SecurityGround, checks: Sequence[Check]
) -> None:
    def seen(exchanges: Sequence[HttpExchange]) -> None:
        told_by(exchanges, ground.canaries)

    await run_checks(_of(plan, checks), ground, on.folder, on.progress, on.details.checks.append, seen=seen)


class Security(Rehearsal[SecurityPlan, SecurityDetails]):
    """The rehearsal. It has no figures: a sentence is kept or it is not."""

    name = "security"
    plan, details = SecurityPlan, SecurityDetails
    promised = (*CLAIMS, TOLD)
    phrases = PHRASES
    ruled_by = ("contract", "security")

    def expected(self, plan: SecurityPlan, facts: RunInfo) -> Iterable[Expected]:
        """The checks, and the claims."""
        return (*contract.expected(asked(plan), {}), *super().expected(plan, facts))

    def stack_spec(self, plan: SecurityPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """As many pods as the manifests name, and no more: the limit of requests is each pod's own."""
        _ = plan, options
        return StackNeeds(manifests=without_autoscaler(manifests, manifests.deployment.replicas))

    async def run(self, plan: SecurityPlan, on: RunContext[SecurityDetails]) -> None:
        """What is asked of the target, what is asked in production mode, and what then lies about."""
        await act(plan, on)
        on.mark("checks")

    def measured(self, plan: SecurityPlan, seen: RunRecord[SecurityDetails]) -> Iterable[Fact]:
        """From the details alone."""
        return facts(plan, seen.details)

    def sections(self, plan: SecurityPlan, seen: RunRecord[SecurityDetails]) -> Iterable[Section]:
        """What no check here can tell."""
        _ = plan, seen
        yield not_covered(NOT_COVERED)


REHEARSAL = Security()
