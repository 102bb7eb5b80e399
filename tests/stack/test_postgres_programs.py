"""PostgreSQL's programs: version 15 from npm, a whole version 15 from Debian's packages, the wheel where there is none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.base.errors import StackNotStarted
from harness.base.home import ENVIRONMENT_VARIABLE
from harness.stack.local import debian, postgres_programs
from harness.stack.state import npm
from tests.lines import Lines


@pytest.fixture
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own, and no PostgreSQL that Debian installed; the home."""
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "home"))
    places = debian.places
    monkeypatch.setattr(debian, "places", lambda: (place for place in places() if "unpacked" in place[2]))
    debian.works.cache_clear()
    yield tmp_path / "home"
    debian.works.cache_clear()


def test_the_lock_file_names_no_registry_and_every_package_has_a_digest() -> None:
    text = (postgres_programs.TREE.sources / "package-lock.json").read_text()
    lock = json.loads(text)
    assert "registry." not in text
    assert '"resolved"' not in text
    asked = json.loads((postgres_programs.TREE.sources / "package.json").read_text())["optionalDependencies"]
    assert lock["packages"][""]["optionalDependencies"] == asked
    assert all("integrity" in package for path, package in lock["packages"].items() if path)


def test_the_server_is_of_the_documents_version() -> None:
    server = postgres_programs.server()
    assert server.major == postgres_programs.MAJOR == 15
    assert server.named == f"PostgreSQL {server.version} (npm {server.origin.removeprefix('npm ')})"
    assert server.version.count(".") == 1


def test_an_unknown_processor_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_programs, "_PACKAGE", "@embedded-postgres/linux-riscv64")
    with pytest.raises(StackNotStarted, match="no PostgreSQL for this processor") as failure:
        postgres_programs.server()
    assert failure.value.remedy


@pytest.mark.parametrize(
    "link",
    [
        {"source": "native/lib/a.so.1", "target": "native/bin/a.so"},
        {"source": "native/lib/../../../x", "target": "native/lib/../../../a"},
        {"source": "/lib/a", "target": "/lib/b"},
    ],
)
def test_a_link_out_of_the_package_is_refused(tmp_path: Path, link: dict[str, str]) -> None:
    package = tmp_path / postgres_programs._PACKAGE
    (package / "native" / "lib").mkdir(parents=True)
    (package / "native" / "pg-symlinks.json").write_text(json.dumps([link]))
    with pytest.raises(StackNotStarted, match="leads out"):
        postgres_programs._links(tmp_path)


def test_a_package_that_npm_left_out_is_named_and_not_the_folder(tmp_path: Path) -> None:
    """npm ends with 0 when it could not fetch what is optional; seen of a user without the machine's certificates."""
    with pytest.raises(StackNotStarted, match=f"npm left {postgres_programs._PACKAGE} out") as refused:
        postgres_programs._links(tmp_path / "node_modules")
    assert "npm registry" in refused.value.remedy and "writable" not in refused.value.remedy


@pytest.mark.slow
@pytest.mark.stack
def test_the_installed_server_starts(capsys: pytest.CaptureFixture[str]) -> None:
    postgres_programs.install(print)
    server = postgres_programs.server()
    assert server.folder.is_relative_to(npm.folder(postgres_programs.TREE))
    done = subprocess.run(
        [server.path("postgres"), "--version"], capture_output=True, text=True, check=True, env=server.environment
    )
    assert done.stdout.split()[2] == server.version


@pytest.mark.process
def test_without_debian_the_wheel_is_taken_and_named(nothing_here: Path) -> None:
    found = postgres_programs.whole()
    assert found.origin == f"the wheel {postgres_programs.WHEEL}"
    assert found.major > postgres_programs.MAJOR
    assert all((found.folder / name).is_file() for name in debian.PROGRAMS)


@pytest.mark.process
def test_programs_of_two_versions_are_no_version(tmp_path: Path) -> None:
    for name in debian.PROGRAMS:
        version = "15.18" if name != "pg_waldump" else "16.2"
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (tmp_path / name).chmod(0o755)
    assert debian.works(tmp_path, None) == ""
    debian.works.cache_clear()
    (tmp_path / "pg_waldump").write_text("#!/bin/sh\necho 'pg_waldump (PostgreSQL) 15.18 (Debian)'\n")
    assert debian.works(tmp_path, None) == "15.18"
    debian.works.cache_clear()
    (tmp_path / "initdb").write_text("#!/bin/sh\necho lacking a library >&2; exit 127\n")
    assert debian.works(tmp_path, None) == ""
    debian.works.cache_clear()


def test_a_machine_without_apt_is_told(nothing_here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = Lines()
    debian.unpack(said.tell)
    assert said == ["this machine has no apt-get"]


@pytest.mark.process
def test_a_refusal_of_apt_is_told_and_leaves_nothing(
    nothing_here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("apt-get", "dpkg-deb"):
        (tmp_path / name).write_text('#!/bin/sh\necho "E: Unable to locate package postgresql-15" >&2; exit 100\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    said = Lines()
    debian.unpack(said.tell)
    assert len(said) == 1
    assert "Unable to locate package postgresql-15" in said[0]
    assert not debian.unpacked().exists()
    assert not debian.unpacked().with_suffix(".half").exists()


@pytest.mark.slow
@pytest.mark.stack
@pytest.mark.skipif(shutil.which("apt-get") is None, reason="no apt here")
def test_debians_packages_are_unpacked_without_apts_own_state(nothing_here: Path) -> None:
    """Only on Debian 12 and what derives from it; elsewhere the reason is told."""
    said = Lines()
    debian.unpack(said.tell)
    if said:
        assert "could not be had" in said[0], said
        return
    found = postgres_programs.whole()
    assert found.origin == "Debian's postgresql-15, unpacked"
    assert found.major == postgres_programs.MAJOR
    assert found.folder.is_relative_to(nothing_here)
    assert found.libraries is not None
    again = Lines()
    debian.unpack(again.tell)
    assert again == []
