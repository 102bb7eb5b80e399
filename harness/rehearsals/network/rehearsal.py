"""``network``: who reaches whom, with NetworkPolicies and without, and through an Ingress by HTTPS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from harness.checks.step_reads import READS_EXPECTED
from harness.judge.window import Window
from harness.model.evidence import Side
from harness.model.expected import Expected, expected_of
from harness.model.judgement import Judgement, observation
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.result import Facts
from harness.model.section import Cell, Row, Section, Table, table_of
from harness.model.stack import Capability
from harness.rehearsal.options import Options
from harness.rehearsal.rehearsal import Rehearsal, Seen
from harness.rehearsal.running import Running
from harness.rehearsals.network import judge, judge_ingress
from harness.rehearsals.network.flow import Course, fronted
from harness.rehearsals.network.types import NetworkDetails, NetworkPath, NetworkPlan
from harness.rehearsals.network.types_ingress import IngressEvidence, Scene
from harness.stack.manifests.change import without_ingress, without_policies
from harness.stack.protocol import StackNeeds, WithOutside

_SCENES = {
    Scene.KEPT_OUT: message("its pod without the label"),
    Scene.OPEN: message("on the way"),
    Scene.AS_WRITTEN: message("the component as it is"),
}
_ROUNDS = ("before", "after", "replaced")


class Network(Rehearsal[NetworkPlan, NetworkDetails]):
    """The rehearsal. It has no figures: paths work or are refused."""

    name = "network"
    plan, details = NetworkPlan, NetworkDetails

    #: Pods on nodes.
    needed: Mapping[str, tuple[Capability, ...]] = {"": (Capability.REAL_KUBERNETES,)}

    def expected(self, plan: NetworkPlan, facts: Facts) -> Iterator[Expected]:
        """Every check; and of a cluster, where there is load, what answers showed."""
        _ = plan
        yield from expected_of((*judge.CHECKS.items(), *judge_ingress.CHECKS.items()))
        if Capability.REAL_KUBERNETES in facts.capabilities:
            yield READS_EXPECTED

    def arrange(self, plan: NetworkPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """A stack without policies and without an Ingress: both are applied later."""
        _ = plan, manifests
        return StackNeeds(manifests=without_policies(without_ingress(fronted(options))))

    async def run(self, plan: NetworkPlan, on: Running[NetworkDetails]) -> None:
        """Every path, without the policies and with them; then the Ingress."""
        if isinstance(on.stack, WithOutside):
            await Course(plan, on, on.stack).run()

    def judge(self, plan: NetworkPlan, seen: Seen[NetworkDetails]) -> Iterable[Judgement]:
        """Of the paths, the kubelet, the users, the component; then of the Ingress; then what was seen besides."""
        reads = judge.reads(plan, seen.details, seen.evidence.requests, seen.facts)
        return [*_of_policies(plan, seen), *_of_ingress(plan, seen), *_observed(seen.details), *reads]

    def sections(self, plan: NetworkPlan, seen: Seen[NetworkDetails]) -> Iterable[Section]:
        """Every path over the rounds, and every request by HTTPS."""
        if seen.details.rounds:
            yield _paths_table(plan, seen.details)
        if seen.details.ingress is not None and seen.details.ingress.answers:
            yield _https_table(seen.details.ingress)


def _path_results(plan: NetworkPlan, details: NetworkDetails) -> list[Judgement]:
    """Every path of the plan over the rounds that were asked."""
    rounds = [details.rounds.get(name) for name in _ROUNDS]
    return [judge.path_judged(path, *rounds) for path in plan.paths]


def _of_policies(plan: NetworkPlan, seen: Seen[NetworkDetails]) -> list[Judgement]:
    details, results = seen.details, _path_results(plan, seen.details)
    until_ns, loaded = details.fronted_ns, Window(start_ns=details.loaded_ns[0], end_ns=details.loaded_ns[1])
    asked = details.rounds.get("replaced")
    events = [row for row in seen.evidence.events if until_ns is None or row.at_ns < until_ns]
    return [
        judge.paths(plan.paths, results, allowed=True),
        judge.paths(plan.paths, results, allowed=False),
        judge.kubelet(
            events,
            details.applied_ns,
            details.replaced_ns,
            wanted=details.replicas,
            trouble=details.trouble,
            asked_ns=None if asked is None else asked.start_ns,
        ),
        judge.users(seen.evidence.ledger.requests_due(loaded, Side.API), judge.due_of(plan, details), plan.most_failed),
        judge.opt_in(details.listed.get("before"), details.listed.get("after"), details.policies),
        judge.few_paths(plan.paths, results),
    ]


def _of_ingress(plan: NetworkPlan, seen: Seen[NetworkDetails]) -> list[Judgement]:
    checks = judge_ingress.CHECKS.items()
    if not plan.with_ingress:
        return judge.not_exercised(checks, judge_ingress.NOT_ASKED)
    if seen.details.brings_ingress is False:
        why = message("the environment {rung} brings no controller", rung=str(seen.facts.rung))
        return judge.not_exercised(checks, why)
    return judge_ingress.judgements(plan.ingress, seen.details.ingress or IngressEvidence(wanted=()))


def _observed(details: NetworkDetails) -> Iterator[Judgement]:
    if details.node_port is not None:
        yield observation("node_port", judge.node_port_told(details.node_port))
    if details.ingress is not None and details.ingress.update is not None:
        yield observation("ingress.update", (judge_ingress.update_told(details.ingress.update),))


def _paths_table(plan: NetworkPlan, details: NetworkDetails) -> Table:
    def seen_in(number: int) -> Callable[[tuple[NetworkPath, Judgement]], Cell]:
        asked = details.rounds.get(_ROUNDS[number])
        return lambda of: judge.outcomes(judge.seen_in(of[0], asked))

    return table_of(
        message("Paths between pods"),
        zip(plan.paths, _path_results(plan, details), strict=True),
        (message("Path"), lambda of: of[0].name),
        (message("Expected"), lambda of: message("allowed") if of[0].allowed else message("refused")),
        (message("Without policies"), seen_in(0)),
        (message("With policies"), seen_in(1)),
        (message("New pods under policies"), seen_in(2)),
        row=lambda of: Row(cells=(), verdict=of[1].verdict, lines=(of[0].why, *of[1].told)),
    )


def _https_table(seen: IngressEvidence) -> Table:
    return table_of(
        message("Through the Ingress"),
        seen.answers,
        (message("Request by HTTPS"), lambda each: each.ask),
        (message("Controller"), lambda each: _SCENES[each.scene]),
        (message("Outcome"), lambda each: each.told),
    )


REHEARSAL = Network()
