"""What a repository says of the document's infrastructure and pipeline, and what Google's promises come to. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from harness.judge.claimed import held, shown_as
from harness.model.judgement import Judgement
from harness.model.message import message
from harness.model.verdict import Verdict
from harness.rehearsals.infrastructure.judge_pipeline import pipeline
from harness.rehearsals.infrastructure.judge_terraform import terraform
from harness.rehearsals.infrastructure.types import InfrastructureDetails, InfrastructurePlan

CLAIMS = (
    "iac.everything", "iac.layout", "iac.autopilot", "iac.workload_pool", "iac.database.version", "iac.database.tier",
    "iac.database.ha", "iac.database.backup", "iac.database.log_retention", "iac.state", "iac.state.kms",
    "iac.secrets.environments",
    "security.iam.cloud_sql", "security.iam.secret_manager", "security.network.private_nodes",
    "security.scan.container", "security.scan.go_modules", "security.scan.dependabot",
    "cicd.trigger", "cicd.auth", "cicd.build", "strategy.versus.pipeline", "manifest.deployment.image",
    "operations.create_cluster", "operations.credentials", "phase2.terraform", "phase2.dockerfile",
    "checklist.iac.backend", "checklist.iac.environments", "checklist.security.scan", "requirements.availability_sla",
)  # fmt: skip


def judged(plan: InfrastructurePlan, details: InfrastructureDetails) -> Iterator[Judgement]:
    """Every claim, where the repository was read."""
    if details.repository is not None:
        for each in (*terraform(plan, details.repository), *pipeline(plan, details.repository)):
            yield each if plan.printed else _of_their_own(each)
        yield _availability(plan)


def _of_their_own(found: Judgement) -> Judgement:
    """Where the document's mistake stands in a repository of one's own, it is that repository's: it fails."""
    wrong = found.verdict is Verdict.ERRATUM_SHOWN
    return msgspec.structs.replace(found, verdict=Verdict.FAIL) if wrong else found


def _availability(plan: InfrastructurePlan) -> Judgement:
    """The parts in series: a request needs each."""
    of, claim = plan.tables.availability, "requirements.availability_sla"
    product = math.prod(each.promise for each in of.parts)
    told = message(
        "{parts}: {product} in series; the document prints {printed} and requires {required}",
        parts=", ".join(f"{each.part} {each.promise:.2%}" for each in of.parts),
        product=f"{product:.2%}",
        printed=f"{of.printed:.2%}",
        required=f"{of.required:.2%}",
    )
    if product < of.printed:
        return shown_as("", "requirements.sla_of_control_plane", told, claim=claim)
    return held("", claim, True, told)
