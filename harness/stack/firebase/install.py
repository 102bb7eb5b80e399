"""The Firebase emulators (Node programs), locked in ``node/``: installed by ``harness.stack.state.npm``.

Optional packages are left out: neither emulator needs them (``re2`` alone is 87 MB). Of the 268 MiB that are left 192
serve other emulators and commands of firebase-tools, or debuggers; ``package.json`` names them, each with what it is
for, and they are removed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from harness.model.message import Tell, marked
from harness.stack.state import npm

SOURCES = Path(__file__).parent / "node"


class _LeftOut(msgspec.Struct, frozen=True):
    """``packages``: folders of node_modules with the reason; ``files``: patterns of names in all that stay."""

    packages: dict[str, str]
    files: list[str]


class _Package(msgspec.Struct, frozen=True):
    left_out: _LeftOut


def _leave_out(modules: Path) -> None:
    left_out = msgspec.json.decode((SOURCES / "package.json").read_bytes(), type=_Package).left_out
    for package in left_out.packages:
        shutil.rmtree(modules / package, ignore_errors=True)
    for pattern in left_out.files:
        for path in modules.rglob(pattern):
            if path.is_file():
                path.unlink()


TREE = npm.Tree(what=marked("the Firebase emulators"), sources=SOURCES, mib=76, finish=_leave_out)


def folder() -> Path:
    """Where the emulators' ``node_modules`` lies, installed or not."""
    return npm.folder(TREE)


def ensure(progress: Tell) -> Path:
    """The emulators' ``node_modules``, installed first where it is missing (10 s with npm's cache, 60 s without).

    Blocks. Raises ``StackNotStarted``.
    """
    return npm.ensure(TREE, progress)
