"""Official images where a registry answers: asked, pulled by digest and named as ours; a local registry in docker.io's
place shows it whole."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import re
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.base.clock import MachineClock
from harness.base.errors import StackNotStarted
from harness.stack.kind import docker
from harness.stack.kind.images import binaries, choice, offline, recipes
from tests.night import ROOT
from tests.ports import free_address
from tests.session.needs import needs_docker

CLOCK = MachineClock()
PINNED = choice.Pinned("python", "3.11-slim-bookworm", f"sha256:{'a' * 64}")


@pytest.mark.parametrize(
    ("named", "name"),
    [
        ("", f"python:3.11-slim-bookworm@{PINNED.digest}"),
        ("127.0.0.1:5000/", f"127.0.0.1:5000/library/python@{PINNED.digest}"),
        ("mirror.example/docker.io", f"mirror.example/docker.io/library/python@{PINNED.digest}"),
    ],
)
def test_a_mirror_takes_docker_io_s_place(named: str, name: str) -> None:
    chosen = choice.chosen({choice.VARIABLE: named})
    assert chosen is not None and PINNED.name(chosen) == name


def test_none_asks_no_registry_and_the_node_image_follows_the_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choice.chosen({choice.VARIABLE: "none"}) is None
    assert choice.chosen({}) == ""
    monkeypatch.setenv(choice.VARIABLE, "mirror.example")
    assert choice.official().worker == f"mirror.example/kindest/node@{choice.PINNED.digest}"
    monkeypatch.delenv(choice.VARIABLE)
    assert choice.official().worker.startswith("kindest/node:v1.34.0@sha256:")


def test_every_base_of_ours_has_an_official_one_but_for_what_only_the_driver_needs() -> None:
    wanted = {tuple(sorted(recipe.packages)) for recipe in recipes.ours(CLOCK)}
    assert wanted == set(choice.BASES)
    for pinned in (*choice.BASES.values(), choice.PINNED):
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", pinned.digest)


#: Says what it was asked, has no image, and its registry answers while the file ``answers`` is there.
DOCKER = """#!/bin/sh
cd "$(dirname "$0")"
echo "$*" >>asked
case "$1 $2" in
"manifest inspect") [ -e answers ] ;;
"pull --quiet") if [ -e refuses ]; then echo "toomanyrequests: rate limit" >&2; exit 1; fi ;;
esac
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of PATH with that docker, and a mmdebstrap that says that it was called."""
    for name, text in (
        ("docker", DOCKER),
        ("mmdebstrap", '#!/bin/sh\ntouch "$(dirname "$0")/made"\nfor last; do :; done\n: >"$last"\n'),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(choice.VARIABLE, raising=False)
    (tmp_path / "home" / "kind").mkdir(parents=True)

    async def none(_image: str) -> bool:
        """This machine's own engine may have it: it is not asked."""
        return False

    async def tagged(image: str, name: str) -> None:
        """What the engine would be asked, not the command."""
        with (tmp_path / "asked").open("a") as lines:
            lines.write(f"tag {image} {name}\n")

    monkeypatch.setattr(docker, "has_image", none)
    monkeypatch.setattr(docker, "tag", tagged)
    return tmp_path


def asked(engine: Path) -> list[str]:
    return [line for line in (engine / "asked").read_text().splitlines() if not line.startswith("image ls")]


@pytest.mark.process
async def test_where_a_registry_answers_nothing_is_built_of_debian_packages(engine: Path) -> None:
    (engine / "answers").touch()
    name = await choice.ensure_base(recipes.PYTHON, print)
    whole = choice.BASES["ca-certificates", "python3"].name("")
    assert asked(engine) == [f"manifest inspect {whole}", f"pull --quiet {whole}", f"tag {whole} {name}"]
    assert not (engine / "made").exists()


