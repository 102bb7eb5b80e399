"""A team's rules over a stored run: a drill's with its breaches and made days, any other as it was."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.base.clock import NS
from harness.base.errors import BadInput
from harness.evidence.gathered import stored
from harness.rehearsal.conduct import PLAN_JSON
from harness.rehearsal.running import Running
from harness.rehearsals.alert_drill.theirs.asking import asked
from harness.rehearsals.alert_drill.theirs.course import of_drill, of_run
from harness.rehearsals.alert_drill.theirs.facts import Asked
from harness.rehearsals.alert_drill.types import AlertDrillDetails, AlertDrillPlan
from harness.report.published import RESULT, RESULT_JSON


async def of_stored(plan: AlertDrillPlan, on: Running[AlertDrillDetails]) -> Asked:
    """What the plan's rules do over the run in its folder ``of``. Raises ``BadInput`` where that holds none."""
    folder, now_s = Path(plan.of), on.clock.wall_ns() / NS
    result = RESULT.read(folder / RESULT_JSON)
    evidence = stored(folder, result.evidence_digest)
    if not evidence.requests and not evidence.probes:
        raise BadInput("the run holds no request and no probe", where=str(folder), remedy="name a run with users")
    course = of_run(evidence, now_s)
    if result.rehearsal == "alert_drill":
        details = msgspec.convert(result.details, AlertDrillDetails)
        drilled = msgspec.json.decode((folder / PLAN_JSON).read_bytes(), type=AlertDrillPlan)
        if details.asked_ns:
            course = of_drill(drilled, details, now_s)
    found = await asked(plan.theirs, course, evidence, on)
    return msgspec.structs.replace(found, run=result.run_id)
