"""The Firebase emulators (Node programs), locked in ``node/``: installed by ``harness.stack.state.npm``.

Optional packages are left out: neither emulator needs them (``re2`` alone is 87 MB).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.stack.state import npm

SOURCES = Path(__file__).parent / "node"
TREE = npm.Tree(what="the Firebase emulators", sources=SOURCES)


def folder() -> Path:
    """Where the emulators' ``node_modules`` lies, installed or not."""
    return npm.folder(TREE)


def ensure(progress: Callable[[str], None]) -> Path:
    """The emulators' ``node_modules``, installed first where it is missing (10 s with npm's cache, 60 s without).

    Blocks. Raises ``StackNotStarted``.
    """
    return npm.ensure(TREE, progress)
