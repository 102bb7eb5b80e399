"""What a run of the network rehearsal does, in one direction: stack up -> asked without policies -> with them -> pods
replaced under them -> (an Ingress in front).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from harness.base.clock import NS
from harness.base.errors import BadInput, StackNotStarted
from harness.checks.read_facts import READS_EXPECTED
from harness.load.stages.admit import StepUsers
from harness.load.stages.process import StageProcesses
from harness.model.judgement import Expected, Judgement, Verdict, expected_of, observation
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.result import RunInfo
from harness.model.section import Cell, Row, Section, Table, table_of
from harness.model.stack import Capability, EnvironmentKind
from harness.rehearsals.network.clients import Clients
from harness.rehearsals.network.facts import (
    PHRASES,
    ROUNDS,
    Path,
    as_wanted,
    facts,
    loads,
    node_port_told,
    outcomes,
    paths,
    seen_in,
    update_told,
)
from harness.rehearsals.network.front import Front, named
from harness.rehearsals.network.matrix import Matrix, fixed
from harness.rehearsals.network.types import ACCOUNTS, NetworkDetails, NetworkPath, NetworkPlan, Scene, step_of
from harness.rules.rule import Fact
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.parts import answers
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.environments.choice import manifests_of
from harness.stack.manifests.change import policies, without_autoscaler, without_ingress, without_policies
from harness.stack.process.waiting import together
from harness.stack.protocol import StackNeeds, WithIngress, WithOutside

_LEAD_S = 0.5
_AGAIN_S = 1.0  # between rounds, while the enforcer catches up


def fronted(options: Options) -> Manifests:
    """The manifests with the Ingress that they have, and without the autoscaler. Raises ``BadInput``."""
    found = manifests_of(options, fronted=True)
    return without_autoscaler(found, found.deployment.replicas)


def check_manifests(plan: NetworkPlan, options: Options) -> None:
    """Before anything is begun. Raises ``BadInput`` for manifests that have not what the plan rehearses."""
    if options.rung is not EnvironmentKind.KIND:  # nothing of it can be run elsewhere
        return
    found = fronted(options)
    if not policies(found):
        remedy = "add one that selects the API's pods; leave --manifests out for the rehearsal's own"
        raise BadInput("the manifests have no NetworkPolicy", where=str(options.manifests), remedy=remedy)
    if plan.with_ingress:
        named(found)


class NetworkCourse:
    """The steps of a run on a stack that has real Kubernetes."""

    def __init__(self, plan: NetworkPlan, on: RunContext[NetworkDetails], stack: WithOutside) -> None:
        self._plan = plan
        self._on = on
        self._kubectl = stack
        self._fronted = fronted(on.options)
        self._protected = without_ingress(self._fronted)

    async def run(self) -> None:
        """The rounds in order; each may raise."""
        on, details = self._on, self._on.details
        details.policies = policies(self._protected)
        details.replicas = self._protected.deployment.replicas
        details.brings_ingress = isinstance(on.stack, WithIngress)
        await on.up()
        clients = Clients(self._kubectl, self._protected.deployment.name, on.folder)
        on.add_finalizer(clients.stop)
        await clients.start()
        service = next(key.partition("/")[2] for key in self._protected.documents if key.startswith("Service/"))
        known = await fixed(clients, service, self._kubectl.outside())
        matrix = Matrix(clients, self._plan.paths, known, on.clock)
        load = await StepUsers(on, seed=on.options.seed, accounts=ACCOUNTS).load()
        details.listed["before"] = tuple(await matrix.policies())
        await self._ask(matrix, "before")
        on.mark("before")
        await self._under_load(load, self._protect(matrix))
        on.mark("after")
        await self._replace(matrix)
        on.mark("replaced")
        await self._observe(matrix)
        await self._bring_ingress(matrix, clients)

    async def _protect(self, matrix: Matrix) -> None:
        """Applies the policies, and asks until they act or the time for it has passed."""
        on, details = self._on, self._on.details
        count = str(len(details.policies))
        on.phase("policies", message("applying {count} NetworkPolicies", count=count))
        details.applied_ns = on.clock.now_ns()
        await on.stack.apply(self._protected)
        await self._ask(matrix, "after", since_ns=details.applied_ns)
        details.listed["after"] = tuple(await matrix.policies())

    async def _replace(self, matrix: Matrix) -> None:
        """New pods, which start under the policies."""
        on, details = self._on, self._on.details
        on.phase("replaced", message("replacing the pods under the policies"))
        details.replaced_ns = on.clock.now_ns()
        try:
            await on.stack.restart()
        except StackNotStarted as error:  # what the policies are judged for
            details.trouble = error.what.replace("\n", " ")
            on.say(message("the new pods are not ready: {why}", why=details.trouble))
            return
        await self._ask(matrix, "replaced", since_ns=details.applied_ns)

    async def _observe(self, matrix: Matrix) -> None:
        self._on.details.node_port = through = await matrix.through_the_node_port()
        self._on.say(*node_port_told(through))

    async def _bring_ingress(self, matrix: Matrix, clients: Clients) -> None:
        """Where it was asked for, and the rung can."""
        on = self._on
        if not self._plan.with_ingress or not isinstance(on.stack, WithIngress):
            return
        on.details.fronted_ns = on.clock.now_ns()
        await Front(on, self._fronted, self._plan, clients, matrix, stack=on.stack).run()  # type: ignore[arg-type]  # it is WithOutside, too
        on.mark("ingress")

    async def _ask(self, matrix: Matrix, name: str, *, since_ns: int | None = None) -> None:
        """Rounds until one is as wanted, at most for the plan's time; the last one counts."""
        on = self._on
        wanted = self._plan.paths if since_ns is not None else _all_open(self._plan)
        give_up_ns = on.clock.now_ns() + round(self._plan.enforced_within_s * NS)
        count = 0
        while True:
            count += 1
            asked = await matrix.ask(name, since_ns=since_ns)
            good = as_wanted(wanted, asked)
            if good or on.clock.now_ns() >= give_up_ns:
                break
            await on.clock.sleep(_AGAIN_S)
        on.details.rounds[name] = asked
        for each in asked.attempts:
            told = f"{each.client} → {each.place} ({each.address}): {each.outcome}"
            on.evidence.event(asked.start_ns, "dial", f"pod/{each.pod}", told, round=name)
        on.say(
            message(
                "{name}: {count} addresses asked, round {round} is {ending}",
                name=name,
                count=str(len(asked.attempts)),
                round=str(count),
                ending=message("as wanted") if good else message("not as wanted"),
            )
        )

    async def _under_load(self, load: StageProcesses, work: Coroutine[Any, Any, None]) -> None:
        """``work`` while users load the service, for the plan's time or longer."""
        on, plan = self._on, self._plan
        start_ns = on.clock.now_ns() + round(_LEAD_S * NS)
        on.details.loaded_ns = (start_ns, start_ns + round(plan.hold_s * NS))
        rate, seconds = f"{plan.rate_per_s:g}", f"{plan.hold_s:g}"
        on.say(message("{rate} requests/s through the service for {seconds} s", rate=rate, seconds=seconds))
        await together(load.step(step_of(plan), start_ns), work)
        on.evidence.gather()


