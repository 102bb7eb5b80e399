"""``python -m harness`` by a Python without a package: it goes on in the locked environment, or says why it cannot."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from importlib import util
from pathlib import Path

import pytest

from harness.base import bootstrap, node, typed
from harness.base.home import ENVIRONMENT_VARIABLE, used_mark
from harness.model.stack import EnvironmentKind
from harness.stack.environments import choice as rungs
from harness.stack.target.targets import resolve

ROOT = Path(__file__).resolve().parent.parent
BARE = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"


def by_a_bare_python(*words: str) -> subprocess.CompletedProcess[str]:
    """Without ``site``, and so without any package."""
    return subprocess.run(
        [BARE, "-S", "-m", *words], cwd=ROOT, check=False, capture_output=True, text=True, timeout=120
    )


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("harness", "undo", "--help"), "python3 -m harness undo"),
        (("harness", "cluster", "up", "--help"), "python3 -m harness cluster up"),
        (("harness", "images", "--help"), "--load CLUSTER"),
    ],
)
def test_any_python_goes_on_in_the_locked_environment(words: tuple[str, ...], says: str) -> None:
    done = by_a_bare_python(*words)
    assert done.returncode == 0, done.stderr
    assert says in done.stdout


@pytest.mark.process
def test_what_is_to_be_typed_again_begins_as_the_first_python_was_typed() -> None:
    """Through the locked environment, whose own Python nobody types."""
    environment = {name: value for name, value in os.environ.items() if name != typed.TYPED}
    words = [BARE.name, "-S", "-m", "harness", "run", "--windw"]
    done = subprocess.run(
        words, executable=BARE, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=120
    )
    assert f"where: {BARE.name} -m harness run" in done.stderr


@pytest.mark.parametrize(
    ("first", "handed_on", "told"),
    [
        ("python", None, "python"),
        ("python3", None, "python3"),
        ("python3.12", None, "python3.12"),
        ("/opt/venv/bin/python", None, "python3"),  # a path of this machine, such as nox' own
        ("/home/me/.cache/venv/bin/python", "python3.12", "python3.12"),
        ("python", "rm -rf /", "python3"),
        ("", None, "python3"),
    ],
)
def test_a_python_is_named_as_it_was_typed_and_else_as_every_machine_has_it(
    first: str, handed_on: str | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "orig_argv", [first, "-m", "harness"])
    monkeypatch.delenv(typed.TYPED, raising=False)
    if handed_on is not None:
        monkeypatch.setenv(typed.TYPED, handed_on)
    assert typed.typed() == told


@pytest.mark.process
def test_arguments_and_exit_status_go_through() -> None:
    done = by_a_bare_python("harness", "run", "no_such_scenario")
    assert done.returncode == 2
    assert "no_such_scenario" in done.stderr and "Traceback" not in done.stderr


def test_without_the_packages_and_without_an_index_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ensure(_level: str) -> Path:
        raise RuntimeError("installing the locked packages with pip failed (1)")

    monkeypatch.setattr(util, "find_spec", lambda _name: None)
    monkeypatch.setattr(bootstrap, "ensure", ensure)
    with pytest.raises(SystemExit) as ended:
        bootstrap.enter("harness")
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "could not be installed: installing the locked packages with pip failed (1)" in said
    assert "to do: check the package index" in said


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("file", "the machine-wide folder cannot be used: {0}/file is no folder\n  where: '{0}/file'"),
        ("file/below", "the machine-wide folder cannot be used: {0}/file is no folder\n  where: '{0}/file/below'"),
        ("full", "what is installed cannot be written: No space left on device\n  where: {0}/full/venv"),
    ],
)
def test_a_folder_that_cannot_be_made_is_no_matter_of_the_package_index(
    folder: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ensure(_level: str) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / folder / "venv"))

    (tmp_path / "file").touch()
    monkeypatch.setattr(util, "find_spec", lambda _name: None)
    monkeypatch.setattr(bootstrap, "ensure", ensure)
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / folder))
    with pytest.raises(SystemExit) as ended:
        bootstrap.enter("harness")
    said = capsys.readouterr().err
    assert ended.value.code == 2 and told.format(tmp_path) in said
    assert f"name another folder in {ENVIRONMENT_VARIABLE}" in said and "package index" not in said


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/usr/bin/python3.11"), "'/usr/bin/python3.11'"),
        (PermissionError(errno.EACCES, "Permission denied", "/usr/bin/python3.11"), "'/usr/bin/python3.11'"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "Resource temporarily unavailable"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "Cannot allocate memory"),
        (OSError("what has no number"), "what has no number"),
    ],
)
def test_what_has_to_do_with_another_place_is_not_said_of_the_folder(
    error: OSError, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ensure(_level: str) -> Path:
        raise error

    monkeypatch.setattr(util, "find_spec", lambda _name: None)
    monkeypatch.setattr(bootstrap, "ensure", ensure)
    with pytest.raises(SystemExit) as ended:
        bootstrap.enter("harness")
    said = capsys.readouterr().err
    assert ended.value.code == 2 and "the locked packages could not be installed: " in said and told in said
    assert "cannot be written" not in said and "  to do: " in said


@pytest.mark.parametrize(
    ("here", "told"),
    [
        ("glibc 2.31", "check the package index"),
        ("glibc 2.41.9000", "check the package index"),
        ("glibc 2.28", "take a Linux with glibc 2.31 or newer; this one has glibc 2.28"),
        ("", "take a Linux with glibc 2.31 or newer; this one has another C library"),
        (None, "take a Linux with glibc 2.31 or newer; this one has another C library"),
        (ValueError("unrecognized configuration name"), "this one has another C library"),
    ],
)
def test_where_the_c_library_is_too_old_for_the_packages_it_is_said(
    here: str | ValueError | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def confstr(_name: str) -> str | None:
        if isinstance(here, ValueError):
            raise here  # as musl's Python does
        return here

    monkeypatch.setattr(os, "confstr", confstr)
    assert told in bootstrap._to_do()


@pytest.fixture
def asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The levels that were installed, into nothing, on a machine with a Node of its own."""
    asked: list[str] = []
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path))
    monkeypatch.setattr(bootstrap, "_make", lambda folder: folder.mkdir())
    monkeypatch.setattr(bootstrap, "_install", lambda _folder, level, _progress: asked.append(level))
    monkeypatch.setattr(node, "on_path", lambda: Path("/usr/bin/node"))
    return asked


