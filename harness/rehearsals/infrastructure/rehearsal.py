"""Infrastructure and pipeline: a repository's files are read and judged. Nothing of them is run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from harness.base.data import KUBERNETES
from harness.model.judgement import Expected, Judgement, Verdict
from harness.model.message import message
from harness.model.result import RunInfo
from harness.model.section import Pairs, Section, table_of
from harness.rehearsals.infrastructure.facts import PHRASES, facts
from harness.rehearsals.infrastructure.types import InfrastructureDetails, InfrastructurePlan
from harness.rules.rule import Fact
from harness.run.context import RunContext
from harness.run.rehearsal import Rehearsal, RunRecord

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
_OF_GOOGLE = "requirements.availability_sla"
#: An erratum that no claim is about.
OLD_REGISTRY = "manifest.gcr_shut_down"


class Infrastructure(Rehearsal[InfrastructurePlan, InfrastructureDetails]):
    """The rehearsal. It has no figures."""

    name = "infrastructure"
    figures = ("infrastructure",)
    only_looks = True
    plan, details = InfrastructurePlan, InfrastructureDetails
    promised = CLAIMS
    phrases = PHRASES

    def expected(self, plan: InfrastructurePlan, facts: RunInfo) -> Iterable[Expected]:
        """Of each claim, and of the registry that images lie in."""
        return (*super().expected(plan, facts), Expected("", OLD_REGISTRY, OLD_REGISTRY))

    async def run(self, plan: InfrastructurePlan, on: RunContext[InfrastructureDetails]) -> None:
        """Reads the repository."""
        from harness.rehearsals.infrastructure.reading import read  # HCL's grammar loads here

        on.phase("read", message("reading {folder}", folder=plan.repository))
        on.details.repository = read(Path(plan.repository), KUBERNETES / "document" if plan.printed else None)

    def measured(self, plan: InfrastructurePlan, seen: RunRecord[InfrastructureDetails]) -> Iterable[Fact]:
        """From what was read."""
        return () if seen.details.repository is None else facts(plan, seen.details.repository)

    def completed(
        self, plan: InfrastructurePlan, seen: RunRecord[InfrastructureDetails], found: Judgement
    ) -> Judgement:
        """A team's own repository has no errata: what stands in its files fails."""
        _ = seen
        return found if plan.printed or found.id == _OF_GOOGLE else _of_their_own(found)

    def sections(self, plan: InfrastructurePlan, seen: RunRecord[InfrastructureDetails]) -> Iterator[Section]:
        """What was read, and the resources."""
        found = seen.details.repository
        if found is None:
            return
        whose = message("what the document prints") if plan.printed else message("a repository of your own")
        yield Pairs(pairs=((message("Read"), whose),))
        yield table_of(
            message("Resources of Terraform"),
            found.resources,
            (message("Resource"), lambda each: f"{each.kind}.{each.name}"),
            (message("File"), lambda each: each.file),
        )


def _of_their_own(found: Judgement) -> Judgement:
    """Where the document's mistake stands in a repository of one's own, it is that repository's: it fails."""
    wrong = found.verdict is Verdict.ERRATUM_SHOWN
    return msgspec.structs.replace(found, verdict=Verdict.FAIL) if wrong else found


REHEARSAL = Infrastructure()
