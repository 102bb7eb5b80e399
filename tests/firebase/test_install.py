"""Installing the emulators: atomic, once, and told when it cannot be. npm itself is a stand-in except where marked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from harness.base.errors import BadInput, StackNotStarted
from harness.base.home import ENVIRONMENT_VARIABLE
from harness.stack.firebase import commands
from harness.stack.state import npm
from tests.lines import Lines

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "home"))
    return tmp_path / "home"


def _npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A stand-in for npm: a Node script that runs in the folder that is installed into."""
    path = tmp_path / "npm.js"
    path.write_text(script)
    monkeypatch.setattr(npm, "_npm", lambda _program: path)


WHOLE = "const fs = require('fs'); fs.mkdirSync('node_modules/x', {recursive: true}); fs.writeFileSync('node_modules/args', process.argv.join(' '));"


def test_the_lock_file_names_no_registry_and_is_of_our_packages() -> None:
    text = (commands.SOURCES / "package-lock.json").read_text()
    lock = json.loads(text)
    assert '"resolved"' not in text
    assert "registry" not in {word for package in lock["packages"].values() for word in package}
    assert "registry." not in text
    assert (
        lock["packages"][""]["dependencies"]
        == json.loads((commands.SOURCES / "package.json").read_text())["dependencies"]
    )
    assert all("integrity" in package for path, package in lock["packages"].items() if path)


@pytest.mark.process
def test_installed_once_whole_and_without_scripts(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _npm(tmp_path, monkeypatch, WHOLE)
    said = Lines()
    tree = commands.ensure(said.tell)
    assert tree == commands.folder()
    assert tree.is_relative_to(home / "npm")
    assert "ci --ignore-scripts --no-audit --no-fund --omit=optional" in (tree / "args").read_text()
    assert len(said) == 1
    _npm(tmp_path, monkeypatch, "process.exit(1)")
    assert commands.ensure(said.tell) == tree
    assert len(said) == 1


@pytest.mark.process
def test_nothing_is_left_in_the_temporary_folder(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """npm's first lines ask Node to keep its compiled code there."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    _npm(tmp_path, monkeypatch, "require('node:module').enableCompileCache(); " + WHOLE)
    commands.ensure(lambda _line: None)
    assert list(temporary.iterdir()) == []


@pytest.mark.process
def test_a_half_made_folder_is_made_anew(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    half = commands.folder().parent.with_suffix(".half")
    (half / "node_modules" / "stale").mkdir(parents=True)
    _npm(tmp_path, monkeypatch, WHOLE)
    tree = commands.ensure(print)
    assert not half.exists()
    assert sorted(path.name for path in tree.iterdir()) == ["args", "x"]


@pytest.mark.process
def test_a_failure_is_told_with_its_reason_and_leaves_nothing(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _npm(
        tmp_path,
        monkeypatch,
        "console.error('npm error code ENOTFOUND\\nnpm error network request failed'); process.exit(3)",
    )
    with pytest.raises(StackNotStarted) as failure:
        commands.ensure(print)
    assert "status 3: " in failure.value.what
    assert "network request failed" in failure.value.what
    assert "network" in failure.value.remedy
    assert Path(failure.value.where).read_text()
    assert not commands.folder().parent.exists()
    assert not commands.folder().parent.with_suffix(".half").exists()


@pytest.mark.process
def test_no_end_is_an_end(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npm, "INSTALL_LIMIT_S", 1)
    monkeypatch.setattr(npm, "_BEAT_S", 1)
    _npm(tmp_path, monkeypatch, "setInterval(() => {}, 1000)")
    said = Lines()
    with pytest.raises(StackNotStarted, match="longer than 1 s"):
        commands.ensure(said.tell)
    assert said[-1] == "still installing the Firebase emulators (1 s)"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(BadInput, match="is no folder"):
        commands.ensure(print)


@pytest.mark.process
def test_no_node_is_told_and_an_old_one_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npm, "_wheel_folder", lambda: None)
    old = tmp_path / "node"
    old.write_text("#!/bin/sh\necho v18.19.0\n")
    old.chmod(0o755)
    for path in ("", str(tmp_path)):
        monkeypatch.setenv("PATH", path)
        with pytest.raises(StackNotStarted, match="Node is needed") as failure:
            npm.node()
        assert failure.value.remedy
        assert commands.folder().name == "node_modules"  # doctor asks for it with no Node too
    old.write_text("#!/bin/sh\necho v22.1.0\n")
    with pytest.raises(StackNotStarted, match="Node is needed"):
        npm.node()  # Debian's package has no npm
    old.with_name("npm").symlink_to(old)
    assert npm.node() == old


def test_what_is_left_out_is_in_the_lock_and_nothing_that_is_asked_for_is_left_out() -> None:
    """A package that is renamed would come back unseen."""
    locked = msgspec.json.decode((commands.SOURCES / "package-lock.json").read_bytes())["packages"]
    package = msgspec.json.decode((commands.SOURCES / "package.json").read_bytes())
    left_out = set(package["left_out"]["packages"])
    assert all(any(f"{path}/".startswith(f"node_modules/{name}/") for path in locked) for name in left_out)
    assert not any(name in left_out or name.partition("/")[0] in left_out for name in package["dependencies"])


RUN = "import sys; from harness.stack.firebase import commands; from harness.stack.state import npm; npm._npm = lambda _p: sys.argv[1]; print(commands.ensure(lambda _l: None))"


def _start(home: Path, script: Path) -> subprocess.Popen[str]:
    environment = os.environ | {ENVIRONMENT_VARIABLE: str(home)}
    return subprocess.Popen(
        [sys.executable, "-c", RUN, script],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.process
def test_two_runs_at_once_install_once(home: Path, tmp_path: Path) -> None:
    script, count = tmp_path / "npm.js", tmp_path / "count"
    script.write_text(f"require('fs').appendFileSync('{count}', 'x'); setTimeout(() => {{ {WHOLE} }}, 700);")
    both = [_start(home, script), _start(home, script)]
    told = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert told[0][0] == told[1][0]
    assert count.read_text() == "x"


@pytest.mark.process
def test_after_a_kill_the_next_run_waits_for_npm_and_installs_anew(home: Path, tmp_path: Path) -> None:
    script, pids = tmp_path / "npm.js", tmp_path / "pids"
    script.write_text(
        f"require('fs').appendFileSync('{pids}', process.pid + '\\n'); setTimeout(() => {{ {WHOLE} }}, 1500);"
    )
    first = _start(home, script)
    deadline = time.monotonic() + 30
    while not (pids.exists() and pids.read_text().endswith("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=10)
    assert not list((home / "npm").glob("*/node_modules/args"))
    second = _start(home, script)
    out, error = second.communicate(timeout=60)
    assert second.returncode == 0, error
    assert Path(out.strip(), "args").exists()
    assert len(pids.read_text().split()) == 2
    assert not list((home / "npm").glob("*.half"))


@pytest.mark.slow
@pytest.mark.stack
def test_no_network_is_an_error_for_people(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real npm, with an empty cache and a registry that refuses connections."""
    for name in [
        name for name in os.environ if name.lower().endswith("_proxy") or name.lower().startswith("npm_config")
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StackNotStarted) as failure:
        commands.ensure(print)
    assert "ECONNREFUSED" in failure.value.what
    assert failure.value.remedy
