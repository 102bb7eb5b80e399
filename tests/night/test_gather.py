"""One verdict of a night: what is missing counts as failed, and what contradicts itself too."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from night import gather, seeds
from night.jobs import Job, Step
from night.seeds import Failing

PASSED = '<testsuite><testcase classname="week" name="availability"/></testsuite>'
FAILED = '<testsuites><testsuite><testcase name="p95"><failure/></testcase></testsuite></testsuites>'
DIGEST = f"sha256:{'a' * 64}"
JOBS = (
    Job("one", "local", 5, (Step("first --seed {seed}"), Step("second", judged=False))),
    Job("two", "kind", 5, (Step("third"),), image="walk-api:rehearsed"),
)
KEPT = Failing("one", 7, ("first", "--seed", "7"), "2026-11-20", 3, 10)


def step(command: str, *, status: int = 0, judged: bool = True, junit: str = PASSED) -> dict[str, Any]:
    return {"command": command, "status": status, "good": status == 0, "judged": judged, "seconds": 2.0, "junit": junit}


def left(folder: Path, job: str, *steps: dict[str, Any], **facts: Any) -> None:
    """A job's folder, as the download of all artifacts lays it."""
    at = folder / f"night-{job}" / job
    at.mkdir(parents=True)
    for number, each in enumerate(steps):
        names = [f"step-{number}-junit.xml"] if each["junit"] else []
        for name in names:
            (at / name).write_text(each["junit"])
        each["junit"] = names
    result = {"job": job, "seed": 8, "replays": [], "steps": steps, "unreplayed": 0, "failing": [], **facts}
    began = ago(hours=7)  # it waited, and ran
    (at / "result.json").write_text(json.dumps({"image_digests": [], "began_utc": began, **result}))


