"""Folders as other teams have them, started on a real cluster: it takes the documents, and users reach the target.

At a push three start, which between them have most of what an environment forces; by night all that can.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from harness.base.clock import MachineClock
from harness.base.progress import Progress
from harness.model.stack import EnvironmentKind, Target
from harness.stack.kind.commands import run
from harness.stack.kind.images import build, recipes
from harness.stack.kind.images import load as loading
from harness.stack.kind.record import Cluster
from harness.stack.kind.stack import KindStack
from harness.stack.target.targets import bundled, resolve
from tests.deploy.starting import hindered, small, told, walk_through
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


def stack_of(theirs: Theirs, target: Target, folder: Path) -> KindStack:
    clock = MachineClock()
    return KindStack(
        run_id=run_id(), manifests=small(loaded(theirs, EnvironmentKind.KIND, target)), target=target_of(theirs, target),
        folder=folder / theirs.name, clock=clock, progress=told(theirs.name, clock),
    )  # fmt: skip


async def loaded_once(made: Cluster, folder: Path) -> None:
    """What every stack of a test would find missing in the nodes at the same moment, and copy there at once."""
    clock = MachineClock()
    progress = told("images", clock)
    tags = [await build.ensure(each, clock, progress) for each in (recipes.api(clock), recipes.sidecar())]
    await loading.load(made.nodes[1:], tags, folder, progress)


async def all_started(made: Cluster, names: tuple[str, ...], target: Target, folder: Path) -> list[str]:
    """What hindered those that did not start."""
    await loaded_once(made, folder)
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(theirs: Theirs) -> str:
        async with turn:
            return await hindered(theirs.name, stack_of(theirs, target, folder))

    wanted = [each for each in STARTING if each.name in names]
    assert len(wanted) == len(names)
    return list(filter(None, await asyncio.gather(*map(one, wanted))))


async def test_three_folders_start_and_their_users_are_served(kind_cluster: Cluster, tmp_path: Path) -> None:
    assert await all_started(kind_cluster, AT_A_PUSH, bundled(), tmp_path) == []


@pytest.mark.nightly
async def test_every_folder_that_can_starts(kind_cluster: Cluster, tmp_path: Path) -> None:
    names = tuple(each.name for each in STARTING if each.name not in (*AT_A_PUSH, *OWN_IMAGE))
    assert await all_started(kind_cluster, names, bundled(), tmp_path) == []


@pytest.mark.nightly
async def test_their_own_image_migrates_by_a_job_and_by_an_init_container(
    kind_cluster: Cluster, tmp_path: Path
) -> None:
    """Their Dockerfile begins with our API's image, which ``all_started`` builds."""
    assert await all_started(kind_cluster, OWN_IMAGE, resolve(str(_OWN)), tmp_path) == []


@pytest.mark.nightly
@pytest.mark.usefixtures("kind_cluster")
async def test_a_deployment_that_is_kept_runs_beside_the_target(tmp_path: Path) -> None:
    """Its image is at hand in Docker, as a person has it after ``docker pull``."""
    [monorepo] = [each for each in STARTING if each.name == "monorepo"]
    keeping = msgspec.structs.replace(bundled(), keep=("Deployment/thumbnails",))
    [image] = loaded(monorepo, EnvironmentKind.KIND, keeping).beside
    clock = MachineClock()
    api = await build.ensure(recipes.api(clock), clock, Progress(clock))
    worker = f'FROM {api}\nENTRYPOINT ["/bin/sh", "-c", "echo $BUCKET; exec sleep infinity"]\n'
    tag = ["docker", "build", "--quiet", "--tag", image, "-"]
    await run(tag, what="building their worker", limit_s=120, stdin=worker.encode())
    stack = stack_of(monorepo, keeping, tmp_path)
    try:
        await stack.up()
        await walk_through(stack)
        found = await stack.kubectl("get", "deployments", "-o", "json")
        deployments = json.loads(found.output)["items"]
        ready = {each["metadata"]["name"]: each["status"].get("readyReplicas") for each in deployments}
        assert ready == {"walk-api": 1, "thumbnails": 1}
        said = await stack.kubectl("logs", "deployment/thumbnails")
        assert said.output.strip() == "mono-photos"
    finally:
        await stack.down()
        await run(["docker", "image", "rm", image], what="removing their worker", limit_s=60)
    assert stack.leaks() == []
