"""The machine-wide folder, wherever it lies: odd paths work or are refused clearly, and so does a user without a home."""

from __future__ import annotations

import asyncio
import errno
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from testcontainers.core.container import DockerContainer

from harness.base.clock import MachineClock
from harness.base.errors import BadInput, Exit, StackNotStarted
from harness.base.home import LONGEST_BYTES, expanded, home
from harness.base.private import open_beneath, open_private, write_private
from harness.cli import stack_command
from harness.load.plan import LoadPlan
from harness.load.plan import write as write_plan
from harness.rehearsals.dr_restore.archive import Archive
from harness.stack.kind import docker
from harness.stack.kind import ground as outside_module
from harness.stack.kind.ground import Outside, started_here
from harness.stack.kubernetes.compose import Definition
from harness.stack.local import postgres_template
from harness.stack.local.site import Site
from harness.stack.process.processes import SystemAccount
from harness.stack.state import RunState, npm, ports
from tests import stub_docker
from tests.session.needs import needs_root

pytestmark = pytest.mark.process
ROOT = Path(__file__).resolve().parent.parent
ODD = 'with space/100%d 散歩/a\'b "c" $HOME'


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- where it may lie --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [ODD, "é" * 100, "全角　空白"])
def test_a_folder_with_any_letters_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path / name))
    assert home() == tmp_path / name
    state = RunState.begin("one")
    assert state.folder.is_dir()
    state.end()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a:b", "has a colon"),
        ("a\nb", "has a control character"),
        ("\udc80", "is no UTF-8"),
        ("/".join(["x" * 100] * 7), f"{LONGEST_BYTES} are the most"),
    ],
)
def test_a_folder_that_programs_cannot_take_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, why: str) -> None:
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", f"/var/{name}")
    with pytest.raises(BadInput, match=why) as error:
        home()
    assert "TEKUTOKO_REHEARSAL_HOME" in error.value.remedy


