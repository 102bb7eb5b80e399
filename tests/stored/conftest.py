"""The stand-in rehearsal of the seam, known by its name, and folders of its runs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.cli.main import parse
from harness.run.registry import MODULES
from tests.rehearsal.empty import Empty, conductor
from tests.rehearsal.stand_in import StandInPlan

Made = Callable[..., Awaitable[Path]]


def main(words: Sequence[str]) -> int:
    """The command line, which raises."""
    return parse(words).run()


def changed(folder: Path, name: str, **fields: Any) -> None:
    """Writes other ``fields`` into a JSON file of a run."""
    document = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**document, **fields}))


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODULES, "stand_in", "tests.rehearsal.stand_in")


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Makes the folder of a run that asked for ``at_least`` rows of a stack that tells ``rows``."""

    folders = itertools.count()  # two runs of one process within a second have one id

    async def make(rows: int = 3, at_least: int = 1, **stack: Any) -> Path:
        plan = StandInPlan(at_least=at_least, within_s=5.0 if rows >= at_least and not stack else 0.2)
        run = conductor(tmp_path / f"reports{next(folders)}", Empty(rows=rows, **stack), plan=plan)
        await run.run()
        return run.folder

    return make
