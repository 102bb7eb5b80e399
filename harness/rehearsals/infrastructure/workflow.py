"""What a workflow of GitHub does, step by step, and the variables that a step's commands are given. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from harness.rehearsals.infrastructure.types import Document

_EVERY = "**"  # every branch, as GitHub writes it

_USED = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_SET = re.compile(r"^\s*(?:export\s+)?(\w+)=", re.MULTILINE)
_HANDED_ON = re.compile(r"(\w+)=.*GITHUB_ENV")
#: What every step has, and what google-github-actions/auth sets for those behind it.
_GIVEN = re.compile(r"GITHUB_\w+|RUNNER_\w+|CI|HOME|PATH|PWD|SHELL|USER")
_AUTH = "google-github-actions/auth"
_OF_AUTH = frozenset({
    "CLOUDSDK_CORE_PROJECT", "CLOUDSDK_PROJECT", "GCLOUD_PROJECT", "GCP_PROJECT", "GOOGLE_CLOUD_PROJECT",
    "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_GHA_CREDS_PATH",
})  # fmt: skip
_DEPLOYS = re.compile(
    r"\bkubectl\b[^|;&]*?\s(set image|apply|rollout|replace|patch)\b|\bhelm\s+(upgrade|install)\b"
    r"|\bkustomize\b|\bskaffold\s+(run|deploy)\b|\bgcloud deploy releases create\b"
)
_TESTS = re.compile(r"\b(go test|gotestsum|pytest|npm (run )?test|make (\w+-)?tests?|nox|xcodebuild test)\b")
#: What goes on whatever became of what was before it.
_ANYHOW = re.compile(r"\b(always|failure)\s*\(|!\s*cancelled\s*\(")
_BUT_FOR = re.compile(r"\bneeds\.[\w-]+\.result\s*==\s*'success'")
_TRUE_ANYHOW = re.compile(r"\|\|\s*(true|:|exit 0)")
#: The end of a line that goes on in the next.
_CONTINUED = re.compile(r"\\\n|(\|)[ \t]*\n")
#: A comment, and what is installed alone.
_UNRUN = re.compile(r"(?:^|\s)#.*|\bgo (?:install|get) (?:-\S+ )*\S+")
_ENV = re.compile(r"\$\{\{\s*env\.(\w+)\s*\}\}")
#: Variables with their values, ``None`` of those that a step sets.
Env = dict[str, str | None]


class WorkflowStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a job: the action that it ``uses`` with its inputs, those of ``env`` filled in, or what it runs.
    ``known`` are the variables of workflow, job, step, and what earlier steps handed on; ``may_fail``: the job goes on
    all the same."""

    uses: str
    given: dict[str, str]
    run: str
    known: frozenset[str]
    may_fail: bool = False

    @property
    def lines(self) -> list[str]:
        """Its commands, each with what continues it; without comments, and without what is installed alone."""
        return [_UNRUN.sub(" ", line) for line in _CONTINUED.sub(r"\1 ", self.run).splitlines()]

    @property
    def deploys(self) -> bool:
        """Whether it changes what runs."""
        return any(map(_DEPLOYS.search, self.lines))

    @property
    def tests(self) -> bool:
        """Whether a test runs in it, whose failure ends the job."""
        return self.runs(_TESTS)

    def runs(self, what: re.Pattern[str]) -> bool:
        """Whether a command of it matches ``what``, and ends the job where it fails."""
        return not self.may_fail and any(what.search(line) and not _TRUE_ANYHOW.search(line) for line in self.lines)

    @property
    def unset(self) -> list[str]:
        """The variables that its commands use and nobody sets."""
        of_its_own = {*_SET.findall(self.run)}
        used = dict.fromkeys(braced or bare for braced, bare in _USED.findall(self.run))
        return [each for each in used if each not in self.known | of_its_own and not _GIVEN.fullmatch(each)]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job. ``approved``: it waits for whoever guards its environment; ``anyhow``: it runs whatever became of those
    that it needs."""

    name: str
    needs: tuple[str, ...]
    approved: bool
    anyhow: bool
    steps: tuple[WorkflowStep, ...]

    @property
    def deploys(self) -> bool:
        """Whether it changes what runs."""
        return any(step.deploys for step in self.steps)

    @property
    def tests(self) -> bool:
        """Whether a test runs in it, before it deploys where it does."""
        for step in self.steps:
            if step.tests:
                return True
            if step.deploys:
                return False
        return False


def jobs(workflow: Document) -> list[Job]:
    """In the file's order."""
    outer = _values(workflow.get("env"))
    return [_job(name, job, outer) for name, job in (workflow.get("jobs") or {}).items() if isinstance(job, dict)]