def as_random_user(variables: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    """As OpenShift runs a container: a user id that passwd does not know, and no HOME."""
    return subprocess.run(
        list(command), cwd=ROOT, env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **variables},
        user=1_000_990_000, group=0, extra_groups=[], capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@needs_root
@pytest.mark.parametrize("program", [("-m", "harness", "doctor"), ("noxfile.py", "-s", "doctor")])
def test_a_user_without_a_home_is_told_what_to_do(program: tuple[str, ...]) -> None:
    done = as_random_user({}, shutil.which("python3", path="/usr/bin") or sys.executable, *program)
    assert done.returncode == Exit.USAGE, done.stderr
    assert "HOME is not set and user 1000990000 has no entry in passwd" in done.stderr
    assert "name a folder in TEKUTOKO_REHEARSAL_HOME" in done.stderr and "Traceback" not in done.stderr


def test_a_user_whom_passwd_does_not_know_cannot_make_the_template(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``initdb`` could not."""

    def unknown(uid: int) -> Any:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(StackNotStarted, match="who has no entry in passwd") as error:
        postgres_template.check_account()
    assert "/etc/passwd" in error.value.remedy


def test_a_machine_without_nobody_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> Any:
        raise KeyError(name)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", unknown)
    with pytest.raises(StackNotStarted, match="there is no user nobody"):
        postgres_template.account()


def test_a_tilde_without_a_home_is_refused() -> None:
    with pytest.raises(BadInput, match="home folder of '~nosuchuser/x' is not known"):
        expanded("~nosuchuser/x")


def test_npm_s_own_cache_is_used_where_it_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path / "home"))
    assert npm.own_cache({"HOME": str(tmp_path)}) == {}
    assert npm.own_cache({"NPM_CONFIG_CACHE": "/elsewhere"}) == {}
    ours = {"npm_config_cache": str(tmp_path / "home" / "npm" / "cache")}
    assert npm.own_cache({}) == ours
    monkeypatch.setattr(os, "access", lambda path, how: False)
    assert npm.own_cache({"HOME": str(tmp_path)}) == ours


def test_a_machine_without_ipv4_s_loopback_is_not_said_to_be_full_of_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_socket: socket.socket, address: Any) -> None:
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))

    class NoLoopback(socket.socket):
        bind = refused

    monkeypatch.setattr(socket, "socket", NoLoopback)
    with pytest.raises(StackNotStarted, match=r"nothing can listen on 127\.0\.0\.1: Cannot assign requested address"):
        ports.PortSlot()


# -- PostgreSQL's commands ---------------------------------------------------------------------------------------------


def as_postgresql_runs(command: str, file: str, path: str) -> int:
    """``%f`` and ``%p`` put in, ``%%`` halved (``replace_percent_placeholders``), then a shell."""
    put = {"%%": "%", "%f": file, "%p": path}
    out, at = "", 0
    while at < len(command):
        two = command[at : at + 2]
        if command[at] == "%":
            out, at = out + put[two], at + 2
        else:
            out, at = out + command[at], at + 1
    return subprocess.run(["/bin/sh", "-c", out], check=False, timeout=20).returncode


def test_the_archive_is_reached_in_a_folder_of_any_letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path / ODD))
    site = Site.begin("archive", tmp_path / "logs", MachineClock())
    try:
        archive = Archive(site, "archive")
        name = "000000010000000000000001"
        (tmp_path / name).write_text("a segment")
        assert as_postgresql_runs(archive.settings["archive_command"], name, str(tmp_path / name)) == 0
        assert archive.archived() == [name]
        assert as_postgresql_runs(archive.restore_command, name, str(tmp_path / "restored")) == 0
        assert (tmp_path / "restored").read_text() == "a segment"
        archive.stall()
        assert as_postgresql_runs(archive.settings["archive_command"], "0" * 24, str(tmp_path / name)) == 1
    finally:
        asyncio.run(site.down())


def test_what_stands_in_the_archive_as_a_link_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path / "home"))
    site = Site.begin("archive", tmp_path / "logs", MachineClock())
    try:
        archive = Archive(site, "archive")
        (tmp_path / "shadow").write_text("a secret of root's")
        (archive.wal / ("0" * 24)).symlink_to(tmp_path / "shadow")
        with pytest.raises(OSError, match="symbolic link"):
            archive.gather(site.folder / "gathered")
        (archive.folder / "stalled").symlink_to(tmp_path / "made by root")
        with pytest.raises(OSError, match="symbolic link"):
            archive.stall()
        assert not (tmp_path / "made by root").exists()
    finally:
        asyncio.run(site.down())


def test_the_copy_of_the_template_follows_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed: list[tuple[str, bool]] = []
    monkeypatch.setattr(postgres_template, "account", lambda: SystemAccount(65534, 65534))
    monkeypatch.setattr(
        os, "chown", lambda path, uid, gid, follow_symlinks=True: changed.append((str(path), follow_symlinks))
    )
    (tmp_path / "data" / "base" / "1").mkdir(parents=True)
    (tmp_path / "data" / "base" / "1" / "file").write_text("x")
    (tmp_path / "shadow").write_text("a secret of root's")
    (tmp_path / "data" / "link").symlink_to(tmp_path / "shadow")
    postgres_template.copy(tmp_path, tmp_path / "copy")
    assert (tmp_path / "copy" / "link").is_symlink()  # nothing was read through it
    folders = [Path(path) for path, _ in changed if Path(path).is_dir()]
    assert folders == [tmp_path / "copy" / "base" / "1", tmp_path / "copy" / "base", tmp_path / "copy"]
    assert not any(followed for _, followed in changed)


# -- secrets -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def open_umask() -> Any:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_a_private_file_is_for_its_user_alone(tmp_path: Path) -> None:
    write_private(tmp_path / "new", b"secret")
    (tmp_path / "there").write_text("longer than what comes")
    with open_private(tmp_path / "there") as file:
        file.write(b"secret")
    assert [mode(tmp_path / name) for name in ("new", "there")] == [0o600, 0o600]
    assert (tmp_path / "there").read_bytes() == b"secret"
    (tmp_path / "link").symlink_to(tmp_path / "new")
    with pytest.raises(OSError, match="symbolic link"):
        write_private(tmp_path / "link", b"x")


def test_nothing_is_opened_through_a_link_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "top" / "real").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "top" / "link").symlink_to(tmp_path / "elsewhere")
    os.close(open_beneath(tmp_path / "top", tmp_path / "top" / "real" / "file", os.O_WRONLY | os.O_CREAT))
    with pytest.raises(OSError, match=r"Not a directory|symbolic link"):
        open_beneath(tmp_path / "top", tmp_path / "top" / "link" / "file", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(ValueError, match="subpath"):
        open_beneath(tmp_path / "top", tmp_path / "elsewhere" / "file", os.O_WRONLY | os.O_CREAT)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.usefixtures("open_umask")
def test_the_plan_of_the_load_is_for_its_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the endpoints, and so the database's password."""
    monkeypatch.setattr("harness.load.plan.check", lambda plan: None)
    write_plan(cast(LoadPlan, {"endpoints": {"database_password": "secret"}}), tmp_path / "load.json")
    assert mode(tmp_path / "load.json") == 0o600


@pytest.mark.usefixtures("open_umask")
def test_the_log_of_a_detached_stack_is_its_own_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the database's address with the password."""
    said: list[list[str]] = []

    def begun(command: list[str], **named: Any) -> None:
        said.append(command)
        os.write(named["stdout"].fileno(), f"run {len(said)}".encode())

    monkeypatch.setattr(subprocess, "Popen", begun)
    logs = [tmp_path / "reports" / f"stack-up-{number}.log" for number in (1, 2)]
    for log in logs:
        stack_command._start_detached(["--on", "local"], log)
    assert [log.read_text() for log in logs] == ["run 1", "run 2"]
    assert [mode(log) for log in logs] == [0o600, 0o600]


def test_a_detached_stack_stands_where_it_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative --target is the caller's, and so is what the target itself opens."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\npwd; echo "$@"\n')
    python.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(python))
    child = stack_command._start_detached(["--target", "./walk-api --config here.yaml"], tmp_path / "log")
    assert child.wait(10) == 0
    assert (tmp_path / "log").read_text() == (
        f"{tmp_path.resolve()}\n-m harness stack up --target ./walk-api --config here.yaml\n"
    )


