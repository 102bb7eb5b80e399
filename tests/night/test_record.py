"""What is kept of a night: its steps, the runs that they left, the experiments of these, and what was not run."""

from __future__ import annotations

import lzma
import shutil
from pathlib import Path

import pytest
from night import gather, record, runs
from night.jobs import Job, Step
from night.record import EXPERIMENT, REHEARSAL, Entry, Record

from harness.report.index import remember
from harness.report.published import RESULT, RESULT_JSON
from tests.night import ROOT
from tests.night.test_gather import DIGEST, FAILED, KEPT, left, step

CORPUS = ROOT / "tests" / "corpus" / "today"
NIGHT = "python3 -m harness chaos_nightly --on local --count 4 --shard {} --seed 9"


def of(jobs: tuple[Job, ...], found: Path, **facts: str) -> Record:
    night = gather.gather(jobs, found, [], **facts)
    return record.of(jobs, night, "7")


def row(found: Record, name: str) -> Entry:
    [entry] = [each for each in found.rows if each.name == name]
    return entry


def stored(reports: Path, name: str) -> None:
    """A run of the corpus, as it lies in a folder of reports, with its line in the history."""
    folder = reports / name
    shutil.copytree(CORPUS / name, folder)
    (folder / "plan.json").write_bytes(lzma.decompress((folder / "plan.json.xz").read_bytes()))
    remember(folder, RESULT.read(folder / RESULT_JSON))


def test_the_runs_that_a_command_left_are_told_with_their_experiments(tmp_path: Path) -> None:
    stored(tmp_path, "week3_roll_back")
    before = runs.lines(tmp_path)
    stored(tmp_path, "chaos_passes")
    (tmp_path / "history.jsonl").write_text((tmp_path / "history.jsonl").read_text() + '{"run": "gone"}\ntorn')
    [chaos] = runs.left(tmp_path, before)
    assert [(each["name"], each["good"]) for each in chaos["experiments"]] == [
        ("pod_kill", True),
        ("database_cut", True),
        ("database_failover", True),
    ]  # what the environment lacks is none
    [week] = runs.left(tmp_path, {"chaos_passes": runs.lines(tmp_path)["chaos_passes"]})
    assert (week["plan"], week["environment"], week["good"], week["experiments"]) == ("week3", "local", False, [])
    assert week["replay"].startswith("python -m harness run ") and "availability" in record.english(week["reason"])
    left(
        tmp_path / "found",
        "drills",
        {**step("python3 -m harness run week3 --seed 8", status=20), "runs": [week, chaos]},
    )
    found = of((Job("drills", "kind", 5, (Step("python3 -m harness run week3 --seed {seed}"),)),), tmp_path / "found")
    assert [(each.kind, each.name, each.environment) for each in found.rows] == [
        (REHEARSAL, "drills", "local"),
        *((EXPERIMENT, name, "local") for name in ("pod_kill", "database_cut", "database_failover")),
    ]
    assert row(found, "drills").reason == week["reason"] and row(found, "drills").what == "run week3"
    assert (row(found, "pod_kill").passed, row(found, "pod_kill").failed) == (1, 0)


@pytest.mark.parametrize(("ran", "outcome"), [((1, 2), (2, 0, 0)), ((1,), (1, 0, 1)), ((), (0, 0, 2))])
def test_the_shards_of_a_job_are_one_row_and_one_that_did_not_run_is_missing(
    tmp_path: Path, ran: tuple[int, ...], outcome: tuple[int, int, int]
) -> None:
    shards = tuple(Job(f"chaos_{n}of2", "local", 5, (Step(NIGHT.format(f"{n}/2")),), of="chaos") for n in (1, 2))
    for number in ran:
        left(tmp_path, f"chaos_{number}of2", step(NIGHT.format(f"{number}/2")))
    [entry] = of(shards, tmp_path).rows
    assert (entry.passed, entry.failed, entry.missing) == outcome
    assert (entry.name, entry.what, entry.environment) == ("chaos", "chaos_nightly --count 4", "local")


JOBS = (Job("one", "local", 5, (Step("first --seed {seed}"), Step("second", judged=False)), image="walk-api"),)


@pytest.mark.parametrize(
    ("steps", "facts", "outcomes", "said"),
    [
        ([step("first --seed 8"), step("second", judged=False, junit="")], {}, [(1, 0, 0), (1, 0, 0)], ""),
        ([step("first --seed 8", status=10)], {}, [(0, 1, 0), (0, 0, 1)], "status 10: first --seed 8"),
        ([step("first --seed 8", junit=FAILED), step("second")], {}, [(0, 1, 0), (1, 0, 0)], "1 failed: p95"),
        ([step("first --seed 8"), step("second")], {"replays": [step("first --seed 7", status=10)]}, [(1, 1, 0), (1, 0, 0)], "again: first --seed 7"),
        ([step("first --seed 8"), step("second")], {"image_digests": []}, [(1, 1, 0), (1, 0, 0)], "rehearsed another image"),
    ],
)  # fmt: skip
def test_a_step_that_anything_is_against_failed(
    tmp_path: Path, steps: list[dict[str, object]], facts: dict[str, object], outcomes: list[tuple[int, ...]], said: str
) -> None:
    left(tmp_path, "one", *(dict(each) for each in steps), **{"image_digests": [DIGEST], **facts})
    found = of(JOBS, tmp_path, image_digest=DIGEST, commit="c0ffee")
    assert [(each.passed, each.failed, each.missing) for each in found.rows] == outcomes
    assert said in record.english(found.rows[0].reason) and (found.commit, found.seed, found.run) == ("c0ffee", 8, "7")
    assert bool(found.rows[0].replay) == bool(outcomes[0][1])


def test_a_step_that_failed_is_replayed_by_the_seed_that_is_kept(tmp_path: Path) -> None:
    left(
        tmp_path,
        "one",
        step("first --seed 8", status=10),
        step("second"),
        failing=[{**vars(KEPT), "command": [*KEPT.command]}],
    )
    assert of(JOBS, tmp_path).rows[0].replay == "first --seed 7"
