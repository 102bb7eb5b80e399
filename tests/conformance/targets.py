"""The targets: the bundled API by the command, the wrong target, and a stack of one quick pod to run checks against."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from harness.base.data import ROOT
from harness.base.progress import Progress
from harness.checks.contract.check import Check, CheckFixture
from harness.checks.contract.logs import Logs
from harness.checks.contract.reach import LocalReach
from harness.checks.contract.run import CheckRun
from harness.checks.contract.runner import run_checks
from harness.model.manifests import Manifests
from harness.model.result import Result
from harness.model.stack import Target
from harness.rehearsals.conformance.rehearsal import REHEARSAL
from harness.rehearsals.conformance.types import ConformanceDetails
from harness.report.published import RESULT
from harness.run.result import details_of
from harness.stack.firebase.documents import Documents
from harness.stack.local import LocalStack
from harness.stack.manifests import load
from harness.stack.manifests.change import without_autoscaler
from harness.stack.target.targets import BUNDLED_MIGRATIONS
from tests.conformance.outcomes import Outcome, of_judgement
from tests.hurried import QUICK_PROBES
from tests.main_job import INTERRUPTED_WITHIN_S

#: The xdist group of the tests that look at the one run of the bundled API.
BUNDLED_GROUP = "conformed"


class Conformed(msgspec.Struct, frozen=True):
    """The command as it ended, and where its reports are."""

    done: subprocess.CompletedProcess[str]
    reports: Path
    junit: Path


def command(reports: Path, *words: str, name: str = "conformance") -> list[str]:
    """``python -m harness conformance`` on a pod that is asked at once whether it is ready."""
    return [sys.executable, "-m", "harness", name, "--reports", str(reports), *QUICK_PROBES, *words]


def conform(reports: Path, *words: str, limit_s: float = 240.0) -> subprocess.CompletedProcess[str]:
    """The command to its end."""
    return told_to_its_end("conformance", reports, *words, limit_s=limit_s)


def told_to_its_end(name: str, reports: Path, *words: str, limit_s: float) -> subprocess.CompletedProcess[str]:
    """A command of that name to its end. One that does not come to it within ``limit_s`` is interrupted as by Ctrl-C,
    and fails the test with what it told last.
    """
    asked = command(reports, *words, name=name)
    with subprocess.Popen(asked, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            output, told = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=INTERRUPTED_WITHIN_S)
            pytest.fail(f"no end within {limit_s:g} s; it told last: {' / '.join(told.splitlines()[-5:])}")
        finally:
            process.kill()  # one that has ended hears nothing of it
        return subprocess.CompletedProcess(asked, process.returncode, output, told)


def folder_of(reports: Path) -> Path:
    """The one run's folder."""
    (path,) = reports.glob("2*/result.json")
    return path.parent


def document(reports: Path) -> Result:
    """The run's ``result.json``."""
    return RESULT.read(folder_of(reports) / "result.json")


def details(result: Result) -> ConformanceDetails:
    """Its own facts."""
    return details_of(REHEARSAL, result)


def outcomes(result: Result) -> dict[str, Outcome]:
    """How each check ended, by id; without what is no check."""
    runs = {run.id for run in details(result).checks}
    return {each.id: of_judgement(each) for each in result.judgements if each.id in runs}


async def following(stack: LocalStack, logs: Logs) -> None:
    """Tells ``logs`` what the stack tells, until it goes down."""
    async for row in stack.watch():
        logs.saw(row)


def one_pod() -> Manifests:
    """One replica, asked at once whether it is ready; liveness stays the document's, because the API starts slowly.

    A pod that does not hear SIGTERM is killed after 5 s, not the document's 30: no check is about that pod's end.
    """
    document = load(ROOT / "deploy" / "kubernetes" / "overlays" / "local")
    template = document.deployment.template
    first = template.containers[0]
    assert first.readiness is not None
    readiness = msgspec.structs.replace(first.readiness, initial_delay_s=0.3, period_s=0.3)
    containers = (msgspec.structs.replace(first, readiness=readiness), *template.containers[1:])
    template = msgspec.structs.replace(template, containers=containers, termination_grace_s=5.0)
    deployment = msgspec.structs.replace(document.deployment, template=template)
    return without_autoscaler(msgspec.structs.replace(document, deployment=deployment), 1)


def wrong(*deviations: str) -> Target:
    return Target(
        name="wrong target",
        command=(sys.executable, str(Path(__file__).parent / "wrong_target.py")),
        folder=str(ROOT),
        environment={"HOST": "127.0.0.1", "TEST_DEVIATION": ",".join(deviations)},
        migrations=BUNDLED_MIGRATIONS,
        migrations_folder=str(ROOT),
    )


@asynccontextmanager
async def documents_of(stack: LocalStack) -> AsyncIterator[Documents]:
    endpoints = stack.endpoints()
    documents = Documents(endpoints.firestore, endpoints.project_id)
    try:
        yield documents
    finally:
        await documents.close()


async def results(
    stack: LocalStack, documents: Documents, logs: Logs, checks: tuple[Check, ...], folder: Path, seed: int
) -> dict[str, CheckRun]:
    """Every check on a running stack, in the order of ``seed``."""
    reach = LocalReach(stack, stack._clock)
    ground = CheckFixture(
        reach=reach, clock=stack._clock, documents=documents, logs=logs, seed=seed, run_id=stack._run_id
    )
    found: list[CheckRun] = []
    await run_checks(checks, ground, folder, Progress(stack._clock), found.append)
    return {result.id: result for result in found}
