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
from harness.stack.target.targets import BUNDLED_MIGRATIONS

_PINNED = "@sha256:"
_API = ("*.py", "*.sql", "*.json", "Dockerfile")
#: Folders of the harness that draw and tell what was judged.
_TELL = ("cli", "report", "signoff")
_MAKE = ("harness", "scenarios", "chaos", "deploy")
_NOT_CODE = {".pyc", ".md"}
_Files = list[tuple[str, Path]]
#: What is made beside a program's files while it runs, or tells of their past.
_MADE = {"__pycache__", ".git"}
#: Programs that run what they are told to, wherever they lie.
_INTERPRETER = re.compile(
    r"(env|(ba|da|k|z|fi)?sh|busybox|pypy|python|node|nodejs|deno|bun|npm|npx|pnpm|yarn|go|java|dotnet|ruby|bundle|"
    r"perl|php|lua|luajit|docker|podman|uv|uvicorn|gunicorn|hypercorn|flask|poetry|make)[\d.]*"
)


class TargetIdentity:
    """Which program or image a run's target is: what lies there when the run first tells of itself is what runs."""

    def __init__(self, target: Target) -> None:
        self._target = target

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the run's result says of its target, and of this repository. Starts a process for an image whose name
        pins no digest."""
        target = self._target
        of = {"target": target.name, "target_bundled": target.bundled, "target_digest": digest(target)}
        return {**of, "keeps": target.keeps, "harness_digest": harness_digest()}


@cache
def harness_digest() -> str:
    """``sha256:...`` of what makes evidence and judges it: the harness but for what tells of it, the register, the
    scenarios and plans, the experiments, the deployed manifests."""
    telling = [ROOT / "harness" / each for each in _TELL]
    files = [path for each in _MAKE for path in (ROOT / each).rglob("*") if path.is_file()]
    made = [path for path in files if path.suffix not in _NOT_CODE and not any(map(path.is_relative_to, telling))]
    return of_files((path.name, path) for path in sorted(made))


def digest(target: Target) -> str:
    """Return ``sha256:...`` of what runs: of an image, of the program's files, of the words and variables they are run
    with, and of the migrations. Of an image alone it is the image's own digest, or Docker's id of it.

    "" where that cannot be told: for an image that this machine's Docker does not have or is yet to build, and for a
    command that hides its program, where the target file does not list what makes up the program.
    """
    if target.bundled:
        return of_files(_api())
    try:
        image, listed = _image(target.image), _listed(target.program)
        command, hidden = _named(target.command, target.folder)
        migrations, beside = _named(target.migrations, target.migrations_folder or target.folder)
        files = [*listed, *command, *migrations]
        hides = hidden or beside or bool(target.dockerfile)
        if (hides and not listed) or (target.image and not image) or not (image or files):
            return ""
        told = (target.command[1:], target.environment, target.migrations[1:])
        alone = bool(image) and not files and not any(told)
        return image if alone else of_files(files, msgspec.json.encode((image, *told), order="deterministic"))
    except OSError:
        return ""  # a file that cannot be read


def _listed(paths: Iterable[str]) -> _Files:
    """Return the files that ``paths`` name or hold, by their names from there. Links to folders are not followed."""
    tops = map(Path, paths)
    held = [(top, each) for top in tops for each in (sorted(top.rglob("*")) if top.is_dir() else [top])]
    names = [(each.relative_to(top.parent), each) for top, each in held if each.is_file()]
    return [(name.as_posix(), each) for name, each in names if not _MADE.intersection(name.parts)]


def _named(command: tuple[str, ...], folder: str) -> tuple[_Files, bool]:
    """Return the files that a command names, and whether it hides its program. It does by a script, by a program on the
    PATH and by an interpreter: then what runs is what these find by themselves."""
    if not command or command == BUNDLED_MIGRATIONS:
        return (_api() if command else []), False
    path = Path(folder) / command[0]
    starts = any(
        shutil.which(each.name) == str(each) or _INTERPRETER.fullmatch(each.name) for each in (path, path.resolve())
    )
    words = dict.fromkeys(part for word in command[starts:] for part in (word, word.partition("=")[2]) if part)
    files = [(Path(word).name, at) for word in words if unseen(at := Path(folder) / word) is None and at.is_file()]
    return files, starts or path.read_bytes()[:2] == b"#!"


def _api() -> _Files:
    return [(path.name, path) for path in sorted(path for each in _API for path in (ROOT / "api").rglob(each))]


def of_files(files: Iterable[tuple[str, Path]], told: bytes = b"") -> str:
    """``sha256:...`` of files, each by a name and its content, and of what is ``told`` besides."""
    whole = hashlib.sha256(told)
    for name, path in files:
        content = path.read_bytes()
        whole.update(f"{name}\0{len(content)}\0".encode() + content)
    return f"sha256:{whole.hexdigest()}"


def _image(image: str) -> str:
    from harness.stack.kind.at_hand import ask

    _, pinned, of = image.partition(_PINNED)
    return f"sha256:{of}" if pinned else image and (ask("image", "inspect", "--format", "{{.Id}}", image) or "")
