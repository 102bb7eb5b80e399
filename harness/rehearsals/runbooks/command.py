"""``python -m harness runbooks``."""

from __future__ import annotations

from dataclasses import dataclass

from harness.rehearsals.runbooks.types import RunbooksPlan
from harness.run.arguments import PartsOfPlan, Staged


@dataclass(frozen=True, kw_only=True)
class RunbooksCommand(PartsOfPlan, Staged):
    """The runbooks and the learning path, typed (kind).

    Every command of their pages, in order: a first deploy confirmed, a zone drained, the learning path.
    """

    name = "runbooks"
    example = "--on kind --only learning"

    def planned(self) -> RunbooksPlan:
        return self.read(RunbooksPlan)
