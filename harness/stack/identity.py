"""Which program or image a target is, so that evidence of one is not taken for another's; and which code judges it."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import msgspec

from harness.base.data import ROOT
from harness.base.options import unseen
from harness.model.stack import Target
from harness.stack.targets import BUNDLED_MIGRATIONS

_PINNED = "@sha256:"
_API = ("*.py", "*.sql", "*.json", "Dockerfile")
#: Folders of the harness that draw and tell what was judged.
_TELL = ("cli", "report", "signoff")
_MAKE = ("harness", "scenarios", "chaos", "deploy")
_NOT_CODE = {".pyc", ".md"}
#: What is made beside a program's files while it runs, or tells of their past.
_MADE = {"__pycache__", ".git"}
#: Programs that run what they are told to, wherever they lie.
_INTERPRETER = re.compile(
    r"(env|(ba|da|k|z|fi)?sh|busybox|pypy|python|node|nodejs|deno|bun|npm|npx|pnpm|yarn|go|java|dotnet|ruby|bundle|"
    r"perl|php|lua|luajit|docker|podman|uv|uvicorn|gunicorn|hypercorn|flask|poetry|make)[\d.]*"
)


class Identity:
    """Which program or image a run's target is: what lies there when the run first tells of itself is what runs."""

    def __init__(self, target: Target) -> None:
        self._target = target

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the run's result says of its target, and of this repository. Starts a process for an image whose name
        pins no digest."""
        target = self._target
        of = {"target": target.name, "target_bundled": target.bundled, "target_digest": digest(target)}
        return {**of, "harness_digest": harness_digest()}


@cache
def harness_digest() -> str:
    """``sha256:...`` of what makes evidence and judges it: the harness but for what tells of it, the register, the
    scenarios and plans, the experiments, the deployed manifests."""
    telling = [ROOT / "harness" / each for each in _TELL]
    files = [path for each in _MAKE for path in (ROOT / each).rglob("*") if path.is_file()]
    made = [path for path in files if path.suffix not in _NOT_CODE and not any(map(path.is_relative_to, telling))]
    return _of_files(tuple(sorted(made)))


def digest(target: Target) -> str:
    """Return ``sha256:...`` of what runs: of an image, of the program's files, of the words and variables they are run
    with, and of the migrations. Of an image alone it is the image's own digest, or Docker's id of it.

    "" where that cannot be told: for an image that this machine's Docker does not have or is yet to build, and for a
    command that hides its program (``_named``), where the target file does not list what makes up the program.
    """
    if target.bundled:
        return _of_files(_api())
    image = _image(target.image) if target.image else ""
    try:
        files = _listed(target.program) if target.program else _default(target)
        if files is None or (target.image and not image) or not (image or files):
            return ""
        told = (target.command[1:], target.environment, target.migrations[1:])
        if image and not files and not any(told):
            return image
        whole = hashlib.sha256(msgspec.json.encode((image, *told), order="deterministic"))
        for name, path in files:
            content = path.read_bytes()
            whole.update(f"\0{name}\0{len(content)}\0".encode() + content)
    except OSError:
        return ""  # a file that cannot be read
    return f"sha256:{whole.hexdigest()}"


_Files = list[tuple[str, Path]]


def _listed(paths: Iterable[str]) -> _Files:
    """Return the files that ``paths`` name or hold, by their names from there. Links to folders are not followed."""
    found: _Files = []
    for top in map(Path, paths):
        inside = sorted(each for each in top.rglob("*") if each.is_file()) if top.is_dir() else [top]
        names = [(each.relative_to(top.parent), each) for each in inside]
        found += [(name.as_posix(), each) for name, each in names if not _MADE.intersection(name.parts)]
    return found


def _default(target: Target) -> _Files | None:
    """Return the files that the command and the migrations name; ``None`` where one of them hides its program."""
    if target.dockerfile or not (target.image or target.command):
        return None
    found: _Files = []
    for command, folder in ((target.command, target.folder), (target.migrations, target.migrations_folder)):
        named = _named(command, folder or target.folder)
        if named is None:
            return None
        found += named
    return found


def _named(command: tuple[str, ...], folder: str) -> _Files | None:
    """Return the files that a command names. ``None`` where its program is a script, lies on the PATH or interprets
    another: then what runs is what the program finds by itself."""
    if command == BUNDLED_MIGRATIONS:
        return [(path.name, path) for path in _api()]
    if not command:
        return []
    for program in {path := Path(folder) / command[0], path.resolve()}:
        if shutil.which(program.name) == str(program) or _INTERPRETER.fullmatch(program.name):
            return None
    with path.open("rb") as file:
        if file.read(2) == b"#!":
            return None
    words = dict.fromkeys(part for word in command for part in (word, word.partition("=")[2]) if part)
    return [(Path(word).name, at) for word in words if unseen(at := Path(folder) / word) is None and at.is_file()]


def _api() -> tuple[Path, ...]:
    return tuple(sorted(path for pattern in _API for path in (ROOT / "api").rglob(pattern)))


def _image(image: str) -> str:
    _, pinned, of = image.partition(_PINNED)
    return f"sha256:{of}" if pinned else _image_id(image)


def _of_files(paths: tuple[Path, ...]) -> str:
    whole = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        whole.update(f"{path.name}\0{len(content)}\0".encode() + content)
    return f"sha256:{whole.hexdigest()}"


def _image_id(image: str) -> str:
    from harness.stack.kind.at_hand import ask

    return ask("image", "inspect", "--format", "{{.Id}}", image) or ""
