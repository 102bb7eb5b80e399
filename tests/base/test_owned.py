"""Whose files may say what is run: this user's and root's, in folders that nobody else may write."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.base.data import OVERLAYS
from harness.base.errors import BadInput, Exit
from harness.base.owned import TRUSTED, NotOwn, own
from harness.cli.main import main, parse
from harness.model.stack import EnvironmentKind
from harness.rehearsals.conformance.openapi.file import loaded
from harness.rehearsals.infrastructure import reading
from harness.stack import manifests
from harness.stack.manifests import kustomize
from harness.stack.target.targets import bundled, resolve
from tests.session.needs import needs_root

NOBODY = 65534


def _open(at: Path) -> None:
    at.chmod(at.stat().st_mode | 0o002)


def _for_a_group(at: Path) -> None:
    os.chown(at, -1, NOBODY)
    at.chmod(at.stat().st_mode | 0o020)


def _given(at: Path) -> None:
    os.chown(at, NOBODY, NOBODY)


HANDS = [
    pytest.param(_open, id="everybody may write it"),
    pytest.param(_for_a_group, id="a group may write it", marks=needs_root),
    pytest.param(_given, id="another owns it", marks=needs_root),
]


def _toml(at: Path) -> None:
    """The nearest upward, of a command that would run its target."""
    parse(["run", "rollout_week3"])


def _target(at: Path) -> None:
    resolve(str(at / "t.yaml"))


def _manifests(at: Path) -> None:
    manifests.load(at, EnvironmentKind.LOCAL, bundled())


def _openapi(at: Path) -> None:
    loaded(at / "openapi.yaml", "openapi.yaml")


def _workflows(at: Path) -> None:
    reading.read(at)


READERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "rehearsal.toml": (_toml, 'target = "./walk-api"\n'),
    "t.yaml": (_target, "command: ./walk-api\n"),
    "kustomization.yaml": (_manifests, f"resources: [{os.path.relpath(OVERLAYS / 'local', '/x/y')}]\n"),
    "openapi.yaml": (_openapi, "openapi: 3.1.0\n"),
    ".github/workflows/w.yml": (_workflows, "on: push\n"),
}


@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize("of", ["file", "folder"])
@pytest.mark.parametrize(("name", "reader", "text"), [(name, *each) for name, each in READERS.items()], ids=READERS)
def test_what_others_may_have_written_says_nothing_of_what_is_run(
    name: str, reader: Callable[[Path], None], text: str, of: str, hand: Callable[[Path], None],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    folder = tmp_path / "theirs"
    file = folder / name
    file.parent.mkdir(parents=True)
    file.write_text(text)
    (folder / "walk-api").write_text("one")
    (folder / "walk-api").chmod(0o755)
    (folder / "down").mkdir()
    monkeypatch.chdir(folder / "down")
    hand(file if of == "file" else file.parent)
    with pytest.raises(BadInput, match="another user's"):
        reader(folder)
    monkeypatch.setenv(TRUSTED, f"/nowhere:{folder}")
    if name != "kustomization.yaml":  # what that names is none
        reader(folder)


@needs_root
def test_a_link_in_a_folder_of_others_is_theirs(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "own").write_text("")
    (tmp_path / "theirs" / "link").symlink_to(tmp_path / "own")
    own(tmp_path / "theirs" / "link")
    os.chown(tmp_path / "theirs", NOBODY, NOBODY)
    own(tmp_path / "own")
    with pytest.raises(BadInput):
        own(tmp_path / "theirs" / "link")


def test_a_file_that_sets_what_is_run_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rehearsal.toml").write_text('lang = "en"\nreports = "kept"\n[signoff]\ntarget = "image:a"\n')
    assert main(["signoff"]) == Exit.USAGE  # there is no such folder
    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if "rehearsal.toml" in line] == [
        f"--reports is kept, as {tmp_path}/rehearsal.toml:2 says",
        f"--target is image:a, as {tmp_path}/rehearsal.toml:4 says",
    ]
    assert main(["signoff", "--target", "image:b", "--reports", "gone"]) == Exit.USAGE
    assert "rehearsal.toml" not in capsys.readouterr().err


def test_in_a_sticky_folder_a_file_of_ones_own_is_ones_own(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    (tmp_path / "t.yaml").write_text("")
    own(tmp_path / "t.yaml")


@needs_root
def test_kubectl_renders_nothing_that_another_may_have_written(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: []\n")
    _given(tmp_path / "kustomization.yaml")
    with pytest.raises(NotOwn):
        kustomize.render(tmp_path)