@pytest.mark.process
@pytest.mark.parametrize("why", ["no answer", "none", "other packages"])
async def test_elsewhere_the_base_is_built(engine: Path, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if why != "no answer":
        (engine / "answers").touch()
    if why == "none":
        monkeypatch.setenv(choice.VARIABLE, "none")
    packages = ("mount",) if why == "other packages" else recipes.PYTHON
    await choice.ensure_base(packages, print)
    assert (engine / "made").exists()
    assert not any(line.startswith("pull") for line in asked(engine))


@pytest.mark.process
async def test_a_registry_that_does_not_hand_it_over_is_named_with_the_way_out(engine: Path) -> None:
    (engine / "answers").touch()
    (engine / "refuses").touch()
    with pytest.raises(StackNotStarted, match="rate limit") as error:
        await choice.ensure_base(recipes.PYTHON, print)
    assert f"{choice.VARIABLE}=none" in error.value.remedy


@pytest.fixture
def local_registry(tmp_path: Path) -> Iterator[str]:
    """The reference registry on a free port of 127.0.0.1, built once a machine; it ends with the test."""
    asyncio.run(binaries.ensure(binaries.Module("registry"), print))
    at = str(free_address())
    settings = tmp_path / "registry.yml"
    storage = f"storage:\n  filesystem:\n    rootdirectory: {tmp_path}/images\n"
    settings.write_text(f"version: 0.1\nlog:\n  level: error\n{storage}http:\n  addr: {at}\n")
    program = binaries.Module("registry").folder() / "registry"
    process = subprocess.Popen([program, "serve", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                with contextlib.closing(http.client.HTTPConnection(at, timeout=1)) as connection:
                    connection.request("GET", "/v2/")
                    assert connection.getresponse().status == 200
                break
            except OSError:
                time.sleep(0.05)
        yield at
    finally:
        process.terminate()
        process.wait(20)


def ran(*words: str, given: bytes = b"") -> str:
    """What a command says that must succeed."""
    return subprocess.run(words, check=True, capture_output=True, input=given).stdout.decode().strip()


def said(*words: str) -> str:
    """What docker says."""
    return ran("docker", *words)


@pytest.mark.kind
@pytest.mark.nightly
@pytest.mark.timeout(600)
@needs_docker
async def test_an_image_comes_by_its_digest_from_a_local_registry(
    local_registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small image takes the official one's place: only its digest differs. And the night's commands about images."""
    pushed = f"{local_registry}/library/python:3.11-slim-bookworm"
    ours, rehearsed = "tekutoko-rehearsal/base:bookworm-registry-test", "walk-api:registry-test"
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.add(__file__, "content")
    ran("docker", "import", "--change", "LABEL of=registry-test", "-", pushed, given=content.getvalue())
    try:
        said("push", "--quiet", pushed)
        digest = said("image", "inspect", "--format", "{{index .RepoDigests 0}}", pushed).rpartition("@")[2]
        said("image", "rm", pushed)
        pinned = choice.Pinned("python", "3.11-slim-bookworm", digest)
        monkeypatch.setattr(choice, "BASES", {("ca-certificates", "python3"): pinned})
        monkeypatch.setattr(offline, "look", lambda *_: ours)
        monkeypatch.setenv(choice.VARIABLE, local_registry)
        assert await choice.ensure_base(recipes.PYTHON, print) == ours
        assert said("image", "inspect", "--format", "{{.Config.Labels.of}}", ours) == "registry-test"
        assert not await choice.answers(choice.Pinned("python", "x", f"sha256:{'0' * 64}").name(local_registry))
        nightly = str(ROOT / ".ci" / "nightly")
        whole = f"{local_registry}/library/python@{digest}"
        assert ran(nightly, "digest", pushed) == f"image={whole}"
        assert ran(nightly, "image", whole, "--as", rehearsed) == f"{rehearsed} is {digest}"
    finally:
        for name in (ours, rehearsed, pushed, f"{local_registry}/library/python@{digest}"):
            if await docker.has_image(name):
                said("image", "rm", name)
