"""Infrastructure and pipeline: a repository's files are read and judged. Nothing of them is run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.base.data import KUBERNETES
from harness.model.judgement import Judgement
from harness.model.message import message
from harness.model.section import Pairs, Section, table_of
from harness.rehearsal.rehearsal import Rehearsal, Seen
from harness.rehearsal.running import Running
from harness.rehearsals.infrastructure.judge import CLAIMS, judged
from harness.rehearsals.infrastructure.types import InfrastructureDetails, InfrastructurePlan


class Infrastructure(Rehearsal[InfrastructurePlan, InfrastructureDetails]):
    """The rehearsal. It has no figures."""

    name = "infrastructure"
    only_looks = True
    plan, details = InfrastructurePlan, InfrastructureDetails
    promised = CLAIMS

    async def run(self, plan: InfrastructurePlan, on: Running[InfrastructureDetails]) -> None:
        """Reads the repository."""
        from harness.rehearsals.infrastructure.reading import read  # HCL's grammar loads here

        on.phase("read", message("reading {folder}", folder=plan.repository))
        on.details.repository = read(Path(plan.repository), KUBERNETES / "document" if plan.printed else None)

    def judge(self, plan: InfrastructurePlan, seen: Seen[InfrastructureDetails]) -> Iterable[Judgement]:
        """From what was read."""
        return judged(plan, seen.details)

    def sections(self, plan: InfrastructurePlan, seen: Seen[InfrastructureDetails]) -> Iterator[Section]:
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


REHEARSAL = Infrastructure()
