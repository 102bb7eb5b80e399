"""The jobs of a night: every command is one that the command line takes, and a wrong file is refused with its place."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from night import jobs
from night.command import RESULTS
from night.command import parser as night_parser
from night.errors import Trouble
from nox import registry

import noxfile  # noqa: F401 - it makes the sessions
from bench import benches
from harness.cli.main import main, parse
from tests.mutants import kept
from tests.night import ROOT

EXAMPLE = ROOT / "examples" / "walk-api" / "rehearsal"
WORKFLOW = ROOT / ".github" / "workflows" / "nightly.yml"
FILES = (jobs.OURS, EXAMPLE / "pull_request.json", EXAMPLE / "night.json")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_step_is_a_command_that_exists(path: Path) -> None:
    sessions = registry.get()
    for job in jobs.read(path):
        for step in job.steps:
            words = step.words(7)
            if words[:3] == ["python3", "-m", "harness"]:
                given = parse(words[3:])
                assert getattr(given, "seed", 7) == 7, f"{job.name} takes the night's seed"
            elif words[:2] == ["python3", ".ci/nightly"]:
                night_parser().parse_args(words[2:])
            elif words[0] in {"go", "cp"}:
                assert not step.judged
            else:
                assert words[:3] == ["python3", "noxfile.py", "-s"]
                assert words[3] in sessions
                own = words[3] == "nightly"  # it writes one for each of its runs of pytest
                assert own or not step.judged or any(word.startswith("--junitxml=reports/tests/") for word in words)


def typed(path: Path) -> list[list[str]]:
    """What a file of jobs types behind ``python3 -m harness`` to rehearse something."""
    lines = [step.words(7) for job in jobs.read(path) for step in job.steps if step.judged]
    return [words[3:] for words in lines if words[:3] == ["python3", "-m", "harness"]]


@pytest.mark.process  # a folder of somebody's own is rendered
@pytest.mark.parametrize(
    "words", [words for path in FILES for words in typed(path)], ids=lambda words: " ".join(map(str, words))
)
def test_every_command_line_is_accepted_up_to_where_it_would_begin(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the two checkouts that docs/night.md tells of; what was typed is refused before anything is begun."""
    begun: list[object] = []

    def run_to_end(make: object, *_: object, **__: object) -> int:
        begun.append(make)
        return 0

    for module in ("harness.run.arguments", "harness.run.resuming"):
        monkeypatch.setattr(f"{module}.run_to_end", run_to_end)
    backend = tmp_path / "backend"
    shutil.copytree(ROOT / "deploy" / "kubernetes", backend / "deploy")
    shutil.copytree(backend / "deploy" / "overlays" / "kind", backend / "deploy" / "overlays" / "production")
    shutil.copytree(EXAMPLE, backend / "rehearsal")
    (backend / "walk-api").write_text("#!/bin/sh\n")  # the step before builds it
    (backend / "walk-api").chmod(0o755)
    (tmp_path / "rehearsal").mkdir()
    monkeypatch.chdir(tmp_path / "rehearsal")
    assert main([*words, "--reports", str(tmp_path / "reports")]) == 0
    assert len(begun) == 1


def test_what_is_compared_is_made_by_the_steps_before_it() -> None:
    (job,) = [each for each in jobs.read(jobs.OURS) if each.name == "scaling_compared"]
    *made, last = [step.words(7) for step in job.steps]
    assert last == ["python3", ".ci/nightly", "compared", "scaling", "kind", "local"]
    assert [words[words.index("--on") + 1] for words in made] == ["kind", "local"]


def test_the_night_has_the_jobs_that_issue_12_names() -> None:
    lines = {job.name: " ; ".join(step.run for step in job.steps) for job in jobs.read(jobs.OURS)}
    for command in ("rollout --on local", "rollout --on kind", "network --on kind --ingress", "deploy_rehearsal --on kind",
                    "mirror_stop", "flag_proof", "conformance --fuzz 60", "week-on-kube"):  # fmt: skip
        assert any(command in line for line in lines.values()), command
    assert len(lines) > 25


