"""``python -m harness infrastructure``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.base.data import DOCUMENT
from harness.base.errors import BadInput
from harness.model.message import message
from harness.model.stack import Target
from harness.rehearsals.infrastructure.types import CHECKOUT, PRINTED, InfrastructurePlan, InfrastructureTables
from harness.run.arguments import OnLocal, OwnPlan, WithTarget
from harness.run.command import option
from harness.stack.target.targets import resolve


@dataclass(frozen=True, kw_only=True)
class InfrastructureCommand(OnLocal, OwnPlan, WithTarget):
    """Terraform, workflows, gcloud commands: read and judged.

    Of what the document prints, or of a checkout of your own. It runs nothing of them, and asks no cloud.
    """

    name = "infrastructure"
    example = "--repository ../backend"

    repository: Path | None = option(
        "a checkout of your own (default: deploy/document, what the document prints)", Path, metavar="DIR"
    )

    def planned(self) -> InfrastructurePlan:
        folder = self.repository or DOCUMENT
        if not folder.is_dir():
            none = message("there is no folder {folder}", folder=str(folder))
            raise BadInput(none, where="--repository", remedy="name a checkout")
        printed = self.repository is None
        name = PRINTED if printed else CHECKOUT
        tables = self.read(InfrastructureTables)
        return InfrastructurePlan(name=name, tables=tables, repository=str(folder.resolve()), printed=printed)

    def asked(self) -> Target:
        return resolve(self.target)
