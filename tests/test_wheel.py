"""The wheel, as a newcomer types it: from an empty home and an empty folder, in an environment that has nothing else."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from harness.base.data import ROOT
from harness.base.home import ENVIRONMENT_VARIABLE, home
from tests.foreign.targets import build_go

pytestmark = pytest.mark.process
#: What lies in the checkout alone.
LEFT = ("tests", "noxfile.py", "reports", ".ci", ".github")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    uv = Path(sys.executable).parent / "uv"
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT], check=True, timeout=120)
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_has_all_that_the_checkout_has_of_data_and_needs_nothing(wheel: Path) -> None:
    files = zipfile.ZipFile(wheel).namelist()
    inside = {name.partition("/")[2] for name in files if name.startswith("tekutoko_rehearsal/")}
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    wanted = {"api", "bench", "chaos", "deploy", "examples", "harness", "locks", "scenarios"}
    assert {name for name in listed.stdout.split("\0") if name.partition("/")[0] in wanted} <= inside
    assert {"__main__.py", "pyproject.toml", "kind-config.yaml", "compose.yaml"} <= inside
    assert not {name.partition("/")[0] for name in inside} & {*LEFT}
    (metadata,) = (name for name in files if name.endswith("/METADATA"))
    needed = [line for line in zipfile.ZipFile(wheel).read(metadata).decode().splitlines() if "Requires-Dist" in line]
    assert needed and all("extra ==" in line for line in needed)


class Newcomer(NamedTuple):
    backend: Path
    types: Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def newcomer(wheel: Path, tmp_path: Path) -> Newcomer:
    """Has the wheel alone, an empty home and a repository in which nothing lies.

    The locked environment is the tests' own: to install it anew is ``.ci/release try``'s.
    """
    environment, backend, empty = tmp_path / "tool", tmp_path / "backend", tmp_path / "home"
    venv.create(environment, with_pip=False)
    (site,) = environment.glob("lib/python*/site-packages")
    zipfile.ZipFile(wheel).extractall(site)
    for folder in (backend, empty):
        folder.mkdir()
    run = "import sys; from tekutoko_rehearsal.__main__ import main; sys.exit(main())"
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "PATH"))}
    variables = {**kept, "HOME": str(empty), ENVIRONMENT_VARIABLE: str(home())}

    def types(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(environment / "bin" / "python"), "-c", run, *words]
        return subprocess.run(
            command, cwd=backend, env=variables, capture_output=True, text=True, check=False, timeout=420
        )

    return Newcomer(backend, types)


def tutorial() -> list[list[str]]:
    """What the tutorial types behind ``tekutoko-rehearsal``, in its order."""
    page = (ROOT / "docs" / "tutorial.md").read_text()
    return [shlex.split(line) for line in re.findall(r"^tekutoko-rehearsal ([^#\n]+)", page, re.MULTILINE)]


def test_a_newcomer_types_what_of_the_tutorial_needs_no_stack(newcomer: Newcomer) -> None:
    assert newcomer.types("--version").stdout.startswith("tekutoko-rehearsal ")
    done = {words[0]: newcomer.types(*words) for words in tutorial() if not {"run", "--target"} & {*words}}
    assert [*done] == ["init", "demo", "runs", "check"]
    for each in done.values():
        assert each.returncode == 0, each.stderr
    (shown,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "tutorial.md").read_text(), re.DOTALL)
    assert shown in (newcomer.backend / "rehearsal" / "target.yaml").read_text()
    assert "advance (simulated)" in done["demo"].stderr, done["demo"].stderr
    assert "tekutoko-rehearsal run rollout_week3" in done["demo"].stderr
    assert (newcomer.backend / "reports" / "latest" / "report.html").is_file()
    assert newcomer.types("signoff").returncode == 10  # nothing was rehearsed for real


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_tutorial_as_it_stands_ends_in_a_verdict_on_ones_own_backend(newcomer: Newcomer) -> None:
    """The backend is the sample in Go; a file of defaults makes the weeks quick; their window still carries each limit."""
    build_go(newcomer.backend).rename(newcomer.backend / "walk-api")
    defaults = f'[run]\non = "local"\nwindow = "66s"\npace = "25s"\nmanifests = "{ROOT / "tests" / "quick"}"\n'
    (newcomer.backend / "rehearsal.toml").write_text(defaults)
    said = {}
    for words in tutorial():
        done = newcomer.types(*words)
        assert done.returncode == (10 if words[0] == "signoff" else 0), (words, done.stderr[-4000:])
        said[" ".join(words)] = done.stderr
    weeks = {words: text for words, text in said.items() if words.startswith("run ")}
    assert len(weeks) == 2 and all("decision: advance. All success criteria passed" in text for text in weeks.values())
    assert "our walk API" in weeks["run rollout_week3 --target rehearsal/target.yaml"]
