"""A folder of state and its copy on the real Docker engine."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from harness.base.home import home
from harness.stack.kind import docker, orphans
from harness.stack.kind.commands import run
from harness.stack.kubernetes import labels
from harness.stack.state import RunState
from harness.stack.state.lease import identity
from tests.lines import Lines
from tests.session.needs import needs_docker

IMAGE = f"tekutoko-rehearsal/test-copied:{os.getpid()}"


@pytest.mark.kind
@needs_docker
async def test_a_copied_folder_leaves_its_original_s_containers_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.add(__file__, "content")
    await run(["docker", "import", "-", IMAGE], what="making an image", limit_s=60, stdin=content.getvalue())

    def at(folder: str) -> None:
        monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path / folder))
        identity.cache_clear()  # as another process

    at("home")
    state = RunState.begin(f"copied-{os.getpid()}")
    name = labels.container(state.lease.run_id, "postgres")

    async def swept() -> tuple[bool, bool]:
        """Whether the container is there after a sweep, and whether it was named as somebody else's."""
        lines, aside = Lines(), Lines()
        await orphans.sweep(lines.tell, aside.tell)
        left = await docker.containers("looking", {"label": f"{labels.RUN}={state.lease.run_id}"})
        return [each.name for each in left] == [name], any(name in line for line in aside)

    try:
        await docker.docker("create", "--name", name, *labels.arguments(state.lease), IMAGE, "none", what="making it")
        shutil.copytree(home(), tmp_path / "copy")
        assert await swept() == (True, False)
        at("copy")
        assert await swept() == (True, True)
        at("home")
        state.end()
        monkeypatch.setattr("harness.stack.state.processes.ProcessIdentity.alive", lambda _self: False)  # it is killed
        assert await swept() == (False, False)
    finally:
        identity.cache_clear()
        await docker.remove([name], what="removing it", limit_s=60)
        await docker.docker("image", "rm", IMAGE, what="removing it")
