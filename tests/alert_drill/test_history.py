"""The made days: the pages go on with them, promtool takes them, and each budget crosses its limit in the drill and comes
back once its old outage is out of the window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.clock import NS, MachineClock
from harness.model.evidence import Side
from harness.rehearsals.alert_drill import watching
from harness.rehearsals.alert_drill.expected import due
from harness.rehearsals.alert_drill.exporter import STATUSES, RowCounter, pasts
from harness.rehearsals.alert_drill.types import BUDGET, PLAN, PROBES, USERS
from harness.rehearsals.alert_drill.watching import PrometheusBlocks, alerts
from harness.rules.objectives.files import defined
from harness.stack.kind.images import binaries
from tests.alert_drill.made import PLANNED, drilled
from tests.alert_drill.stub import StubRun


def test_each_page_goes_on_where_the_made_days_end() -> None:
    """A counter that began again, or lower, would be read as one that was reset."""
    made = [*pasts(PLAN).series()]
    seen = RowCounter(pasts(PLAN))
    page = {USERS: seen.users_page(), PROBES: seen.probes_page()}
    first = {job: dict(line.rsplit(" ", 1) for line in page[job].splitlines() if line[0] != "#") for job in page}
    assert {(each.job, each.series) for each in made} == {(job, name) for job in first for name in first[job]}
    for each in made:
        assert float(first[each.job][each.series]) == float(each.told(*each.past.end)), each.series


def test_what_users_may_see_is_told_before_anybody_sees_it() -> None:
    """A burst of 429 that is over within a scrape's distance was no increase to Prometheus, and the drill failed."""

    def told(seen: RowCounter) -> dict[str, float]:
        lines = [
            line.rsplit(" ", 1) for line in seen.users_page().splitlines() if line.startswith("http_requests_total")
        ]
        return {name: float(value) for name, value in lines}

    seen, alone = RowCounter(pasts(PLAN), STATUSES), told(RowCounter(pasts(PLAN)))
    before = told(seen)
    assert {name: before[name] for name in alone} == alone and not any(before[name] for name in before.keys() - alone)
    _, evidence = drilled()
    rows = [msgspec.structs.replace(row, status=status) for row in evidence.requests[:50] for status in STATUSES]
    seen.see(rows, ())
    after = told(seen)
    assert after.keys() == before.keys(), "no series is new"
    assert sum(after.values()) - sum(before.values()) == sum(row.side is Side.API for row in rows) > 0


def test_the_made_latencies_are_a_histogram() -> None:
    """Bucket by bucket no fewer, the last as many as there were; what is slow is above the objective's 0.5 s and the
    alert's 0.6."""
    bad, good = 100.0, 4000.0
    values = {each.series: float(each.told(bad, good)) for each in pasts(PLAN).series() if each.kind == "histogram"}
    buckets = [value for name, value in values.items() if "_bucket" in name]
    assert buckets == sorted(buckets)
    assert [value for name, value in values.items() if 'le="0.5"' in name or 'le="0.6"' in name] == [good, good]
    assert buckets[-1] == bad + good == next(value for name, value in values.items() if "_count" in name)


@pytest.mark.parametrize("objective", ["errors", "latency"])
def test_a_budget_of_seven_days_crosses_in_its_trial_and_comes_back_when_the_old_outage_leaves(objective: str) -> None:
    """Not at the first slow request, as without a history."""
    details, evidence = drilled()
    trial = {planted.trial: planted for planted in details.planted}[{"errors": "outage"}.get(objective, objective)]
    found = [
        each
        for each in due(PLANNED, alerts(PLANNED.objectives, PLANNED.scale), details, evidence)
        if (each.alert, each.objective) == (BUDGET, objective)
    ]
    (spell,) = found[0].spells
    assert trial.begun_ns < details.origin_ns + spell.fired_ms * 1_000_000 < trial.ended_ns
    assert spell.resolved_ms is not None
    assert abs(details.origin_ns + spell.resolved_ms * 1_000_000 - details.leaves_ns) < 2 * NS


@pytest.mark.process
async def test_promtool_makes_blocks_of_them(tmp_path: Path) -> None:
    """Three families; a line that it cannot read would end the drill before it began."""
    clock = MachineClock()
    await binaries.ensure(binaries.PROMETHEUS, print, only=("promtool",))
    on: Any = StubRun(msgspec.structs.replace(PLAN, objectives=defined()), tmp_path)
    on.details.history_ns = clock.now_ns()
    on.details.leaves_ns = on.details.history_ns + 600 * NS
    text = watching._open_metrics(on.plan, on)
    assert text.count("# TYPE") == 3
    data = PrometheusBlocks(tmp_path / "data")
    await data.backfill(binaries.PROMETHEUS.folder() / "promtool", text)
    assert any(data.folder.glob("*/meta.json"))