def steps_of(workflows: Iterable[Document]) -> list[WorkflowStep]:
    """Of every job, in the files' order."""
    return [step for workflow in workflows for job in jobs(workflow) for step in job.steps]


def branches(workflow: Document) -> list[str]:
    """The patterns of those whose push starts it, each with ``!`` where it excludes."""
    on = workflow.get("on")
    if on == "push" or (isinstance(on, list) and "push" in on):
        return [_EVERY]
    if not isinstance(on, dict) or "push" not in on:
        return []
    push = on["push"] if isinstance(on["push"], dict) else {}
    if "branches" in push:
        return _listed(push["branches"])
    if "branches-ignore" in push:
        return [_EVERY, *(f"!{each}" for each in _listed(push["branches-ignore"]))]
    return [] if {"tags", "tags-ignore"} & push.keys() else [_EVERY]


def starts(patterns: Iterable[str], branch: str) -> bool:
    """Whether a push to ``branch`` does: the last pattern that fits decides."""
    found = False
    for each in patterns:
        if fnmatchcase(branch, each.removeprefix("!")):
            found = not each.startswith("!")
    return found


def _listed(found: Any) -> list[str]:
    return [str(each) for each in ((found,) if isinstance(found, str) else found if isinstance(found, list) else ())]


def tested(job: Job, others: list[Job]) -> bool:
    """Whether it runs only behind a test: its own, or that of a job which it needs, at any distance."""
    by_name, seen, left = {each.name: each for each in others}, set[str](), [job.name]
    while left:
        name = left.pop()
        if name in seen or name not in by_name:
            continue
        seen.add(name)
        if by_name[name].tests:
            return True
        left += () if by_name[name].anyhow else by_name[name].needs
    return False


def _job(name: str, job: Document, outer: Env) -> Job:
    needs, when = job.get("needs") or (), str(job.get("if", ""))
    known = outer | _values(job.get("env"))
    return Job(
        name=name,
        needs=(needs,) if isinstance(needs, str) else tuple(needs),
        approved="environment" in job,
        anyhow=_ANYHOW.search(when) is not None and _BUT_FOR.search(when) is None,
        steps=tuple(_steps(job.get("steps") or (), known)),
    )


def _steps(steps: Any, known: Env) -> Iterator[WorkflowStep]:
    for each in steps:
        run, uses, here = str(each.get("run", "")), str(each.get("uses", "")), known | _values(each.get("env"))
        given = {str(name): _filled(str(value), here) for name, value in (each.get("with") or {}).items()}
        may_fail = each.get("continue-on-error") not in (None, False)
        yield WorkflowStep(uses=uses, given=given, run=run, known=frozenset(here), may_fail=may_fail)
        known = known | dict.fromkeys([*_HANDED_ON.findall(run), *(_OF_AUTH if uses.startswith(_AUTH) else ())])


def _values(env: Any) -> Env:
    return {str(name): str(value) for name, value in env.items()} if isinstance(env, dict) else {}


def _filled(text: str, known: Env) -> str:
    """With the variables whose values stand in the workflow."""
    return _ENV.sub(lambda found: known.get(found[1]) or found[0], text)
