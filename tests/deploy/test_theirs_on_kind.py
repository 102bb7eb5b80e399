"""Folders as other teams have them, started on a real cluster: it takes the documents, and users reach the target.

At a push three start, which between them have most of what a rung forces; by night all that can.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from harness.clock import MachineClock
from harness.firebase import rest
from harness.firebase.sign_up import sign_up
from harness.manifests.change import without_autoscaler
from harness.model.manifests import Manifests
from harness.model.stack import Rung, Target
from harness.progress import Progress
from harness.stack.kind.images import build, recipes
from harness.stack.kind.stack import KindStack
from harness.targets import bundled, resolve
from tests.deploy.test_theirs_forced import loaded, target_of
from tests.deploy.theirs import STARTING, Theirs
from tests.stack.rungs import run_id

pytestmark = [pytest.mark.slow, pytest.mark.kind, pytest.mark.timeout(900, func_only=True)]
#: Settings and passwords by ``envFrom``; containers besides; Secrets by an operator, variables as libpq names them.
AT_A_PUSH = ("flat", "selectors", "external_secrets")
#: Their own image, built of a Dockerfile, migrates: by a Job before the pods, or by an init container in each.
OWN_IMAGE = ("migration_job", "init_migrations")
AT_ONCE = 3  # NodePorts that lead out of the cluster
_OWN = Path(__file__).parent / "theirs_target" / "target.yaml"


def small(manifests: Manifests) -> Manifests:
    """One pod that is asked at once: what is shown is that it starts. The documents are theirs in all else."""
    fixed = without_autoscaler(manifests, 1)
    for key, document in fixed.documents.items():
        if key == f"Deployment/{manifests.deployment.name}":
            probe = document["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
            probe |= {"initialDelaySeconds": 1, "periodSeconds": 1}
    return fixed


async def walk_through(stack: KindStack) -> None:
    """Alive, and one walk of a user written and read through the Service."""
    ends = stack.endpoints()
    alive = await rest.request(ends.service, "GET", "/health", timeout_s=10)
    assert alive.status == 200, alive.body
    user = await sign_up(ends.auth, ends.project_id, "theirs-walker")
    known = {"Authorization": f"Bearer {user.token}", "Content-Type": "application/json"}
    body = msgspec.json.encode({"title": "Kamo"})
    made = await rest.request(ends.service, "POST", "/v1/walks", body=body, headers=known, timeout_s=10)
    assert made.status == 201, made.body
    walk = msgspec.json.decode(made.body)
    read = await rest.request(ends.service, "GET", f"/v1/walks/{walk['id']}", headers=known, timeout_s=10)
    assert read.status == 200 and msgspec.json.decode(read.body)["title"] == "Kamo"
    stranger = await rest.request(ends.service, "GET", f"/v1/walks/{walk['id']}", timeout_s=10)
    assert stranger.status == 401


async def started(theirs: Theirs, target: Target, folder: Path) -> str:
    """ "" when it started and answered, else what hindered it."""
    stack = KindStack(
        run_id=run_id(), manifests=small(loaded(theirs, Rung.KIND, target)), target=target_of(theirs, target),
        folder=folder / theirs.name, clock=MachineClock(), progress=lambda line: print(theirs.name, line, flush=True),
    )  # fmt: skip
    try:
        await stack.up()
        await walk_through(stack)
    except Exception as error:
        print("HINDERED", theirs.name, type(error).__name__, error, flush=True)
        return f"{theirs.name}: {type(error).__name__}: {error}"
    finally:
        await stack.down()
    assert stack.leaks() == []
    return ""


async def all_started(names: tuple[str, ...], target: Target, folder: Path) -> list[str]:
    """What hindered those that did not start."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(theirs: Theirs) -> str:
        async with turn:
            return await started(theirs, target, folder)

    wanted = [each for each in STARTING if each.name in names]
    assert len(wanted) == len(names)
    return list(filter(None, await asyncio.gather(*map(one, wanted))))


@pytest.mark.usefixtures("kind_cluster")
async def test_three_folders_start_and_their_users_are_served(tmp_path: Path) -> None:
    assert await all_started(AT_A_PUSH, bundled(), tmp_path) == []


@pytest.mark.nightly
@pytest.mark.usefixtures("kind_cluster")
async def test_every_folder_that_can_starts(tmp_path: Path) -> None:
    names = tuple(each.name for each in STARTING if each.name not in (*AT_A_PUSH, *OWN_IMAGE))
    assert await all_started(names, bundled(), tmp_path) == []


@pytest.mark.nightly
@pytest.mark.usefixtures("kind_cluster")
async def test_their_own_image_migrates_by_a_job_and_by_an_init_container(tmp_path: Path) -> None:
    clock = MachineClock()
    await build.ensure(recipes.api(clock), clock, Progress(clock))  # what their Dockerfile begins with
    assert await all_started(OWN_IMAGE, resolve(str(_OWN)), tmp_path) == []
