"""``python -m harness cost``.

Lists of unit prices, and whose prices they have.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.base import planfile
from harness.model.stack import Target
from harness.rehearsals.cost.month.prices import Prices
from harness.rehearsals.cost.month.tables import CostTables
from harness.rehearsals.cost.types import CostPlan
from harness.report.published import folder_of
from harness.run.arguments import OnLocal, OwnPlan, WithTarget, not_bundled
from harness.run.command import option
from harness.stack.target.targets import resolve


def listed(file: Path | None) -> Prices:
    """A team's list of prices, or the bundled one where none is named. Raises ``BadInput``."""
    return planfile.bundled("prices", Prices) if file is None else planfile.load(file, Prices)


def elsewhere(file: Path) -> bool:
    """Whether a list of prices is neither the bundled one nor of the region that the document runs in, whose prices
    are a team's to name. Raises ``BadInput``."""
    return not_bundled(file) and listed(file).region != planfile.bundled("cost", CostTables).region


@dataclass(frozen=True, kw_only=True)
class CostCommand(OnLocal, OwnPlan, WithTarget):
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

        tables = self.read(CostTables)
        of = newest(self.reports, tables.measured_by) if self.of is None else folder_of(self.of, self.reports)
        return CostPlan(tables=tables, prices=listed(self.prices), of="" if of is None else str(of.resolve()))

    def asked(self) -> Target:
        return resolve(self.target)
