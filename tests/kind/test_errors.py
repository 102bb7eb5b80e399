"""What a person is told where the cluster cannot be: no Docker, a dead engine, no space, a bad file, no Go, no name."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from harness.base.clock import MachineClock
from harness.base.errors import BadInput, Exit, StackNotStarted
from harness.base.free_port import any_free_port
from harness.model.message import Message
from harness.stack.kind import cluster, commands, config, docker, record
from harness.stack.kind.ground import Outside
from harness.stack.kind.images import binaries, choice, offline
from harness.stack.state.processes import ProcessIdentity, identify
from tests.kind import creating
from tests.lines import Lines

CLOCK = MachineClock()


def quiet(_line: Message) -> None:
    return None


async def test_no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackNotStarted, match="needs Docker") as error:
        await cluster.ensure("none", CLOCK, quiet, kept=False)
    assert ".ci/dockerd" in error.value.remedy
    assert error.value.exit == Exit.STACK


@pytest.mark.process
async def test_dead_docker_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{any_free_port()}")
    monkeypatch.setattr(shutil, "which", lambda _name: "docker")
    with pytest.raises(StackNotStarted, match="Docker engine") as error:
        await docker.engine()
    assert ".ci/dockerd" in error.value.remedy


@pytest.mark.process
async def test_an_engine_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{deaf.getsockname()[1]}")
        monkeypatch.setattr(shutil, "which", lambda _name: "docker")
        monkeypatch.setattr(docker, "ASK_LIMIT_S", 0.3)
        with pytest.raises(StackNotStarted, match=r"not done after 0\.3 s"):
            await docker.engine()


def test_no_space(tmp_path: Path) -> None:
    with pytest.raises(StackNotStarted, match="GiB are free") as error:
        docker.check_space(tmp_path, wanted_bytes=2**60)
    assert "prune" in error.value.remedy


class Answering:
    """In the place of ``docker.ask``: what the SDK's client is asked, and each answer as it is due, or raised."""

    def __init__(self, **answers: list[object]) -> None:
        self.answers = answers
        self.calls: list[str] = []

    async def __call__(self, question: Callable[[Any], object], *, what: str, **_limits: object) -> object:
        answer = question(SimpleNamespace(api=self))
        if isinstance(answer, int):
            raise docker.EngineRefused(answer, f"{what} failed", "docker", "")
        return answer

    def __getattr__(self, name: str) -> Callable[..., object]:
        def answer(*_words: object, **_options: object) -> object:
            self.calls.append(name)
            due = self.answers[name]
            return due.pop(0) if len(due) > 1 else due[0]

        return answer


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("tekutoko-rehearsal/node:1", ["inspect_image", "tag"]),
        ("kindest/node:v1", ["inspect_image"]),
        ("tekutoko-rehearsals/x:1", ["inspect_image"]),
    ],
)
async def test_an_image_of_ours_is_named_again_when_it_is_used_so_that_its_age_is_known(
    monkeypatch: pytest.MonkeyPatch, name: str, asked: list[str]
) -> None:
    engine = Answering(inspect_image=[{}], tag=[None])
    monkeypatch.setattr(docker, "ask", engine)
    assert await docker.has_image(name)
    assert engine.calls == asked


RUNNING, ENDED = {"State": {"Running": True, "Paused": False}}, {"State": {"Running": False, "Paused": False}}
FROZEN = {"State": {"Running": True, "Paused": True}}


@pytest.mark.parametrize(
    ("pauses", "state", "asked"),
    [
        ([500, 500, None], RUNNING, 3),
        ([500], RUNNING, 5),  # asked five times, and never frozen
        ([500], ENDED, 1),
        ([404], RUNNING, 1),
    ],
)
async def test_a_container_that_could_not_be_frozen_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, pauses: list[object], state: object, asked: int
) -> None:
    """Seen on a busy machine with cgroup v1: OCI runtime pause failed: unable to freeze."""
    engine = Answering(pause=list(pauses), inspect_container=[state])
    monkeypatch.setattr(docker, "ask", engine)
    monkeypatch.setattr(docker, "_POLL_S", 0.01)
    if pauses[-1] is None:
        await docker.pause("x", what="pausing x")
    else:
        with pytest.raises(StackNotStarted, match="pausing x failed"):
            await docker.pause("x", what="pausing x")
    assert engine.calls.count("pause") == asked