def _all_open(plan: NetworkPlan) -> tuple[NetworkPath, ...]:
    """The paths as they are without a policy."""
    return tuple(msgspec.structs.replace(path, allowed=True) for path in plan.paths)


# ``network``: who reaches whom, with NetworkPolicies and without, and through an Ingress by HTTPS.

_SCENES = {
    Scene.KEPT_OUT: message("its pod without the label"),
    Scene.OPEN: message("on the way"),
    Scene.AS_WRITTEN: message("the component as it is"),
}
_VERDICTS = {True: Verdict.FAIL, False: Verdict.PASS, None: Verdict.INCONCLUSIVE}
POLICY = "security.network.policy"
PHASE_4 = "manifest.phase4_added"
TLS = "checklist.security.tls"
#: What is judged, with the claim of each.
CHECKS = {
    "paths.allowed": POLICY,
    "paths.refused": POLICY,
    "kubelet.probes": POLICY,
    "users.service": POLICY,
    "component.opt_in": PHASE_4,
    "paths.needed": "strategy.versus.network",
    "ingress.as_written": "security.network.tls",
    "ingress.opt_in": PHASE_4,
    "ingress.routes": PHASE_4,
    "ingress.as_the_service": PHASE_4,
    "ingress.policy": POLICY,
    "ingress.tls": TLS,
    "ingress.plain_http": TLS,
    "ingress.renewal": TLS,
}


