"""``network``: who reaches whom, with NetworkPolicies and without, and through an Ingress by HTTPS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from harness.checks.read_facts import READS_EXPECTED
from harness.model.judgement import Expected, Judgement, Verdict, expected_of, observation
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.result import RunInfo
from harness.model.section import Cell, Row, Section, Table, table_of
from harness.model.stack import Capability
from harness.rehearsals.network.facts import (
    PHRASES,
    ROUNDS,
    Path,
    facts,
    loads,
    node_port_told,
    outcomes,
    paths,
    seen_in,
)
from harness.rehearsals.network.facts_ingress import update_told
from harness.rehearsals.network.flow import NetworkCourse, fronted
from harness.rehearsals.network.types import ACCOUNTS, NetworkDetails, NetworkPlan, Scene
from harness.rules.fact import Fact
from harness.run.context import Options, RunContext
from harness.run.parts import answers
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.manifests.change import without_ingress, without_policies
from harness.stack.protocol import StackNeeds, WithOutside

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