@pytest.mark.parametrize(("state", "raises"), [(RUNNING, False), (ENDED, False), (FROZEN, True)])
async def test_what_is_not_frozen_need_not_be_let_go(
    monkeypatch: pytest.MonkeyPatch, state: object, raises: bool
) -> None:
    monkeypatch.setattr(docker, "ask", Answering(unpause=[500], inspect_container=[state]))
    with pytest.raises(docker.EngineRefused) if raises else contextlib.nullcontext():
        await docker.unpause("x", what="letting x go on")


@pytest.mark.parametrize(("answers", "asked"), [([None], 1), ([404], 1), ([409, 409, 404], 3)])
async def test_what_another_removes_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, answers: list[object], asked: int
) -> None:
    engine = Answering(remove_container=list(answers))
    monkeypatch.setattr(docker, "ask", engine)
    monkeypatch.setattr(docker, "_POLL_S", 0.01)
    await docker.remove(["x"], what="removing x", limit_s=5)
    assert len(engine.calls) == asked


@pytest.mark.parametrize(("status", "limit_s"), [(500, 5.0), (409, 0.0)])
async def test_a_removal_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, status: int, limit_s: float) -> None:
    monkeypatch.setattr(docker, "ask", Answering(remove_container=[status]))
    with pytest.raises(StackNotStarted, match="removing x failed"):
        await docker.remove(["x"], what="removing x", limit_s=limit_s)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "Pod"}, "no kind configuration"),
        ({"nodes": []}, "no kind configuration"),
        ({"nodes": [1]}, r"Expected `object`, got `int` - at `\$.nodes\[0\]`"),
        ({"nodes": [{"labels": {}}]}, "missing required field `role`"),
        ({"networking": 1}, "no kind configuration"),
        ({"networking": None}, "127.0.0.1 only"),
        ({"networking": {"apiServerAddress": "0.0.0.0"}}, "127.0.0.1 only"),
        ({"nodes": [{"role": "control-plane", "extraPortMappings": [{"containerPort": 1}]}]}, "127.0.0.1 only"),
    ],
)
def test_bad_configuration(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = tmp_path / "kind.yaml"
    path.write_text(yaml.safe_dump({**config.read(), **change}))
    with pytest.raises(BadInput, match=said):
        config.read(path)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "is empty"),
        (b"- 1", "a file is one mapping of keys"),
        (b"some text", "a file is one mapping of keys"),
        (b"kind: Cluster\n---\nkind: Cluster", "more than one YAML document"),
        (b"name: \xff", "is not UTF-8 text"),
        (b"[" * 5_000, "not YAML|nested deeper"),
    ],
)
def test_what_is_no_configuration_at_all(tmp_path: Path, raw: bytes, said: str) -> None:
    path = tmp_path / "kind.yaml"
    path.write_bytes(raw)
    with pytest.raises(BadInput, match=said) as refused:
        config.read(path)
    assert refused.value.where.startswith(str(path)) and refused.value.remedy


def test_networking_is_only_missed_where_the_address_has_to_be_said(tmp_path: Path) -> None:
    path = tmp_path / "kind.yaml"
    path.write_text("kind: Cluster\nnodes: [{role: control-plane}]\n")
    with pytest.raises(BadInput, match=r"127\.0\.0\.1 only") as refused:
        config.read(path)
    assert "set networking.apiServerAddress" in refused.value.remedy


def test_bad_cluster_name() -> None:
    with pytest.raises(BadInput, match="cannot name a cluster"):
        record.name_of("Weeks 1-4")


@pytest.mark.process
async def test_what_the_tool_of_offline_machines_lacks_is_said_as_our_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path / "home"))
    with pytest.raises(StackNotStarted, match="looking for the image") as error:
        await offline.ask("base-image", "mount", what="making a base image")
    assert str(error.value.given[1]) == "docker"


