"""What runs left of the rehearsals that have no stored run of use here, made by hand."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from harness.model.message import message
from harness.rehearsals.operations.seen.facts import Reviewed
from harness.rehearsals.operations.types import OperationsPlan, Task
from harness.run.rehearsal import RunRecord
from harness.stack.environments.identity import digest
from harness.stack.target.targets import bundled
from tests.alert_drill import made as alert_drill
from tests.corpus.today import Left
from tests.cost import made as cost
from tests.one_stack import small
from tests.operations import made as operations
from tests.rehearsal.made import facts, seen
from tests.soak import made as soak


def costs() -> Left:
    """The costs with a measured run of the target as it is now, which no stored run is of."""
    target = bundled()
    of: dict[str, Any] = {"target": target.name, "target_digest": digest(target)}
    run = msgspec.structs.replace(cost.RUN, **of, started_utc="1970-01-01T00:00:00Z")
    return Left("cost", cost.PLAN, seen(cost.details(run), **of, started_utc="1970-01-01T00:00:01Z"))


def review() -> Left:
    """An operator's weekly review of a cluster."""
    of = operations.details()
    of.reviewed = [Reviewed(claim="cost.total", state="shown", why=(message("kept"),), folder="run", age_s=60.0)]
    return Left("operations", OperationsPlan(task=Task.WEEKLY), seen(of))


def alerts() -> Left:
    """A drill of the alerts."""
    found, evidence = alert_drill.drilled()
    return Left("alert_drill", alert_drill.PLANNED, RunRecord(facts=facts(), details=found, evidence=evidence))


def one_stack() -> Left:
    """A small run in virtual time."""
    with tempfile.TemporaryDirectory() as folder:
        return small.left(Path(folder))


MADE: dict[str, Callable[[], Left]] = {
    "alert_drill": alerts,
    "cost": costs,
    "operations": review,
    "rollout_one_stack": one_stack,
    "soak": lambda: Left("soak", soak.PLAN, seen(soak.details())),
}
