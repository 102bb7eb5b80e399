"""The bundled tables and prices, a pod as the document's manifests have it, and a run that was measured."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.base import planfile
from harness.base.data import KUBERNETES
from harness.model.judgement import Judgement
from harness.rehearsals.cost.month.prices import Prices
from harness.rehearsals.cost.month.tables import CostTables
from harness.rehearsals.cost.rehearsal import REHEARSAL, pod_of
from harness.rehearsals.cost.types import CostDetails, CostPlan, MeasuredUsage, PodSizes
from harness.stack.manifests import load
from tests.rehearsal.made import by_id, facts, seen

#: As ``nox -s cost`` has it: prices of another region than the document's.
BUNDLED = CostPlan(tables=planfile.bundled("cost", CostTables), prices=planfile.bundled("prices", Prices))
#: The same prices as a list of the document's own region.
PLAN = CostPlan(tables=BUNDLED.tables, prices=msgspec.structs.replace(BUNDLED.prices, region=BUNDLED.tables.region))
POD = pod_of(load(KUBERNETES / "document"))
FACTS = facts()
RUN = MeasuredUsage(
    run_id="week", rehearsal="rollout_week", plan="rollout_week4", rung="local", target=FACTS.target,
    target_digest=FACTS.target_digest, started_utc="2025-12-30T00:00:00Z", broke=False, seconds=330.0, users=500,
    requests=3300, walks=400, kept_walks=330, photo_walks=400, pods=2.5, log_bytes=3300 * 400, database_bytes=5_000_000, photo_bytes=200_000,
    connections=20, max_connections=100,
)  # fmt: skip


def changed(plan: CostPlan = PLAN, **fields: Any) -> CostPlan:
    """``plan`` with other fields, each named by its place: ``printed__total_usd``, ``prices__pods__commitment``."""
    made: Any = plan
    for place, value in fields.items():
        root = () if place.startswith("prices") else ("tables",)
        made = _with(made, (*root, *place.split("__")), value)
    assert isinstance(made, CostPlan)
    return made


def _with(struct: Any, path: tuple[str, ...], value: Any) -> Any:
    first, *rest = path
    inner = _with(getattr(struct, first), tuple(rest), value) if rest else value
    return msgspec.structs.replace(struct, **{first: inner})


def of_document(plan: CostPlan = PLAN, pod: PodSizes = POD) -> dict[str, Judgement]:
    """What is said of the tables, by id."""
    return by_id(REHEARSAL.by_rules(plan, seen(CostDetails(pod=pod))), part="document")


def of_run(plan: CostPlan = PLAN, run: MeasuredUsage | None = RUN, **fields: Any) -> dict[str, Judgement]:
    """What is said by the run with other fields, by id."""
    made = None if run is None else msgspec.structs.replace(run, **fields)
    return by_id(REHEARSAL.by_rules(plan, seen(details(made))), part="measured")


def details(run: MeasuredUsage | None = RUN) -> CostDetails:
    """What a run of the rehearsal leaves."""
    return CostDetails(pod=POD, measured=run)