@pytest.mark.process
async def test_a_kind_of_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "kind"
    program.write_text("#!/bin/sh\necho kind v0.11.1 go1.16.4 linux/amd64\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(shutil, "which", lambda name: str(program) if name == "kind" else None)
    lines = Lines()

    async def built(module: binaries.Module, _progress: object) -> Path:
        return tmp_path / module.name

    monkeypatch.setattr(binaries, "ensure", built)
    assert await choice.ensure_kind(lines.tell) == str(tmp_path / "kind" / "kind")
    assert "v0.11.1; v0.30.0 is needed" in lines[0]


@pytest.mark.process
async def test_a_program_past_its_limit_is_ended_with_its_children(tmp_path: Path) -> None:
    file = tmp_path / "child"
    script = f"sleep 60 & echo $! > {file}; echo words >&2; wait"
    with pytest.raises(StackNotStarted, match="napping was not done after 6 s: words"):
        await commands.run(["sh", "-c", script], what="napping", limit_s=6)
    assert _gone(int(file.read_text()))


@pytest.mark.process
async def test_a_cancelled_program_is_ended(tmp_path: Path) -> None:
    file = tmp_path / "child"
    work = asyncio.create_task(commands.run(["sh", "-c", f"echo $$ > {file}; sleep 60"], what="napping", limit_s=60))
    while not (file.exists() and file.read_text()):  # noqa: ASYNC110 - a file is what the program can give
        await asyncio.sleep(0.02)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert _gone(int(file.read_text()))


def _gone(pid: int) -> bool:
    found = identify(pid)
    until = time.monotonic() + 3
    while found is not None and found.alive() and time.monotonic() < until:
        time.sleep(0.05)
    return found is None or not found.alive()


async def test_a_lock_is_waited_for_only_so_long(tmp_path: Path) -> None:
    lines = Lines()
    async with record.locked(tmp_path / "image.lock", CLOCK, quiet, limit_s=1):
        with pytest.raises(StackNotStarted, match="another harness holds image"):
            async with record.locked(tmp_path / "image.lock", CLOCK, lines.tell, limit_s=0.1):
                raise AssertionError
    assert "waiting" in lines[0]
    async with record.locked(tmp_path / "image.lock", CLOCK, quiet, limit_s=0.1):
        pass


DEAD = ProcessIdentity(2**22 + 1, "no boot:0")


@pytest.mark.parametrize(
    ("alive", "kept", "complete", "abandoned"),
    [
        (True, False, False, False),  # under way
        (True, False, True, False),  # in use by the run that made it
        (False, True, True, False),  # kept
        (False, True, False, True),  # half-created
        (False, False, True, True),  # its run is gone
    ],
)
def test_which_cluster_is_abandoned(alive: bool, kept: bool, complete: bool, abandoned: bool) -> None:
    me = identify(os.getpid())
    assert me is not None
    made = record.Cluster(
        name="x", maker=me if alive else DEAD, kept=kept, complete=complete, own_images=True, images=[],
        config_digest="", api_port=1, ports={}, nodes=["x-control-plane"],
    )  # fmt: skip
    assert made.abandoned() is abandoned


async def test_a_part_that_stutters_runs_in_the_end_also_when_a_freeze_was_on_its_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The engine answers late, when nobody waits for it any more: it is let go after it was frozen."""
    calls: list[str] = []

    class Client:
        api: Any

        def pause(self, _name: str) -> None:
            time.sleep(0.3)
            calls.append("pause")

        def unpause(self, _name: str) -> None:
            calls.append("unpause")

        def close(self) -> None:
            """Nothing is open."""

    client = Client()
    client.api = client
    monkeypatch.setattr(docker, "_client", lambda _limit_s: client)
    part: Any = Outside.__new__(Outside)
    part._name, part.part, part._clock = "x", "firestore", CLOCK
    work = asyncio.ensure_future(part.stutter(0.1, 0.1))
    await asyncio.sleep(0.15)  # half of the time that the freeze takes
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert calls == ["pause", "unpause"]


@pytest.mark.process
async def test_a_line_of_any_length_is_heard_and_what_comes_after_it_too() -> None:
    script = f"{sys.executable} -c 'import sys; sys.stderr.write(\"x\" * 300_000)'; printf '\\nlast\\nand no end' >&2; echo out"
    heard: list[str] = []
    assert await commands.run(["sh", "-c", script], what="talking", limit_s=20, on_line=heard.append) == "out\n"
    assert heard[0].strip("x") == "" and heard[1:] == ["last", "and no end"]


@pytest.mark.process
def test_a_creation_whose_node_does_not_come_leaves_no_cluster_and_no_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deleted: list[str] = []

    async def delete(name: str, _progress: Any, *, force: bool = False) -> bool:
        deleted.append(f"{name} {force}")
        return True

    async def leaks(_name: str) -> list[str]:
        return ["a network, and no node"]

    monkeypatch.setattr(cluster, "delete", delete)
    monkeypatch.setattr(cluster, "leaks", leaks)
    monkeypatch.setattr(sys, "executable", "sleep-for-ever")
    (tmp_path / "sleep-for-ever").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "sleep-for-ever").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(AssertionError, match="no node within"), creating.creating(tmp_path, limit_s=0.2):
        raise AssertionError("there is no node to be made beside")
    assert deleted == [f"{creating.half()} True"]
