"""What is kept of a night: its steps, the runs that they left, the experiments of these, and what was not run."""

from __future__ import annotations

import lzma
import shutil
from pathlib import Path

import pytest
from night import gather, record, runs
from night.jobs import Job, Step
from night.record import Record

from harness.report.index import remember
from harness.report.published import RESULT, RESULT_JSON
from tests.night import ROOT
from tests.night.test_gather import DIGEST, FAILED, left, step

WEEK = "python3 -m harness run week3 --seed {seed}"
NIGHT = "python3 -m harness chaos_nightly --on local --count 4 --shard {}/2 --seed 9"


def of(jobs: tuple[Job, ...], found: Path, **facts: str) -> Record:
    return record.of(jobs, gather.gather(jobs, found, [], **facts), "7")


def stored(reports: Path, name: str) -> None:
    """A run of the corpus, as it lies in a folder of reports, with its line in the history."""
    folder = shutil.copytree(ROOT / "tests" / "corpus" / "today" / name, reports / name)
    (folder / "plan.json").write_bytes(lzma.decompress((folder / "plan.json.xz").read_bytes()))
    remember(folder, RESULT.read(folder / RESULT_JSON))


def test_the_runs_that_a_command_left_are_told_with_their_experiments(tmp_path: Path) -> None:
    stored(tmp_path, "week3_roll_back")
    before = runs.lines(tmp_path)
    stored(tmp_path, "chaos_passes")
    (tmp_path / runs.HISTORY).write_text((tmp_path / runs.HISTORY).read_text() + '{"run": "gone"}\ntorn')
    [chaos], [week] = (
        runs.left(tmp_path, before),
        runs.left(tmp_path, {"chaos_passes": runs.lines(tmp_path)["chaos_passes"]}),
    )
    assert week["replay"].startswith("python -m harness run ") and "availability" in record.english(week["reason"])
    ran = {**step(WEEK.format(seed=8), status=20), "runs": [week, chaos]}
    left(tmp_path / "found", "drills", ran)
    rows = of((Job("drills", "kind", 5, (Step(WEEK),)),), tmp_path / "found").rows
    assert [(*each.key, each.environment, each.passed, each.failed) for each in rows] == [
        ("rehearsal", "drills", "", "local", 0, 1),
        *(("experiment", name, "local", "local", 1, 0) for name in ("pod_kill", "database_cut", "database_failover")),
    ]  # what the environment lacks is none
    assert (rows[0].reason, rows[0].what) == (week["reason"], "run week3")


@pytest.mark.parametrize(("ran", "outcome"), [((1, 2), (2, 0, 0)), ((1,), (1, 0, 1)), ((), (0, 0, 2))])
def test_the_shards_of_a_job_are_one_row_and_one_that_did_not_run_is_missing(
    tmp_path: Path, ran: tuple[int, ...], outcome: tuple[int, int, int]
) -> None:
    shards = tuple(Job(f"chaos_{n}of2", "local", 5, (Step(NIGHT.format(n)),), of="chaos") for n in (1, 2))
    for number in ran:
        left(tmp_path, f"chaos_{number}of2", step(NIGHT.format(number)))
    [row] = of(shards, tmp_path).rows
    assert (row.passed, row.failed, row.missing) == outcome
    assert (row.name, row.what, row.environment) == ("chaos", "chaos_nightly --count 4", "local")


ONE = (Job("one", "local", 5, (Step("first --seed {seed}"), Step("second", judged=False)), image="walk-api"),)
OLD = {"job": "one", "seed": 7, "command": ["first", "--seed", "7"], "since": "2026-11-20", "nights": 3, "status": 10}


@pytest.mark.parametrize(
    ("steps", "facts", "outcomes", "said", "replay"),
    [
        ([step("first"), step("second")], {}, [(1, 0, 0), (1, 0, 0)], "", ""),
        ([step("first", status=10)], {}, [(0, 1, 0), (0, 0, 1)], "status 10: first", "first"),
        ([step("first", status=10)], {"failing": [OLD]}, [(0, 1, 0), (0, 0, 1)], "status 10: first", "first --seed 7"),
        ([step("first", junit=FAILED), step("second")], {}, [(0, 1, 0), (1, 0, 0)], "1 failed: p95", "first"),
        ([step("first"), step("second")], {"replays": [step("first x", status=1)]}, [(1, 1, 0), (1, 0, 0)], "again: first x", "first x"),
        ([step("first"), step("second")], {"image_digests": []}, [(1, 1, 0), (1, 0, 0)], "another image", "first"),
    ],
)  # fmt: skip
def test_a_step_that_anything_is_against_failed(
    tmp_path: Path, steps: list[dict[str, object]], facts: dict[str, object], outcomes: object, said: str, replay: str
) -> None:
    left(tmp_path, "one", *(dict(each) for each in steps), **{"image_digests": [DIGEST], **facts})
    found = of(ONE, tmp_path, image_digest=DIGEST, commit="c0ffee")
    assert [(each.passed, each.failed, each.missing) for each in found.rows] == outcomes
    assert said in record.english(found.rows[0].reason) and (found.commit, found.seed, found.run) == ("c0ffee", 8, "7")
    assert found.rows[0].replay == replay
