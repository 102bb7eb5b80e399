"""An image as a recipe: a Dockerfile, a base, the parts of its build context; the tag is the key of its content."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from harness.model.message import ProgressCallback

REPOSITORY = "tekutoko-rehearsal"
LAYOUT = 1  # rises when images are made differently
_LEFT_OUT = ("__pycache__", "*.pyc", "*.map", "*.d.ts", "*.md")


class ContextPart(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder of the build context at ``at``.

    ``digest`` stands for its content in the key. ``source`` is asked only when the image is built, because it may
    download first.
    """

    at: str
    digest: str
    source: Callable[[ProgressCallback], Awaitable[Path]]


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """``packages`` are the Debian 12 packages of the base image; ``base`` is an image of ours in its place.

    ``entrypoint`` is what a container runs, where the Dockerfile does not say.
    """

    name: str
    packages: tuple[str, ...]
    dockerfile: Path
    parts: tuple[ContextPart, ...] = ()
    base: str = ""
    entrypoint: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        """``tekutoko-rehearsal/<name>:<content key>``."""
        digest = hashlib.sha256(f"{LAYOUT} {sorted(self.packages)}".encode() + self._dockerfile())
        digest.update(self.base.encode())
        for part in self.parts:
            digest.update(f"\0{part.at}\0{part.digest}".encode())
        return f"{REPOSITORY}/{self.name}:{digest.hexdigest()[:16]}"

    async def lay_out(self, folder: Path, progress: ProgressCallback) -> None:
        """Makes the build context in the empty ``folder``."""
        (folder / "Dockerfile").write_bytes(self._dockerfile())
        for part in self.parts:
            source, target = (await part.source(progress)).resolve(), folder / part.at
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                left_out = shutil.ignore_patterns(*_LEFT_OUT)
                shutil.copytree(source, target, symlinks=True, ignore=left_out, copy_function=_linked)
            else:
                _linked(str(source), str(target))

    def _dockerfile(self) -> bytes:
        written = self.dockerfile.read_text()
        return (f"{written}ENTRYPOINT {json.dumps(self.entrypoint)}\n" if self.entrypoint else written).encode()


def here(at: str, path: Path) -> ContextPart:
    """A part that lies here: a file, or a folder without caches; keyed by its content.

    Raises ``FileNotFoundError`` where nothing lies: an image without it would be built, and fail when it starts.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    for file in files:
        name = file.relative_to(path)
        if not any(part == "__pycache__" for part in name.parts) and file.suffix != ".md":
            digest.update(f"{name}\0{file.stat().st_mode & 0o111}\0".encode() + file.read_bytes() + b"\0")

    async def source(_progress: ProgressCallback) -> Path:
        return path

    return ContextPart(at=at, digest=digest.hexdigest(), source=source)


def _linked(source: str, target: str) -> str:
    """A hard link where it can be: the emulators' tree has thousands of files."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)
    return target
