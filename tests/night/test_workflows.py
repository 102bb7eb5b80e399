"""The workflows: pinned actions, steps that are one line of a script here, least permissions; and that lint reads them."""

from __future__ import annotations

import functools
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from night import gate, jobs
from night.command import parser

from tests.night import ROOT
from tests.session import workflows

FILES = workflows.files()
#: What each action's digest was found as, in several repositories that pin it.
PINS = {
    "actions/checkout": "de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2",
    "actions/setup-python": "a309ff8b426b58ec0e2a45f0f869d46889d02405 # v6.2.0",
    "actions/cache": "668228422ae6a00e4ad889ee87cd7109ec5666a7 # v5.0.4",
    "actions/upload-artifact": "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0",
    "actions/attest-build-provenance": "a2bbfa25375fe432b6a289bc6b6cd05ecd0c4c32 # v4.1.0",
    "tekutoko/rehearsal": "0000000000000000000000000000000000000000 # the commit of it that you have read",
    "actions/download-artifact": "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1",
}

#: What the jobs of a release write: the release, the image, and what signs both.
SIGNS = ["id-token", "attestations"]
RELEASES = {"package": ["contents", *SIGNS], "image": ["packages", *SIGNS]}


@functools.cache
def read(path: Path) -> dict[str, Any]:
    """A workflow."""
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def steps(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Job and step, in order."""
    for name, job in read(path)["jobs"].items():
        for step in job["steps"]:
            yield name, step


def test_there_are_ours_and_the_example() -> None:
    assert [path.name for path in FILES] == [
        "ci.yml",
        "nightly.yml",
        "release.yml",
        "rehearsal.yml",
        "deploy.yml",
        "rehearsal.yml",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_action_is_pinned_by_the_digest_that_is_known(path: Path) -> None:
    used = re.findall(r"uses: (\S+?)@(.*)", path.read_text())
    assert used
    for action, pin in used:
        assert PINS["/".join(action.split("/")[:2])] == pin, action


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_shell_step_is_one_line_of_a_script_of_the_repository(path: Path) -> None:
    for _, step in steps(path):
        if (line := step.get("run")) is None:
            continue
        assert "\n" not in line.strip() and "${{" not in line, line
        words = shlex.split(line.partition(" >>")[0])
        if words[0] in {"python3", "echo", "cat", "go"}:
            continue
        script = ROOT / words[0].removeprefix("rehearsal/")
        assert script.is_file() and script.stat().st_mode & 0o111, line
        if script.name == "nightly":
            shown = [
                word.replace("$NEEDS", "kind").replace("$SEED", "7").replace("$GITHUB_RUN_NUMBER", "7")
                for word in words[1:]
            ]
            parser().parse_args(shown)


def test_a_job_s_first_own_line_looks_at_the_runner() -> None:
    light = {"plan", "verdict", "gate", "deploy", "manual"}
    looked = 0
    for path in (path for path in FILES if "starter" not in path.parts):
        of: dict[str, list[str]] = {}
        for job, step in steps(path):
            of.setdefault(job, []).extend([step["run"]] if "run" in step else [])
        for lines in (lines for job, lines in of.items() if job not in light):
            assert ".ci/nightly preconditions" in lines[0], path.name
            looked += 1
    assert looked == 8


def test_the_rehearsal_s_own_code_is_of_a_commit_that_is_named() -> None:
    for path in FILES:
        named = read(path).get("env", {}).get("REHEARSAL_REF", "")
        for _, step in steps(path):
            of = step.get("with", {})
            if "repository" in of:
                assert of["ref"] == "${{ env.REHEARSAL_REF }}" and re.fullmatch(r"[0-9a-f]{40}", named), path.name


def test_the_gate_asks_about_the_workflow_whose_verdict_job_alone_can_sign() -> None:
    workflow = read(ROOT / "examples/walk-api" / gate.WORKFLOW)
    assert [name for name, job in workflow["jobs"].items() if "id-token" in job["permissions"]] == ["verdict"]
    signs = [
        step["with"]["subject-path"]
        for step in workflow["jobs"]["verdict"]["steps"]
        if "attest" in str(step.get("uses"))
    ]
    assert signs == [f"night/{gate.FILE}"]
    (gated,) = (
        step["run"]
        for _, step in steps(ROOT / "examples/walk-api/.github/workflows/deploy.yml")
        if "nightly gate" in step.get("run", "")
    )
    assert "--unsigned" not in gated


def test_nothing_may_write_but_the_job_that_keeps_the_issue() -> None:
    for path in FILES:
        workflow = read(path)
        assert workflow["permissions"] in ({}, {"contents": "read"})
        for name, job in workflow["jobs"].items():
            writes = [key for key, value in job.get("permissions", {}).items() if value == "write"]
            signs = ["id-token", "attestations"] if path.name == "rehearsal.yml" else []
            may = RELEASES.get(name, []) if path.name == "release.yml" else []
            assert writes == (["issues", *signs] if name == "verdict" else may), (path.name, name)
        assert len(set(re.findall(r"secrets\.(\w+)", path.read_text()))) <= 1


def test_caches_are_kept_by_the_locks() -> None:
    text = (ROOT / ".github/workflows/nightly.yml").read_text()
    (key,) = re.findall(r"key: night-\$\{\{ matrix.needs \}\}-(.*)", text)
    for lock in ("locks/*", "harness/stack/firebase/node/package-lock.json", "tools/offline-kind/go/**"):
        assert f"'{lock}'" in key
        assert list(ROOT.glob(lock))


def test_the_example_s_jobs_are_those_that_its_workflow_runs() -> None:
    text = (ROOT / "examples/walk-api/.github/workflows/rehearsal.yml").read_text()
    for name in set(re.findall(r"backend/rehearsal/(\S+\.json)", text)):
        found = jobs.read(ROOT / "examples/walk-api/rehearsal" / name)
        assert all(job.image == "walk-api:rehearsed" for job in found) or name == "pull_request.json"
    assert "--as walk-api:rehearsed" in text
    (change,) = jobs.read(ROOT / "examples/walk-api/rehearsal/pull_request.json")
    assert change.minutes == 10


PLANTS = {
    "actionlint": ("        run: .ci/nightly gather --results found\n", "        run: ${{ no.such.context }}\n", "undefined variable"),
    "zizmor": ("        run: .ci/nightly run \"$JOB\"", "        run: .ci/nightly run ${{ inputs.seed }} \"$JOB\"", "template-injection"),
}  # fmt: skip


@pytest.mark.process
@pytest.mark.parametrize("linter", ["", *PLANTS])
def test_lint_reads_them_and_finds_what_is_planted(tmp_path: Path, linter: str) -> None:
    found = (ROOT / ".github/workflows/nightly.yml").read_text()
    if linter:
        old, new, _ = PLANTS[linter]
        assert old in found
        found = found.replace(old, new)
    path = tmp_path / ".github" / "workflows" / "nightly.yml"
    path.parent.mkdir(parents=True)
    path.write_text(found)
    done = subprocess.run(
        [sys.executable, "-m", "tests.session.workflows", str(path)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == (1 if linter else 0), done.stdout + done.stderr
    assert not linter or PLANTS[linter][2] in done.stdout + done.stderr


@pytest.mark.process
@pytest.mark.parametrize(("word", "status"), [("local", 0), ("", 2), ("root", 2)])
def test_what_is_prepared_is_named(word: str, status: int) -> None:
    done = subprocess.run([ROOT / ".ci" / "prepare", word], capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr.startswith("usage")) == (status, status == 2)
