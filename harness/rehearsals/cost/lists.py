"""Lists of unit prices, and whose prices they have."""

from __future__ import annotations

from pathlib import Path

from harness.base import planfile
from harness.rehearsal.arguments import not_bundled
from harness.rehearsals.cost.month.prices import Prices
from harness.rehearsals.cost.month.tables import Tables


def listed(file: Path | None) -> Prices:
    """A team's list of prices, or the bundled one where none is named. Raises ``BadInput``."""
    return planfile.bundled("prices", Prices) if file is None else planfile.load(file, Prices)


def elsewhere(file: Path) -> bool:
    """Whether a list of prices is neither the bundled one nor of the region that the document runs in, whose prices
    are a team's to name. Raises ``BadInput``."""
    return not_bundled(file) and listed(file).region != planfile.bundled("cost", Tables).region
