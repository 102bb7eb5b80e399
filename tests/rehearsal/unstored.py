"""What runs left of which the corpus has none: their rehearsals came after it. By rehearsal, or by what is told of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from harness.contract.grade import Finding, Grade
from harness.contract.run import CheckRun, Deviation
from harness.model.message import message
from harness.rehearsal.rehearsal import Seen
from harness.rehearsals.network.types import Attempt, NetworkDetails, Round
from harness.rehearsals.network.types_ingress import Outcome
from harness.rehearsals.operations.seen.facts import Reviewed
from harness.rehearsals.operations.types import OperationsPlan, Task
from harness.rehearsals.security.checks import ALL
from harness.rehearsals.security.types import SecurityDetails, SecurityPlan
from harness.stack.identity import digest
from harness.stack.targets import bundled
from tests.alert_drill import made as alert_drill
from tests.corpus import again
from tests.corpus.again import Again
from tests.cost import made as cost
from tests.infrastructure import made as infrastructure
from tests.migration import drilled
from tests.one_stack import small
from tests.operations import made as operations
from tests.rehearsal.made import seen
from tests.runbooks import made as runbooks

ASKED = "network, every path asked"


def network() -> Again:
    """A network whose every path was asked, and was as the plan wants it: no run of it could be stored."""
    nothing = again.converted("network_interrupted")
    details = NetworkDetails(
        policies=("policy",), replicas=2, applied_ns=1, listed={"before": (), "after": ("policy",)}
    )
    for name in ("before", "after", "replaced"):
        attempts = tuple(
            Attempt(client=each.client, place=each.place, pod="p", address="10.0.0.1:80",
                    outcome=Outcome.ANSWERED if each.allowed or name == "before" else Outcome.TIMED_OUT)
            for each in nothing.plan.paths
        )  # fmt: skip
        details.rounds = {**details.rounds, name: Round(name=name, attempts=attempts)}
    facts = msgspec.structs.replace(nothing.seen.facts, errors=())
    return replace(nothing, seen=Seen(facts=facts, details=details, evidence=nothing.seen.evidence))


def security() -> Again:
    """Every check of security made of the bundled API, one with a finding."""
    whole = again.converted("conformance_whole")
    wrong = Deviation(expected="401", got="status 200", grade=Grade.CONTRACT, finding=Finding.LEAK)
    checks = [CheckRun(id=check.id, sentence=check.sentence, source=check.source) for check in ALL]
    checks[0] = msgspec.structs.replace(checks[0], deviation=wrong, curl="curl x", request_file="requests/x.http")
    facts = msgspec.structs.replace(whole.seen.facts, errors=())
    left = Seen(facts=facts, details=SecurityDetails(checks=checks), evidence=whole.seen.evidence)
    return Again("security", SecurityPlan(), left)


def costs() -> Again:
    """The costs with a run of this very target that was measured: there were none before there was one result."""
    target = bundled()
    of: dict[str, Any] = {"target": target.name, "target_digest": digest(target)}
    run = msgspec.structs.replace(cost.RUN, **of, started_utc="1970-01-01T00:00:00Z")
    return Again("cost", cost.PLAN, seen(cost.details(run), **of, started_utc="1970-01-01T00:00:01Z"))


def review() -> Again:
    """An operator's weekly review of a cluster."""
    of = operations.details()
    of.reviewed = [Reviewed(claim="cost.total", state="shown", why=(message("kept"),), folder="run", age_s=60.0)]
    return Again("operations", OperationsPlan(task=Task.WEEKLY), seen(of))


def alerts() -> Again:
    """A drill of the alerts."""
    found, evidence = alert_drill.drilled()
    facts = again.converted("mirror_stop_steps").seen.facts
    return Again("alert_drill", alert_drill.PLANNED, Seen(facts=facts, details=found, evidence=evidence))


def one_stack() -> Again:
    """A small run in virtual time."""
    with tempfile.TemporaryDirectory() as folder:
        return small.left(Path(folder))


MADE: dict[str, Callable[[], Again]] = {
    ASKED: network,
    "alert_drill": alerts,
    "cost": costs,
    "migration_drill": lambda: Again("migration_drill", drilled.PLAN, seen(drilled.details(), drilled.requests())),
    "operations": review,
    "rollout_one_stack": one_stack,
    "infrastructure": lambda: Again("infrastructure", infrastructure.PRINTED, seen(infrastructure.details())),
    "runbooks": lambda: Again("runbooks", runbooks.PLAN, seen(runbooks.details())),
    "security": security,
}
