"""``python -m harness cost``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.model.stack import Target
from harness.rehearsal.arguments import OnLocal, OwnPlan, WithTarget
from harness.rehearsal.command import option
from harness.rehearsals.cost.lists import elsewhere, listed
from harness.rehearsals.cost.month.tables import Tables
from harness.rehearsals.cost.types import CostPlan
from harness.report.published import folder_of
from harness.stack.targets import resolve


@dataclass(frozen=True, kw_only=True)
class Cost(OnLocal, OwnPlan, WithTarget):
    """The document's costs recomputed; the bill of a stored run.

    By a list of unit prices, which a team's own can replace, and by the pods, requests, logs and stored bytes of a
    stored run. It runs nothing.
    """

    name = "cost"
    example = "--prices ours.yaml --of latest"

    prices: Path | None = option(
        "unit prices of your own (default: scenarios/plans/prices.yaml)",
        Path,
        metavar="FILE",
        own=elsewhere,
        in_place=True,
    )
    of: str | None = option(
        "the stored run to measure by: its folder, or its name below the reports folder (default: the newest of the "
        "scenario that the plan names)",
        metavar="RUN",
    )

    def planned(self) -> CostPlan:
        from harness.rehearsals.cost.reading import newest  # evidence loads here

        tables = self.read(Tables)
        of = newest(self.reports, tables.measured_by) if self.of is None else folder_of(self.of, self.reports)
        return CostPlan(tables=tables, prices=listed(self.prices), of="" if of is None else str(of.resolve()))

    def asked(self) -> Target:
        return resolve(self.target)
