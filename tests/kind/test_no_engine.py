"""Without a Docker engine a command says that none answers, by the system's word, and what to do."""

from __future__ import annotations

import errno
import os

import pytest
from docker import DockerClient
from docker.errors import DockerException

from harness.base.errors import StackNotStarted
from harness.stack.kind import cluster, docker


async def test_that_no_engine_answers_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_limit_s: float) -> DockerClient:
        """As the SDK wraps it."""
        met = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        raise DockerException(f"Error while fetching: {met!r}") from ConnectionError(
            OSError("Connection aborted.", met)
        )

    monkeypatch.setattr(docker, "_client", nobody)
    with pytest.raises(StackNotStarted) as met:
        await cluster.names()
    assert met.value.what == "listing clusters failed: the Docker engine does not answer (No such file or directory)"
    assert met.value.remedy == docker.NO_DOCKER
