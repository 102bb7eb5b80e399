"""The plan of a drill with a team's own alerts: besides the drill, or alone, about a stored run."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.base.errors import BadInput
from harness.model.message import marked
from harness.rehearsals.alert_drill.theirs.files import read
from harness.rehearsals.alert_drill.types import AlertDrillPlan
from harness.report.published import folder_of

_TITLE = marked("A team's own alerts, asked about a stored run")


def with_theirs(plan: AlertDrillPlan, alerts: Path | None, of: str | None, reports: Path) -> AlertDrillPlan:
    """The plan with the alerts of that folder; of a stored run it drills nothing. Raises ``BadInput``."""
    if alerts is None:
        if of is not None:
            raise BadInput("--of says whose evidence --alerts asks about", where="--of", remedy="add --alerts DIR")
        return plan
    plan = msgspec.structs.replace(plan, theirs=read(alerts))
    if of is None:
        return plan
    folder = str(folder_of(of, reports))
    return msgspec.structs.replace(plan, name="alert_check", title=_TITLE, claims=(), of=folder)