class Network(Rehearsal[NetworkPlan, NetworkDetails]):
    """The rehearsal. It has no figures: paths work or are refused."""

    name = "network"
    plan, details = NetworkPlan, NetworkDetails
    phrases, ruled_by = PHRASES, ("checks", "network")

    #: Pods on nodes, and beside the nodes what pods are to reach.
    needed: Mapping[str, tuple[Capability, ...]] = {"": (Capability.REAL_KUBERNETES, Capability.NODES)}

    def expected(self, plan: NetworkPlan, facts: RunInfo) -> Iterator[Expected]:
        """Every check; and of a cluster, where there is load, what answers showed."""
        _ = plan
        yield from expected_of(CHECKS.items())
        if Capability.REAL_KUBERNETES in facts.capabilities:
            yield READS_EXPECTED

    def stack_spec(self, plan: NetworkPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """A stack without policies and without an Ingress: both are applied later."""
        _ = plan, manifests
        return StackNeeds(manifests=without_policies(without_ingress(fronted(options))))

    async def run(self, plan: NetworkPlan, on: RunContext[NetworkDetails]) -> None:
        """Every path, without the policies and with them; then the Ingress."""
        if isinstance(on.stack, WithOutside):
            await NetworkCourse(plan, on, on.stack).run()

    def measured(self, plan: NetworkPlan, seen: RunRecord[NetworkDetails]) -> Iterable[Fact]:
        """Of the paths, the kubelet, the users, the component, and the Ingress."""
        return facts(plan, seen.details, seen.evidence, rung=str(seen.facts.rung))

    def checks(self, plan: NetworkPlan, seen: RunRecord[NetworkDetails]) -> Iterator[Judgement]:
        """What the cluster said besides, and what answers showed the users."""
        details = seen.details
        if details.node_port is not None:
            yield observation("node_port", node_port_told(details.node_port))
        if details.ingress is not None and details.ingress.update is not None:
            yield observation("ingress.update", (update_told(details.ingress.update),))
        yield from answers(seen, ACCOUNTS, loads(plan, details))

    def sections(self, plan: NetworkPlan, seen: RunRecord[NetworkDetails]) -> Iterable[Section]:
        """Every path over the rounds, and every request by HTTPS."""
        if seen.details.rounds:
            yield _paths_table(plan, seen.details)
        if seen.details.ingress is not None and seen.details.ingress.answers:
            yield table_of(
                message("Through the Ingress"),
                seen.details.ingress.answers,
                (message("Request by HTTPS"), lambda each: each.ask),
                (message("Controller"), lambda each: _SCENES[each.scene]),
                (message("Outcome"), lambda each: each.told),
            )


def _paths_table(plan: NetworkPlan, details: NetworkDetails) -> Table:
    def seen_of(name: str) -> Callable[[Path], Cell]:
        asked = details.rounds.get(name)
        return lambda of: outcomes(seen_in(of.path, asked))

    before, after, replaced = map(seen_of, ROUNDS)
    return table_of(
        message("Paths between pods"),
        paths(plan.paths, details),
        (message("Path"), lambda of: of.path.name),
        (message("Expected"), lambda of: message("allowed") if of.path.allowed else message("refused")),
        (message("Without policies"), before),
        (message("With policies"), after),
        (message("New pods under policies"), replaced),
        row=lambda of: Row(cells=(), verdict=_VERDICTS[of.wrong], lines=(of.path.why, of.why)),
    )


REHEARSAL = Network()
