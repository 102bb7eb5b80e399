"""The benches run, and what they compare is comparable. Nothing here is about speed."""

from __future__ import annotations

import ast
import math
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench import benches, harness_cpu, judging, recorder, report, stall
from bench.equality import Answer, without_times
from bench.load import plan_at
from bench.result import Figure, Result, text
from bench.server import Stall
from bench.stall import computed, nearest
from harness.base.home import runs_folder
from harness.base.ticks import NS
from harness.cli.main import main
from tests.rollout import synthetic
from tests.rules.evidence import every_criterion
from tests.sim.week import few, table, week

ROOT = Path(__file__).resolve().parents[2]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", "bench", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


@pytest.mark.slow
@pytest.mark.stack
def test_quick_runs_everything_and_finds_the_twins_answers_equal() -> None:
    before = set(runs_folder().glob("bench-*"))
    done = bench("--quick", "--json")
    assert done.returncode == 0, done.stderr
    results = {result.name: result for result in msgspec.json.decode(done.stdout, type=list[Result])}
    assert set(results) == {"api", "recorder", "report", "judge", "stall", "framework", "migration"}
    for result in results.values():
        assert all(math.isfinite(figure.value) for figure in result.figures)
    api = {figure.name: figure for figure in results["api"].figures}
    assert api["answers compared to the byte, all equal"].value >= 20
    assert api["list: requests/s, API / twin"].value > 0
    assert api["PUT: requests/s, API / twin"].value > 0
    stalled = {figure.name: figure.value for figure in results["stall"].figures}
    assert stalled["p99 computed of due times and the stall"] > 100
    assert stalled["p99 reported, open loop"] > 100
    assert set(runs_folder().glob("bench-*")) <= before  # PostgreSQL's folder is gone


@pytest.mark.slow
@pytest.mark.stack
def test_a_twin_that_answers_otherwise_is_refused(tmp_path: Path) -> None:
    # A copy of the bench whose twin says something else to one of the cases.
    for name in ("bench", "harness", "api", "scenarios"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "bench").unlink()
    subprocess.run(["cp", "-r", str(ROOT / "bench"), str(tmp_path / "bench")], check=True)
    store = tmp_path / "bench" / "twin" / "store.py"
    changed = store.read_text().replace("There is no such walk", "No such walk")
    assert changed != store.read_text()
    store.write_text(changed)
    script = "import asyncio, sys; from pathlib import Path; import bench.processes, bench.database as d\n"
    script += f"bench.processes.ROOT = d.ROOT = Path({str(tmp_path)!r})\n"
    script += "from harness.cli.main import main; sys.exit(main(['bench', '--quick', '--only', 'api']))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 31
    assert "the twin does not answer as the API does" in done.stderr
    assert "PUT of another's walk" in done.stderr
    assert done.stderr.count(" is not ") == 1


def test_the_twin_imports_nothing_of_the_api() -> None:
    for path in (ROOT / "bench" / "twin").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] in {"api", "harness", "scenarios"}], path


def test_the_full_sizes_are_loads_that_a_plan_may_have() -> None:
    """The whole bench is the night's: a rule of plans that refuses one of its sizes is to be seen before."""
    plan_at(1, users=recorder.FULL.users, pace_s=recorder.PACE_S)
    plan_at(1, users=stall.FULL.users, pace_s=stall.FULL.pace_s)
    users, pace_s, window_s, _ = report.FULL
    assert synthetic.Week(users=users, pace_s=pace_s, window_s=window_s).scenario.window_s == window_s
    assert users / pace_s * window_s >= 100_000, "or the limit is held to nothing"
    users, pace_s, window_s, _ = judging.FULL
    assert every_criterion(users=users, pace_s=pace_s, window_s=window_s).window_s == window_s
    assert users / pace_s * window_s > 100_000, "or the limit is held to nothing"


def test_the_measuring_window_of_a_stored_week_is_found(tmp_path: Path) -> None:
    seen = week(tmp_path, few(table(3), window_s=5))
    assert harness_cpu.window_of(seen.folder) == seen.window


def test_percentiles_of_due_times_and_a_stall() -> None:
    # 100 requests, one every 0.1 s; the stall holds those due from second 2 to 4: 20 of them.
    dues = [n * NS // 10 for n in range(100)]
    must = computed(dues, Stall(began_ns=2 * NS, ended_ns=4 * NS))
    assert must == {"p50": 0.0, "p95": 1500.0, "p99": 1900.0}
    assert nearest([3.0, 1.0, 2.0], 0.5) == 2.0


def test_only_times_are_left_out_of_the_comparison() -> None:
    one = Answer(200, ((b"content-length", b"40"),), b'{"updated_at":"2026-10-01T00:00:00.1Z","title":"a"}')
    same = Answer(200, ((b"content-length", b"39"),), b'{"updated_at":"2026-10-01T00:00:00Z","title":"a"}')
    other = Answer(200, ((b"content-length", b"39"),), b'{"updated_at":"2026-10-01T00:00:00Z","title":"b"}')
    assert without_times(one) == without_times(same) != without_times(other)


def test_the_text_names_limits_kept_and_not() -> None:
    figures = (
        Figure(name="a", value=0.7, unit="", limit=0.6, at_least=True, runs=(0.6, 0.7, 0.8)),
        Figure(name="b", value=0.7, unit="s", limit=0.6),
        Figure(name="c", value=0.7, unit="s"),
    )
    lines = text(Result(name="x", how="so", figures=figures)).splitlines()
    assert "(>= 0.6: kept)" in lines[1]
    assert "of 0.6 0.7 0.8" in lines[1]
    assert "NOT KEPT" in lines[2]
    assert "kept" not in lines[3].lower()


@pytest.mark.parametrize(
    ("value", "words", "status"),
    [
        (0.59, [], 10),
        (0.6, [], 0),
        (0.59, ["--quick"], 0),  # too short to say anything of speed
        (math.nan, [], 10),
    ],
)
def test_a_figure_beyond_its_limit_ends_in_a_status_of_its_own(
    value: float, words: list[str], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def measured(_folder: Path) -> Result:
        kept = Figure(name="kept", value=0.7, unit="s", limit=0.7)
        return Result(
            name="x", how="so", figures=(kept, Figure(name="a", value=value, unit="", limit=0.6, at_least=True))
        )

    monkeypatch.setitem(benches.FULL, "judge", measured)
    monkeypatch.setitem(benches.QUICK, "judge", measured)
    assert main(["bench", *words, "--only", "judge"]) == status
    told = capsys.readouterr().err
    assert told.partition("\n")[2] == (f"limit not kept: x: a: {value:.4g}, at least 0.6\n" if status else "")


@pytest.mark.process
def test_wrong_usage() -> None:
    assert bench("--only", "nothing").returncode == 2
