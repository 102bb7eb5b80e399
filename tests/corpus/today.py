"""Runs of today's harness, stored as they are: what a judge says of real evidence, word for word, held by a test.

``python -m tests.corpus.today take FOLDER NAME`` stores a run's folder as ``today/NAME``, without what tells whose machine
it was made on, and without pages, which are drawn anew. ``python -m tests.corpus.today renew [NAME ...]`` writes anew what
today's judges say of them, after a change that was meant: ``git diff`` then shows every word and value that changed.
"""

from __future__ import annotations

import argparse
import socket
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from harness.evidence.gathered import stored
from harness.judge.combine import combine
from harness.model.judgement import Judgement
from harness.model.result import Child, Result
from harness.rehearsal import registry
from harness.rehearsal.conclude import Page, conclude, details_of, judged, sections
from harness.rehearsal.conduct import PLAN_JSON
from harness.rehearsal.rehearsal import Rehearsal, Seen
from harness.report.published import RESULT, RESULT_JSON
from tests.corpus.scrub import take
from tests.rehearsal.again import again

TODAY = Path(__file__).with_name("today")
#: Runs of before there was one result, taken over once: what nobody wrote down then, their details do not have.
TAKEN_OVER = frozenset({
    "chaos_nightly_broke", "chaos_nightly_some_left_out", "chaos_passes", "conformance_deviations",
    "load_stages_passes", "rollout_advance", "rollout_hold", "rollout_interrupted", "scaling_parts",
    "week1_virtual_broke", "week1_virtual_hold", "week2_virtual_advance", "week3_kind_advance", "week3_roll_back",
    "week3_virtual_roll_back",
})  # fmt: skip
_DRAWN = (".html", ".xml", ".md")


@dataclass(frozen=True)
class Left:
    """What a run left, stored or made by a test: the rehearsal's name, the plan, and the runs of a sequence."""

    rehearsal: str
    plan: Any
    seen: Seen[Any]
    children: tuple[Child, ...] = ()

    @property
    def type(self) -> Rehearsal[Any, Any]:
        """The rehearsal itself."""
        return registry.rehearsal(self.rehearsal)


@cache
def result(name: str) -> Result:
    """Return the document of the stored run ``name``."""
    return RESULT.read(TODAY / name / RESULT_JSON)


@cache
def left(name: str) -> Left:
    """Return what the stored run ``name`` left."""
    found = result(name)
    rehearsal = registry.rehearsal(found.rehearsal)
    seen = Seen(
        facts=found.facts,
        details=details_of(rehearsal, found),
        evidence=stored(TODAY / name, found.evidence_digest),
        ended=not found.facts.errors,
    )
    plan = msgspec.json.decode((TODAY / name / PLAN_JSON).read_bytes(), type=rehearsal.plan)
    return Left(found.rehearsal, plan, seen, found.children)


def judgements_of(run: Left) -> tuple[Judgement, ...]:
    """Judge what a run left."""
    return judged(run.type, run.plan, run.seen)


def result_of(run: Left, run_id: str) -> Result:
    """Return the document that today's harness makes of what a run left."""
    found = judgements_of(run)
    drawn = sections(run.type, run.plan, replace(run.seen, judgements=found))
    page = Page(run.type.title(run.plan), tuple(run.type.parts(run.plan, run.seen)), drawn)
    return conclude(run.type, run.plan, run.seen, found, page, run_id=run_id, broke=(), children=run.children)


def rehearsed(folder: Path) -> tuple[Rehearsal[Any, Any], type[Any], Path]:
    """What ``tests.rehearsal.again`` asks for: the rehearsal and its plan's type are those that the document names."""
    rehearsal = registry.rehearsal(RESULT.read(folder / "result.json").rehearsal)
    return rehearsal, rehearsal.plan, folder


def renew(folder: Path) -> None:
    """Writes what today's judge says into the stored document."""
    now = again(*rehearsed(folder))
    decided = None if now.result.decision is None else combine(now.judgements)
    changed = msgspec.structs.replace(now.result, judgements=now.judgements, sections=now.sections, decision=decided)
    RESULT.write(folder, changed)


def main() -> None:
    """Takes a folder, or renews."""
    parser = argparse.ArgumentParser(prog="python -m tests.corpus.today", description=__doc__)
    doing = parser.add_subparsers(dest="doing", required=True)
    taking = doing.add_parser("take")
    taking.add_argument("folder", type=Path)
    taking.add_argument("name")
    taking.add_argument("--host", default=socket.gethostname(), help="the machine's name, where it was another one")
    renewing = doing.add_parser("renew")
    renewing.add_argument("names", nargs="*")
    given = parser.parse_args()
    if given.doing == "take":
        for line in take(given.folder, given.name, given.host, TODAY):
            print(f"left out: {line}")
        for path in (TODAY / given.name).rglob("*"):
            if path.suffix in _DRAWN:
                path.unlink()
        return
    for name in given.names or sorted(path.name for path in TODAY.iterdir()):
        renew(TODAY / name)


if __name__ == "__main__":
    main()
