"""Without a Docker engine a command says that none answers, by the system's word, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.errors import StackNotStarted
from harness.stack.kind import cluster
from harness.stack.kind.docker import NO_DOCKER

pytestmark = pytest.mark.process


async def test_that_no_engine_answers_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(StackNotStarted) as met:
        await cluster.names()
    assert met.value.what == "listing clusters failed: the Docker engine does not answer (No such file or directory)"
    assert met.value.remedy == NO_DOCKER