def quiet(_line: str) -> None:
    """Nothing."""


def test_one_environment_grows_with_what_is_asked_of_it(asked_for: list[str]) -> None:
    for level in ("run", "run", "kind", "run", "node", "dev", "kind"):
        bootstrap.ensure(level, quiet)
    assert asked_for == ["run", "kind", "dev"]
    assert bootstrap.installed(bootstrap.environment_folder()) == "dev"
    assert len({bootstrap.ensure(level, quiet) for level in bootstrap.LEVELS}) == 1


def test_without_a_node_one_is_installed_once(asked_for: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap.ensure("run", quiet)
    monkeypatch.setattr(node, "on_path", lambda: None)  # it went
    for _ in range(2):
        bootstrap.ensure("run", quiet)
    assert asked_for == ["run", "node"]


def test_an_installation_that_failed_leaves_what_there_was(
    asked_for: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap.ensure("run", quiet)

    def fails(*_words: object) -> None:
        raise RuntimeError("no index")

    monkeypatch.setattr(bootstrap, "_install", fails)
    with pytest.raises(RuntimeError, match="no index"):
        bootstrap.ensure("kind", quiet)
    assert bootstrap.installed(bootstrap.environment_folder()) == "run"


@pytest.mark.parametrize(
    ("rung", "goes_on"),
    [
        (EnvironmentKind.LOCAL, []),
        (EnvironmentKind.SIM, []),
        (EnvironmentKind.KIND, ["kind"]),
        (EnvironmentKind.KUBE, ["kind"]),
    ],
)
def test_a_command_on_a_cluster_goes_on_where_the_cluster_s_packages_are(
    rung: EnvironmentKind, goes_on: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    levels: list[str] = []
    monkeypatch.setattr(bootstrap.Level, "is_here", lambda level: level.probe == "msgspec")

    def go_on(_arguments: list[str], level: str) -> int:
        levels.append(level)
        return 7

    monkeypatch.setattr(bootstrap, "_go_on", go_on)
    with pytest.raises(SystemExit) if goes_on else contextlib.nullcontext():
        rungs.choose(rung, resolve(None))
    assert levels == goes_on


@pytest.mark.process
def test_no_program_of_a_package_is_run_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock names the hashes of sources too; those would build themselves, by whatever program they bring."""
    ran, index, source = tmp_path / "ran", tmp_path / "index", tmp_path / "nasty-1"
    for folder in (index, source):
        folder.mkdir()
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "nasty"\nbackend-path = ["."]\n'
    )
    (source / "nasty.py").write_text(f"open({str(ran)!r}, 'w')\n")
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: nasty\nVersion: 1\n")
    packed = Path(shutil.make_archive(str(index / "nasty-1"), "gztar", tmp_path, source.name))
    lock = tmp_path / "run.lock"
    lock.write_text(f"nasty==1 --hash=sha256:{hashlib.sha256(packed.read_bytes()).hexdigest()}\n")
    for name, value in {"FIND_LINKS": str(index), "NO_INDEX": "1"}.items():
        monkeypatch.setenv(f"UV_{name}", value)
        monkeypatch.setenv(f"PIP_{name}", value)
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False)
    (environment / "bin" / "uv").symlink_to(Path(sys.executable).parent / "uv")
    pins = bootstrap.lock("dev")
    monkeypatch.setattr(bootstrap, "lock", lambda level: pins if level == "dev" else lock)
    with pytest.raises(RuntimeError):
        bootstrap._install(environment, "run", quiet)
    assert not ran.exists()


@pytest.mark.process
def test_a_command_has_the_environment_that_it_runs_in() -> None:
    mark = used_mark(Path(sys.prefix))
    before_ns = mark.stat().st_mtime_ns if mark.exists() else 0
    subprocess.run([sys.executable, "-m", "harness", "--version"], cwd=ROOT, check=True, timeout=60)
    assert (mark.exists() and mark.stat().st_mtime_ns > before_ns) is bool(bootstrap.installed(Path(sys.prefix)))
