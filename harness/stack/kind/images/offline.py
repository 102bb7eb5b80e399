"""``tools/offline-kind``, asked as a command: images and programs where no registry gives them."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from harness.base.data import ROOT
from harness.base.errors import StackNotStarted
from harness.base.home import home
from harness.model.message import ProgressCallback, raw_text
from harness.stack.kind.commands import run
from harness.stack.kind.images.building import interim
from harness.stack.state import RunState

TOOL = ROOT / "tools" / "offline-kind"
LIMIT_S = 3600.0


class NodeImages(msgspec.Struct, frozen=True):
    """The images of the nodes, as kind's configuration names them; ``own`` when the tool builds them."""

    control_plane: str
    worker: str
    own: bool


async def ask(
    *words: str, what: str, progress: ProgressCallback = lambda _line: None, state: RunState | None = None
) -> Any:
    """Return what the tool answers; ``progress`` hears its lines. What it builds meanwhile lies in the run ``state``.

    Raises ``StackNotStarted``.
    """
    building = ("--scratch", str(state.folder), "--interim", interim(state, "")) if state is not None else ()
    said = await run(
        _command(*building, *words, store=home() / "kind"),
        what=what,
        limit_s=LIMIT_S,
        environment=state.environment("image") if state is not None else None,
        on_line=lambda line: progress(raw_text(line)),
    )
    return _answer(said)


def node_images() -> NodeImages:
    """Return the names of our own node images for the pinned versions, built or not."""
    control_plane, worker = look(home() / "kind", "node-images", "--names")
    return NodeImages(control_plane, worker, own=True)


@functools.cache
def look(store: Path, *words: str) -> Any:
    """Return what the tool answers of ``store`` at once: it builds nothing for it. Raises ``StackNotStarted``."""
    done = subprocess.run(_command(*words, store=store), capture_output=True, text=True, check=True)
    return _answer(done.stdout)


def _command(*words: str, store: Path) -> list[str]:
    return [sys.executable, "-ES", str(TOOL), "--json", "--store", str(store), *words]


def _answer(said: str) -> Any:
    found = json.loads(said)
    if failed := found.get("failed"):
        what, where, remedy = (raw_text(failed[each]) for each in ("what", "where", "remedy"))
        raise StackNotStarted(what, where=where, remedy=remedy)
    return found["answer"]
