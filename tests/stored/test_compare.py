"""``compare A B``: a run against itself shows no change, a planted difference is found, a worse run ends in 10."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli import main
from harness.model.errors import Exit
from harness.model.evidence import Outcome, ProbeRow, RequestRow, Row, SampleRow, Side
from harness.model.run import Run
from harness.model.stack import Capability, Rung
from harness.model.verdict import Combined
from harness.stored.compare import Change, Comparison, FigureChange, compare
from harness.stored.folder import StoredRun
from harness.stored.observe import Observed, observe
from harness.stored.words import compared_words
from tests.report.synthetic import ANCHOR, CRITERIA, Week, generate
from tests.stored.folders import killed, plan, stored

Weeks = tuple[Run, list[Row]]
Both = tuple[StoredRun, Observed]
MS = 1_000_000


def seen(run: Run, rows: list[Row]) -> Both:
    """A run without a folder: comparing is pure."""
    held = StoredRun(folder="", run_id=run.run_id, scenario=plan(), run=run, machine={}, manifests={})
    return held, observe(rows, held.scenario, {}, ANCHOR)


def against(a: Both, b: Both) -> Comparison:
    return compare(*a, *b)


def changed(found: Comparison) -> dict[str, Change]:
    return {f.name: f.change for f in (*found.figures, *found.timings) if f.change is not Change.NONE}


def planted(rows: list[Row], change: Callable[[Any], Any], kind: type) -> list[Row]:
    """``change`` applied to each row of ``kind``."""
    return [change(row) if isinstance(row, kind) else row for row in rows]


@pytest.mark.parametrize("name", ["healthy", "rolled_back"])
def test_a_run_against_itself_shows_no_change(name: str, request: pytest.FixtureRequest) -> None:
    both = seen(*request.getfixturevalue(name))
    found = against(both, both)
    assert changed(found) == {}
    assert {c.change for c in found.criteria} == {Change.NONE}
    assert (found.worse, found.settings, found.not_comparable, found.exit_status) == ((), (), (), 0)
    assert all(f.a == f.b for f in found.figures)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.integers(10, 40), st.sampled_from([None, 3.0, 9.0]))
def test_any_run_against_itself_shows_no_change(seed: int, users: int, fault_at_s: float | None) -> None:
    week = Week(seed=seed, users=users, pace_s=5, window_start_s=2, stack_up_s=0, window_s=12, fault_at_s=fault_at_s)
    both = seen(*generate(week))
    found = against(both, both)
    assert changed(found) == {}
    assert found.exit_status == Exit.OK


def test_errors_that_were_planted_are_found_and_are_worse(healthy: Weeks, rolled_back: Weeks) -> None:
    found = against(seen(*healthy), seen(*rolled_back))
    assert changed(found)["availability"] is Change.WORSE
    assert changed(found)["api error ratio"] is Change.WORSE
    assert "availability" in found.worse
    assert "rollback.availability" in found.worse
    assert found.exit_status == Exit.HOLD
    assert found.not_comparable == ("window: 120 s and 39 s of 120 s",)
    back = against(seen(*rolled_back), seen(*healthy))
    assert changed(back)["availability"] is Change.BETTER
    assert back.exit_status == Exit.OK


def slower(by_ms: float) -> Callable[[RequestRow], RequestRow]:
    def change(row: RequestRow) -> RequestRow:
        if row.side is not Side.API:
            return row
        return msgspec.structs.replace(row, done_ns=row.done_ns + int(by_ms * MS))

    return change


def test_a_planted_latency_is_found_though_every_verdict_stays(healthy: Weeks) -> None:
    run, rows = healthy
    found = against(seen(run, rows), seen(run, planted(rows, slower(40), RequestRow)))
    assert {name for name, change in changed(found).items() if change is Change.WORSE} >= {
        "api latency p50",
        "api latency p95",
    }
    assert {c.change for c in found.criteria} == {Change.NONE}
    assert found.worse == ("api latency p95",)
    assert found.exit_status == Exit.HOLD


def test_a_difference_that_the_bounds_cannot_carry_is_not_shown(healthy: Weeks) -> None:
    run, rows = healthy
    found = against(seen(run, rows), seen(run, planted(rows, slower(0.2), RequestRow)))
    assert changed(found) == {}


@pytest.mark.parametrize(("failed", "shown"), [(3, False), (12, True)])
def test_failed_probes_are_a_change_once_they_are_enough(failed: int, shown: bool, healthy: Weeks) -> None:
    run, rows = healthy

    def fail(row: ProbeRow) -> ProbeRow:
        bad = row.probe_id % 100 == 50 and row.probe_id // 100 < failed
        return msgspec.structs.replace(row, outcome=Outcome.SERVER_ERROR) if bad else row

    found = against(seen(run, rows), seen(run, planted(rows, fail, ProbeRow)))
    assert ("availability" in changed(found)) is shown
    figure = next(f for f in found.figures if f.name == "availability")
    assert (figure.b.value, figure.b.samples) == (1 - failed / 1200, 1200)
    assert figure.b.lower is not None
    assert figure.b.upper is not None
    assert figure.b.lower < 1 - failed / 1200 < figure.b.upper


def test_cpu_memory_and_replicas(healthy: Weeks) -> None:
    run, rows = healthy

    def change(row: SampleRow) -> SampleRow:
        return msgspec.structs.replace(row, value=row.value * {"cpu_cores": 2, "replicas": 1.5}.get(row.metric, 1))

    found = against(seen(run, rows), seen(run, planted(rows, change, SampleRow)))
    assert changed(found) == {
        "cpu of all pods, median reading": Change.WORSE,
        "replicas, fewest": Change.HIGHER,
        "replicas, most": Change.HIGHER,
    }
    assert found.exit_status == Exit.OK  # none of them is judged by a criterion


def test_a_figure_that_no_criterion_is_about_does_not_make_a_run_worse(healthy: Weeks) -> None:
    run, rows = healthy
    few = msgspec.structs.replace(plan(), criteria=CRITERIA)

    def narrow(rows: list[Row]) -> Both:
        held, _ = seen(run, rows)
        return msgspec.structs.replace(held, scenario=few), observe(rows, few, {}, ANCHOR)

    found = against(narrow(rows), narrow(planted(rows, slower(40), RequestRow)))
    assert changed(found)["api latency p95"] is Change.WORSE
    assert found.exit_status == Exit.OK


def test_a_comparison_of_nothing_that_is_judged_holds_and_says_so(healthy: Weeks) -> None:
    run, rows = healthy
    nothing = msgspec.structs.replace(plan(), criteria=())
    held, _ = seen(run, rows)
    both = (msgspec.structs.replace(held, scenario=nothing), observe(rows, nothing, {}, ANCHOR))
    found = against(both, both)
    assert (found.exit_status, found.combined) == (Exit.HOLD, Combined.NOTHING_EXERCISED)
    assert "nothing was compared" in compared_words(found)


def test_timings_are_shown_and_never_a_difference(healthy: Weeks) -> None:
    run, rows = healthy
    other = msgspec.structs.replace(run, timings={**run.timings, "stack_up": 99.0})
    found = against(seen(run, rows), seen(other, rows))
    stack_up = next(t for t in found.timings if t.name == "stack_up")
    assert isinstance(stack_up, FigureChange)
    assert (stack_up.b.value, stack_up.change) == (99.0, Change.NONE)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"rung": Rung.SIM}, "rung: local and sim"),
        ({"target": "go-api"}, "target: walk-api and go-api"),
    ],
)
def test_runs_that_are_not_comparable_by_report(change: dict[str, Any], reason: str, healthy: Weeks) -> None:
    run, rows = healthy
    found = against(seen(run, rows), seen(msgspec.structs.replace(run, **change), rows))
    assert found.not_comparable == (reason,)


def test_runs_of_another_pace_are_not_comparable(healthy: Weeks) -> None:
    held, observed = seen(*healthy)
    population = msgspec.structs.replace(held.scenario.population, pace_s=25.0)
    other = msgspec.structs.replace(held, scenario=msgspec.structs.replace(held.scenario, population=population))
    found = against((held, observed), (other, observed))
    assert found.not_comparable == ("pace: 50 s and 25 s",)
    assert [s.name for s in found.settings] == ["scenario.population.pace_s"]


def test_settings_manifests_and_machine_are_named_by_place(healthy: Weeks) -> None:
    held, observed = seen(*healthy)
    a = msgspec.structs.replace(
        held,
        machine={"cpu_count": 2, "wall_clock": {"started": "1"}},
        manifests={"folder": "x", "documents": {"HPA": {"spec": {"metrics": [{"name": "cpu", "target": 70}]}}}},
    )
    run = msgspec.structs.replace(healthy[0], seed=8, capabilities=(Capability.REAL_PROCESSES,))
    b = msgspec.structs.replace(
        held,
        run=run,
        machine={"cpu_count": 4, "wall_clock": {"started": "2"}},
        manifests={"folder": "y", "documents": {"HPA": {"spec": {"metrics": [{"name": "cpu", "target": 80}]}}}},
    )
    found = {s.name: (s.a, s.b) for s in against((a, observed), (b, observed)).settings}
    assert found["run.seed"] == ("7", "8")
    assert found["machine.cpu_count"] == ("2", "4")
    assert found["manifests.documents.HPA.spec.metrics.cpu.target"] == ("70", "80")
    assert not any("wall_clock" in name or "folder" in name for name in found)


def test_the_command_prints_tables_and_json(good: Path, bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(good), str(good)]) == Exit.OK
    told = capsys.readouterr().out
    assert "B is no worse in anything that is judged" in told
    assert "settings, manifests and machine: the same" in told
    assert main(["compare", str(good), str(bad)]) == Exit.HOLD
    told = capsys.readouterr().out
    assert "NOT COMPARABLE" in told
    assert "B is WORSE in: " in told
    assert main(["compare", str(good), str(bad), "--json"]) == Exit.HOLD
    document = capsys.readouterr().out
    found = msgspec.json.decode(document, type=Comparison)
    assert found.exit_status == json.loads(document)["exit_status"] == Exit.HOLD


def test_a_killed_run_is_compared_by_its_evidence(
    healthy: Weeks, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = killed(tmp_path / "run", *healthy)
    assert main(["compare", str(good), str(folder)]) == Exit.OK
    told = capsys.readouterr().out
    assert "left no run.json: its environment and target are not known" in told


def test_a_run_that_never_began_its_window_is_worse(healthy: Weeks, good: Path, tmp_path: Path) -> None:
    run, rows = healthy
    folder = stored(tmp_path / "run", msgspec.structs.replace(run, decision=None, windows=()), rows[:5])
    assert main(["compare", str(good), str(folder)]) == Exit.HOLD


def test_bad_input(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(good), str(tmp_path / "none")]) == Exit.USAGE
    broken = shutil.copytree(good, tmp_path / "broken")
    (broken / "run.json").write_text("{")
    assert main(["compare", str(broken), str(good)]) == Exit.USAGE
    assert "to do: " in capsys.readouterr().err
