"""The wheel, as a newcomer types it: from an empty home and an empty folder, in an environment that has nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from harness.base.data import ROOT
from harness.base.home import ENVIRONMENT_VARIABLE, home

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


def test_a_newcomer_types_init_and_demo_and_asks_for_the_sign_off(wheel: Path, tmp_path: Path) -> None:
    """The locked environment is the tests' own: to install it anew is ``.ci/release try``'s."""
    environment, backend, empty = tmp_path / "tool", tmp_path / "backend", tmp_path / "home"
    venv.create(environment, with_pip=False)
    (site,) = environment.glob("lib/python*/site-packages")
    zipfile.ZipFile(wheel).extractall(site)
    for folder in (backend, empty):
        folder.mkdir()
    run = "import sys; from tekutoko_rehearsal.__main__ import main; sys.exit(main())"
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "PATH"))}
    variables = {**kept, "HOME": str(empty), ENVIRONMENT_VARIABLE: str(home())}

    def typed(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(environment / "bin" / "python"), "-c", run, *words]
        return subprocess.run(
            command, cwd=backend, env=variables, capture_output=True, text=True, check=False, timeout=120
        )

    assert typed("--version").stdout.startswith("tekutoko-rehearsal ")
    done = typed("init")
    assert done.returncode == 0, done.stderr
    assert (backend / "rehearsal" / "target.yaml").is_file()
    assert typed("check", "rehearsal/week.yaml").returncode == 0
    done = typed("demo")
    assert done.returncode == 0 and "advance (simulated)" in done.stderr, done.stderr
    assert "tekutoko-rehearsal run rollout_week3" in done.stderr
    assert (backend / "reports" / "latest" / "report.html").is_file()
    assert typed("signoff").returncode == 10  # nothing was rehearsed for real