def test_what_no_push_runs_of_the_tests_has_a_judged_job() -> None:
    """The floor of coverage ends the session in 1, whatever the tests say."""
    steps = [step for job in jobs.read(jobs.OURS) for step in job.steps if "noxfile.py" in step.run]
    assert sorted(step.words(7)[3] for step in steps if step.judged) == ["coverage", "nightly", "oracle"]
    assert [step.words(7)[3] for step in steps if not step.judged] == ["mutants"], "which has figures and no verdict"
    assert all(step.good == (0,) for step in steps)


def test_the_mutants_of_a_night_are_kept_with_its_reports() -> None:
    """In the folder of the job's own result, which is there when its steps begin, and which the workflow uploads whole."""
    (job,) = [each for each in jobs.read(jobs.OURS) if each.name == "mutants"]
    measured, copied = [step.words(7) for step in job.steps]
    assert measured[3:5] == ["mutants", "--"] and float(measured[measured.index("--minutes") + 1]) < job.minutes
    cp, *files, into = copied
    assert cp == "cp" and [ROOT / each for each in files] == [kept.FILE, kept.REASONS]
    assert ROOT / into == RESULTS / job.name
    (upload, _) = re.findall(r"^ +path: (reports\S*)$", WORKFLOW.read_text(), re.MULTILINE)
    assert ROOT / upload == RESULTS


def test_the_limits_of_every_bench_are_held_by_night() -> None:
    """No push holds them; a step without a verdict still fails by the bench's own status."""
    steps = [step for job in jobs.read(jobs.OURS) for step in job.steps if step.words(7)[3:4] == ["bench"]]
    assert [step.words(7)[4:] for step in steps] == [[], ["--only", ",".join(benches.NAMED)]]
    assert all(step.good == (0,) and not step.judged for step in steps)


def test_a_job_fits_github_s_six_hours_with_its_replays() -> None:
    for job in jobs.read(jobs.OURS):
        assert job.timeout_minutes <= 355, job.name
    included = jobs.matrix(jobs.read(jobs.OURS))["include"]
    assert {"job", "needs", "minutes"} == set(included[0])


def test_a_job_in_shards_is_a_job_for_each(tmp_path: Path) -> None:
    path = tmp_path / "jobs.json"
    path.write_text(json.dumps([{**GOOD, "shards": 3, "steps": [{"run": "true {shard} {seed}"}]}]))
    found = jobs.read(path)
    words = [["true", f"{number}/3", "7"] for number in (1, 2, 3)]
    assert [job.steps[0].words(7) for job in found] == words and {job.of for job in found} == {"a"}
    assert [entry["job"] for entry in jobs.matrix(found)["include"]] == ["a_1of3", "a_2of3", "a_3of3"]


GOOD = {"name": "a", "needs": "local", "minutes": 5, "steps": [{"run": "true"}]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "without a job"),
        ({}, "is no list"),
        ([{**GOOD, "needs": "root"}], "needs is one of local, kind"),
        ([{**GOOD, "minutes": 200}], "minutes is 1 to 170"),
        ([{**GOOD, "minutes": True}], "minutes is 1 to 170"),
        ([{**GOOD, "steps": []}], "at least one"),
        ([{**GOOD, "steps": [{"run": "true", "shell": "bash"}]}], "unknown keys of a step: shell"),
        ([{**GOOD, "secret": 1}], "unknown keys: secret"),
        ([{**GOOD, "name": "a b"}], "letters, digits"),
        ([GOOD, GOOD], "two jobs are named a"),
        ([{**GOOD, "shards": 0}], "shards is 1 to 20"),
        ([{**GOOD, "shards": 2}], "every step of a job of shards has {shard}"),
        ([{**GOOD, "steps": [{"run": "true {shard}"}]}], "{shard} is for a job of several shards"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, content: object, said: str) -> None:
    path = tmp_path / "jobs.json"
    path.write_text(json.dumps(content))
    with pytest.raises(Trouble, match=said) as error:
        jobs.read(path)
    assert str(path) in str(error.value) and error.value.status == 2
    path.write_text("[{")
    with pytest.raises(Trouble, match="cannot be read"):
        jobs.read(path)