async def test_no_password_is_on_a_command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Variables go to the engine by its socket: no program is called with them."""
    made: list[DockerContainer] = []
    called: list[object] = []

    async def there(_image: str) -> bool:
        return True

    async def ran(command: list[str], **_named: Any) -> str:
        called.append(command)
        return ""

    def kept(image: str) -> DockerContainer:
        made.append(started_here(image))
        return made[-1]

    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path))
    for name, value in stub_docker.install(tmp_path / "docker").items():  # not every machine has an engine
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(docker, "has_image", there)
    monkeypatch.setattr(docker, "run", ran)
    monkeypatch.setattr(outside_module, "started_here", kept)
    monkeypatch.setattr(DockerContainer, "start", lambda self: self)
    monkeypatch.setattr(Outside, "_follow", lambda self: None)
    state = RunState.begin("one")
    definition = Definition(image="", ports=["5432"], environment={"POSTGRES_PASSWORD": "the definition's"})
    outside = Outside("postgres", definition, state, tmp_path, MachineClock())
    await outside.start("image", {"POSTGRES_PASSWORD": "the-secret", "PGPASSWORD": "the-secret"})
    state.end()
    assert made[0].env == {"POSTGRES_PASSWORD": "the-secret", "PGPASSWORD": "the-secret"}, "the run's own value stands"
    assert not called
