"""A run of the network rehearsal in one direction: stack up -> asked without policies -> with them -> pods replaced
under them -> (an Ingress in front) -> tear down -> judge -> report.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from harness.clock import NS, Clock
from harness.judge.errata import errata_seen
from harness.load.stages.process import StageProcesses
from harness.manifests.change import ingresses, policies, without_autoscaler, without_ingress, without_policies
from harness.model.errors import BadInput, StackNotStarted
from harness.model.load_stages import Arrivals, Step
from harness.model.stack import Capability, Rung
from harness.options import RunOptions
from harness.progress import Progress
from harness.rehearsals.network import judge
from harness.rehearsals.network import judge_ingress as ingress_judge
from harness.rehearsals.network.clients import Clients
from harness.rehearsals.network.front import Front, named
from harness.rehearsals.network.matrix import Matrix, fixed
from harness.rehearsals.network.report import write_report
from harness.rehearsals.network.types import (
    SCHEMA_VERSION,
    NetworkFinding,
    NetworkPath,
    NetworkPlan,
    NetworkReport,
    Round,
)
from harness.rehearsals.network.types_ingress import IngressEvidence
from harness.report.language import language
from harness.rungs import manifests_of
from harness.stack.protocol import ByKubectl, WithIngress
from harness.stack_run import StageRun

GATHER_EVERY_S = 0.5
ACCOUNTS = 20  # a user's share of 10/s is 30 a minute, below the rate limit
_REQUEST_TIMEOUT_S = 10.0
_LEAD_S = 0.5
_AGAIN_S = 1.0  # between rounds, while the enforcer catches up
_NO_PODS = "its pods are processes of one machine without a network of their own; NetworkPolicies need a real cluster"


class NetworkRun(StageRun[NetworkReport]):
    """One run under way. ``run`` always returns a report, however it ended."""

    def __init__(
        self, plan: NetworkPlan, options: RunOptions, clock: Clock, progress: Progress, *, replay: str,
        with_ingress: bool = False,
    ) -> None:  # fmt: skip
        self.plan = plan
        self.with_ingress = with_ingress
        found = manifests_of(options, fronted=True)
        self.fronted = without_autoscaler(found, found.deployment.replicas)
        self.protected = without_ingress(self.fronted)
        self.plain = without_policies(self.protected)
        if options.rung is not Rung.LOCAL and not policies(self.protected):
            remedy = "add one that selects the API's pods; leave --manifests out for the rehearsal's own"
            raise BadInput("the manifests have no NetworkPolicy", where=str(options.manifests), remedy=remedy)
        if options.rung is not Rung.LOCAL and with_ingress:
            named(self.fronted)
        super().__init__(plan.name, options, clock, progress, replay=replay)
        self.stack = self.stack_of(self.plain)
        self.clients: Clients | None = None
        self.front: Front | None = None
        self.rounds: dict[str, Round] = {}
        self.listed: dict[str, list[str]] = {}
        self.applied_ns: int | None = None
        self.replaced_ns: int | None = None
        self.fronted_ns: int | None = None
        self.loaded_ns = (0, 0)
        self.trouble = ""
        self.observed: list[str] = []

    @property
    def _lacking(self) -> str:
        if Capability.REAL_KUBERNETES in self.stack.capabilities:
            return ""
        return f"the environment {self.options.rung}: {_NO_PODS}"

    async def run(self) -> NetworkReport:
        """Nothing is brought up where the rung lacks what it takes."""
        if not self._lacking:
            return await super().run()
        self.progress(f"not exercised: {self._lacking}")
        return self.report()

    def endings(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """The load, then the pods that ask."""
        return *super().endings(), self._stop_clients

    async def flow(self) -> None:
        """The rounds in order; each may raise, and tear down always follows."""
        await self.sweep()
        self.progress("bringing the stack up, without NetworkPolicies")
        await self.stack.up()
        assert isinstance(self.stack, ByKubectl)  # it has real_kubernetes
        self.mark("stack_up")
        service = next(key.partition("/")[2] for key in self.plain.documents if key.startswith("Service/"))
        self.clients = clients = Clients(self.stack, self.plain.deployment.name, self.folder)
        await clients.start()
        known = await fixed(clients, service, self.stack.outside())
        matrix = Matrix(clients, self.plan.paths, known, self.clock)
        load = await self._admitted()
        self.listed["before"] = await matrix.policies()
        await self._ask(matrix, "before")
        self.mark("before")
        await self._under_load(load, self._protect(matrix))
        self.mark("after")
        await self._replace(matrix)
        self.mark("replaced")
        await self._observe(matrix)
        await self._bring_ingress(matrix, clients)

    async def _protect(self, matrix: Matrix) -> None:
        """Applies the policies, and asks until they act or the time for it has passed."""
        self.progress(f"applying {len(policies(self.protected))} NetworkPolicies")
        self.applied_ns = self.clock.now_ns()
        self.evidence.event(self.applied_ns, "phase", "policies", "applied", names=policies(self.protected))
        await self.stack.apply(self.protected)
        await self._ask(matrix, "after", since_ns=self.applied_ns)
        self.listed["after"] = await matrix.policies()

    async def _replace(self, matrix: Matrix) -> None:
        """New pods, which start under the policies."""
        self.progress("replacing the pods under the policies")
        self.replaced_ns = self.clock.now_ns()
        try:
            await self.stack.restart()
        except StackNotStarted as error:  # what the policies are judged for
            self.trouble = error.what.replace("\n", " ")
            self.progress(f"the new pods are not ready: {self.trouble}")
            return
        await self._ask(matrix, "replaced", since_ns=self.applied_ns)

    async def _observe(self, matrix: Matrix) -> None:
        through = await matrix.through_the_node_port()
        told = f"a pod without the label asked the Service's NodePort at a node: {through}"
        if through.works:
            told += ": there the pods see the node's address, which the load balancer's users have too. No policy tells"
            told += " the two apart while externalTrafficPolicy is Cluster"
        self.observed.append(told)
        self.progress(told)

    async def _bring_ingress(self, matrix: Matrix, clients: Clients) -> None:
        """Where it was asked for, and the rung can."""
        if not self.with_ingress or not isinstance(self.stack, WithIngress) or not isinstance(self.stack, ByKubectl):
            return
        self.front = Front(
            self.stack, self.fronted, self.plan, clients, matrix, clock=self.clock, progress=self.progress,
            evidence=self.evidence,
        )  # fmt: skip
        self.fronted_ns = self.clock.now_ns()
        await self.front.run()
        if self.front.seen.update is not None:
            self.observed.append(ingress_judge.update_told(self.front.seen.update))
        self.mark("ingress")

    async def _ask(self, matrix: Matrix, name: str, *, since_ns: int | None = None) -> None:
        """Rounds until one is as wanted, at most for the plan's time; the last one counts."""
        wanted = self.plan.paths if since_ns is not None else _all_open(self.plan)
        give_up_ns = self.clock.now_ns() + round(self.plan.enforced_within_s * NS)
        count = 0
        while True:
            count += 1
            asked = await matrix.ask(name, since_ns=since_ns)
            good = judge.as_wanted(wanted, asked)
            if good or self.clock.now_ns() >= give_up_ns:
                break
            await self.clock.sleep(_AGAIN_S)
        self.rounds[name] = asked
        for each in asked.attempts:
            told = f"{each.client} → {each.place} ({each.address}): {each.outcome}"
            self.evidence.event(asked.start_ns, "dial", f"pod/{each.pod}", told, round=name)
        ending = "as wanted" if good else "not as wanted"
        self.progress(f"{name}: {len(asked.attempts)} addresses asked, round {count} is {ending}")

    async def _under_load(self, load: StageProcesses, work: Coroutine[Any, Any, None]) -> None:
        """``work`` while users load the service, for the plan's time or longer."""
        plan = self.plan
        start_ns = self.clock.now_ns() + round(_LEAD_S * NS)
        step = Step(
            name="policies", arrivals=Arrivals.EVEN, seconds=plan.hold_s, users=ACCOUNTS, rate_per_s=plan.rate_per_s
        )
        self.loaded_ns = (start_ns, start_ns + round(plan.hold_s * NS))
        self.progress(f"{plan.rate_per_s:g} requests/s through the service for {plan.hold_s:g} s")
        async with asyncio.TaskGroup() as group:
            group.create_task(load.step(step, start_ns))
            group.create_task(work)
        self.evidence.gather()

    async def _admitted(self) -> StageProcesses:
        self.progress(f"signing in {ACCOUNTS} simulated users")
        return await self.admit(ACCOUNTS, request_timeout_s=_REQUEST_TIMEOUT_S)

    async def _stop_clients(self) -> None:
        if self.clients is not None:
            await self.clients.stop()

    # -- the ending ----------------------------------------------------------------------------------------------

    def _judged(self) -> list[NetworkFinding]:
        if self._lacking:
            return [*judge.not_exercised(self._lacking), *ingress_judge.not_exercised(self._lacking)]
        results = [
            judge.path_result(path, self.rounds.get("before"), self.rounds.get("after"), self.rounds.get("replaced"))
            for path in self.plan.paths
        ]
        events = [row for row in self.evidence.events if self.fronted_ns is None or row.at_ns < self.fronted_ns]
        wanted = self.protected.deployment.replicas
        return [
            judge.paths_finding(results, allowed=True),
            judge.paths_finding(results, allowed=False),
            judge.kubelet(events, self.applied_ns, self.replaced_ns, wanted=wanted, trouble=self.trouble),
            judge.users(self.evidence.requests, *self.loaded_ns, self.plan.most_failed),
            judge.opt_in(self.listed.get("before"), self.listed.get("after"), policies(self.protected)),
            judge.few_paths(results),
            *self._ingress_findings(),
        ]

    def _ingress_findings(self) -> list[NetworkFinding]:
        if not self.with_ingress:
            return ingress_judge.not_exercised(ingress_judge.NOT_ASKED)
        if not isinstance(self.stack, WithIngress):
            return ingress_judge.not_exercised(f"the environment {self.options.rung} brings no controller")
        seen = self.front.seen if self.front is not None else IngressEvidence(wanted=ingresses(self.fronted))
        return ingress_judge.findings(self.plan.ingress, seen)

    def write(self, report: NetworkReport) -> None:
        """Writes the report's files."""
        write_report(self.folder, report, language(self.options.lang))

    def document(self) -> NetworkReport:
        """What the report says."""
        findings = self._judged()
        seen = errata_seen(findings)
        rounds = [self.rounds.get(name) for name in ("before", "after", "replaced")]
        return NetworkReport(
            **self.facts(SCHEMA_VERSION, [each.verdict for each in findings], seen=seen),
            title=self.plan.title,
            manifests=self.options.manifests.name,
            findings=tuple(findings),
            paths=tuple(judge.path_result(path, *rounds) for path in self.plan.paths) if any(rounds) else (),
            rounds=tuple(each for each in rounds if each is not None),
            ingress=self.front.seen if self.front is not None else None,
            observed=tuple(self.observed),
            errata=tuple(each.id for each in seen),
        )


def _all_open(plan: NetworkPlan) -> tuple[NetworkPath, ...]:
    """The paths as they are without a policy."""
    return tuple(msgspec.structs.replace(path, allowed=True) for path in plan.paths)