def ago(*, hours: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat(timespec="seconds")


def whole(folder: Path) -> None:
    left(folder, "one", step("first --seed 8"), step("second", judged=False, junit=""))
    left(folder, "two", step("third"), image_digests=[DIGEST])


def night(folder: Path, **facts: Any) -> gather.Night:
    return gather.gather(JOBS, folder, facts.pop("yesterday", []), **facts)


def reasons(found: gather.Night) -> str:
    return " | ".join(f"{job.job}: {reason}" for job in found.jobs for reason in job.reasons)


def test_a_whole_night_is_green(tmp_path: Path) -> None:
    whole(tmp_path)
    found = night(tmp_path, image_digest=DIGEST, commit="c0ffee")
    assert (found.verdict, reasons(found), found.failing) == ("green", "", ())
    assert found.document()["image_digest"] == DIGEST
    assert "2 of 2 jobs are green" in gather.text(found)


def test_results_of_another_night_are_none_of_this_one(tmp_path: Path) -> None:
    """Artifacts are kept for weeks: one job that is run again would make all that was green then as fresh as itself."""
    left(tmp_path, "one", step("first --seed 8"), step("second", judged=False, junit=""), began_utc=ago(hours=25))
    left(tmp_path, "two", step("third"))
    found = night(tmp_path, yesterday=[KEPT])
    assert (found.verdict, reasons(found)) == ("red", "one: its result is of another night: it began 25 h ago")
    assert found.failing == (KEPT,)


def test_a_job_that_left_nothing_is_red_and_its_seeds_stay(tmp_path: Path) -> None:
    left(tmp_path, "two", step("third"))
    found = night(tmp_path, yesterday=[KEPT])
    assert found.verdict == "red"
    assert "one: it left no result" in reasons(found)
    assert found.failing == (KEPT,)


@pytest.mark.parametrize(
    ("steps", "facts", "said"),
    [
        ([step("first", status=10)], {}, "status 10: first | one: it ended before: second"),
        ([step("first")], {}, "it ended before: second"),
        ([step("first", junit="")], {}, "no JUnit file with a test: first"),
        ([step("first", junit="<testsuite/>")], {}, "no JUnit file with a test: first"),
        ([step("first", junit=FAILED)], {}, "1 failed: p95"),
        ([step("first", junit="<html/>")], {}, "is no JUnit but <html>"),
        ([step("first", junit="<tests")], {}, "cannot be read"),
        ([step("first")], {"unreplayed": 2}, "2 failing seeds were not replayed"),
        (
            [step("first")],
            {"replays": [step("first --seed 7", status=20)]},
            "fails again \\(status 20\\): first --seed 7",
        ),
        ([step("first")], {"failing": [{"job": "one"}]}, "does not read"),
    ],
)
def test_each_thing_against_a_job_makes_the_night_red(
    tmp_path: Path, steps: list[dict[str, Any]], facts: dict[str, Any], said: str
) -> None:
    left(tmp_path, "one", *(dict(each) for each in steps), **facts)
    left(tmp_path, "two", step("third"))
    found = night(tmp_path)
    assert found.verdict == "red"
    assert len([job for job in found.jobs if job.reasons]) == 1
    assert re.search(said, reasons(found)), reasons(found)


def test_a_result_that_is_no_json_is_red(tmp_path: Path) -> None:
    whole(tmp_path)
    (tmp_path / "night-one" / "one" / "result.json").write_text("{")
    found = night(tmp_path, yesterday=[KEPT])
    assert "one: its result does not read" in reasons(found)
    assert found.failing == (KEPT,)


def test_a_job_that_is_none_and_another_image_are_red(tmp_path: Path) -> None:
    whole(tmp_path)
    left(tmp_path, "three", step("x"))
    other = f"sha256:{'b' * 64}"
    found = night(tmp_path, image_digest=other)
    assert "three: it is no job of this night" in reasons(found)
    assert f"two: it rehearsed another image: {DIGEST}, not {other}" in reasons(found)
    assert "none rehearsed" in reasons(gather.gather(JOBS[:1], tmp_path, [], image_digest=other))


def test_a_seed_that_is_left_makes_the_night_red_and_is_told_with_its_replay(tmp_path: Path) -> None:
    left(tmp_path, "one", step("first"), step("second", judged=False), failing=seeds.encoded([KEPT, KEPT]))
    left(tmp_path, "two", step("third"))
    found = night(tmp_path)
    assert found.verdict == "red" and found.failing == (KEPT,)
    assert "| 2026-11-20 | 3 | 10 | one | `first --seed 7` |" in gather.text(found)


def test_a_seed_of_a_job_that_is_no_more_is_dropped_and_told(tmp_path: Path) -> None:
    whole(tmp_path)
    gone = Failing("renamed", 7, ("first", "--seed", "7"), "2026-11-20")
    found = night(tmp_path, yesterday=[gone])
    assert found.verdict == "green" and found.failing == ()
    assert "Dropped, for there is no job renamed any more: `first --seed 7`" in gather.text(found)


def test_the_names_of_a_junit_file_are_text_in_the_issue(tmp_path: Path) -> None:
    """They are a target's to choose: neither markup nor a mention, a link, a row of a table or a code of a terminal."""
    name = "&lt;img src=x&gt; | **x** @everyone [a](//b) `y` \u009b2J\u202e&#10;# head&#10;- [x] done"
    failed = f'<testsuite><testcase name="{name}"><failure/></testcase></testsuite>'
    left(tmp_path, "one", step("first --seed 8", junit=failed), step("second", judged=False, junit=""))
    left(tmp_path, "two", step("third"))
    (line,) = [line for line in gather.text(night(tmp_path)).splitlines() if "1 failed" in line]
    said = line.partition("1 failed: ")[2]
    assert said == (
        r"&lt;img src=x&gt; \| \*\*x\*\* @<!-- -->everyone \[a\](//b) \`y\` \\u009b2J\\u202e \# head - \[x\] done"
    )
    assert "# head" not in {*gather.text(night(tmp_path)).splitlines()}
