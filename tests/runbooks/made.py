"""A run of the runbooks whose every command ended well, and its plan."""

from __future__ import annotations

from pathlib import Path

from harness.base import planfile
from harness.base.data import ROOT
from harness.model.command import Ran
from harness.rehearsals.runbooks.rehearsal import WALKS, TypedCommand, commands, scripts
from harness.rehearsals.runbooks.types import (
    Balanced,
    RestoredWalks,
    RunbookPage,
    RunbooksDetails,
    RunbooksPlan,
    RunbookTarget,
    Typed,
)

PLAN = planfile.bundled("runbooks", RunbooksPlan)
DOCS = ROOT / "docs"
#: What ``kubectl get all`` lists of Phase 2.
ALL = "pod/tekutoko-api-1\nservice/tekutoko-api\ndeployment.apps/tekutoko-api\nreplicaset.apps/tekutoko-api\n"


def typed_of(page: RunbookPage, folder: Path = DOCS) -> list[TypedCommand]:
    """The lines of a page, or its blocks where a shell runs them."""
    text = (folder / page.page).read_text("utf-8")
    return [*(scripts(text) if page.ground is RunbookTarget.DATABASE else commands(text, {"ZONE": "a"}))]


def details() -> RunbooksDetails:
    """Every line of every page, each of which said something."""
    found = RunbooksDetails(
        zone="a", balanced=Balanced(address="172.18.0.3", status=200), restored=RestoredWalks(walks=WALKS, of=WALKS)
    )
    for page in PLAN.parts:
        lines = typed_of(page)
        found.lines[page.name] = len(lines)
        found.typed[page.name] = [
            Typed(
                chapter=line.chapter,
                heading=line.heading,
                ran=Ran(
                    command=f"kubectl {' '.join(line.words)}",
                    status=0,
                    output=ALL if line.words == ("get", "all") else "well",
                ),
                seconds=1.0,
            )
            for line in lines
        ]
    return found
