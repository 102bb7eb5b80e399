"""Which program or image a target is, so that evidence of one is not taken for another's; and which code judges it."""

from __future__ import annotations

import hashlib
import shutil
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from harness.base.data import ROOT
from harness.model.stack import Target

_PINNED = "@sha256:"
_API = ("*.py", "*.sql", "*.json", "Dockerfile")
#: Folders of the harness that draw and tell what was judged.
_TELL = ("cli", "report", "signoff")
_MAKE = ("harness", "scenarios", "chaos", "deploy")
_NOT_CODE = {".pyc", ".md"}


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
    """``sha256:...`` of what runs: the image's digest where its name pins one, else Docker's id of it; of the bundled
    API and of a command the SHA-256 of its files. "" where it cannot be told: an image that this machine's Docker does
    not have or is yet to build, a module that an interpreter looks for, what a launcher that lies on the PATH
    (``uvicorn main:app``, ``npm start``, ``go run .``) finds by itself.
    """
    if target.bundled:
        return _of_files(tuple(sorted(path for pattern in _API for path in (ROOT / "api").rglob(pattern))))
    if target.image:
        _, pinned, of = target.image.partition(_PINNED)
        return f"sha256:{of}" if pinned else _image_id(target.image)
    if target.dockerfile or not target.command or "-m" in target.command:
        return ""
    named = _named(target)
    return _of_files(named) if named else ""


def _named(target: Target) -> tuple[Path, ...]:
    """The files that the command names: its program, and a script behind an interpreter. () where its program lies on
    the PATH, and what follows is no script: a file next to it, or nothing but files and options."""
    program, *words = target.command
    files = [path for word in target.command if (path := Path(target.folder) / word).is_file()]
    if shutil.which(Path(program).name) == program:
        plain = [word for word in words if not word.startswith("-")]
        scripts = words[:1] if words[:1] == plain[:1] else plain
        if not scripts or not all((Path(target.folder) / word).is_file() for word in scripts):
            return ()
    return tuple(dict.fromkeys(files))


def _of_files(paths: tuple[Path, ...]) -> str:
    whole = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        whole.update(f"{path.name}\0{len(content)}\0".encode() + content)
    return f"sha256:{whole.hexdigest()}"


def _image_id(image: str) -> str:
    from harness.stack.kind.at_hand import ask

    return ask("image", "inspect", "--format", "{{.Id}}", image) or ""
