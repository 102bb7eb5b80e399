"""Runs of today's harness, stored as they are: what a judge says of real evidence, word for word, held by a test.

``python -m tests.corpus.today take FOLDER NAME`` stores a run's folder as ``today/NAME``, without what tells whose machine
it was made on, and without pages, which are drawn anew. All files but the run's ``result.json`` are compressed (xz).
``python -m tests.corpus.today renew [NAME ...]`` writes anew what today's judges say of them, after a change that was
meant: ``git diff`` then shows every word and value that changed.
"""

from __future__ import annotations

import argparse
import atexit
import lzma
import shutil
import socket
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from harness.evidence.store import stored
from harness.model.judgement import Judgement
from harness.model.result import Child, Result
from harness.report.published import RESULT, RESULT_JSON
from harness.rules.judged import combine
from harness.run import registry
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.run.result import Page, build_result, details_of, judged, sections, with_facts
from harness.run.runner import PLAN_JSON
from tests.corpus.scrub import take
from tests.rehearsal.again import again

TODAY = Path(__file__).with_name("today")
NAMES = sorted(path.name for path in TODAY.iterdir())
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
    seen: RunRecord[Any]
    children: tuple[Child, ...] = ()

    @property
    def type(self) -> Rehearsal[Any, Any]:
        """The rehearsal itself."""
        return registry.rehearsal(self.rehearsal)


@cache
def folder(name: str) -> Path:
    """Return the folder of the stored run ``name`` as the run left it: unpacked, and only to be read."""
    unpacked = _scratch() / name
    for path in (TODAY / name).rglob("*.xz"):
        whole = unpacked / path.relative_to(TODAY / name).with_suffix("")
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_bytes(lzma.decompress(path.read_bytes()))
    shutil.copy(TODAY / name / RESULT_JSON, unpacked)
    return unpacked


@cache
def _scratch() -> Path:
    """A folder that goes with this process."""
    path = Path(tempfile.mkdtemp(prefix="corpus-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


@cache
def result(name: str) -> Result:
    """Return the document of the stored run ``name``."""
    return RESULT.read(folder(name) / RESULT_JSON)


@cache
def whole(name: str) -> Result:
    """The same with its facts, measured anew: the stored document leaves them out, as they would be half of it."""
    of = left(name)
    facts = with_facts(of.type, of.plan, of.seen).measured or ()
    return msgspec.structs.replace(result(name), measured=tuple(each for fact in facts if (each := fact.published)))


@cache
def left(name: str) -> Left:
    """Return what the stored run ``name`` left."""
    found = result(name)
    rehearsal = registry.rehearsal(found.rehearsal)
    seen = RunRecord(
        facts=found.facts,
        details=details_of(rehearsal, found),
        evidence=stored(folder(name), found.evidence_digest),
        ended=not found.facts.errors,
    )
    plan = msgspec.json.decode((folder(name) / PLAN_JSON).read_bytes(), type=rehearsal.plan)
    return Left(found.rehearsal, plan, seen, found.children)


def judgements_of(run: Left) -> tuple[Judgement, ...]:
    """Judge what a run left."""
    return judged(run.type, run.plan, run.seen)


def result_of(run: Left, run_id: str) -> Result:
    """Return the document that today's harness makes of what a run left."""
    run = replace(run, seen=with_facts(run.type, run.plan, run.seen))
    found = judgements_of(run)
    drawn = sections(run.type, run.plan, replace(run.seen, judgements=found))
    page = Page(run.type.title(run.plan), tuple(run.type.parts(run.plan, run.seen)), drawn)
    return build_result(run.type, run.plan, run.seen, found, page, run_id=run_id, broke=(), children=run.children)


def rehearsed(name: str) -> tuple[Rehearsal[Any, Any], type[Any], Path]:
    """What ``tests.rehearsal.again`` asks for: the rehearsal and its plan's type are those that the document names."""
    rehearsal = registry.rehearsal(result(name).rehearsal)
    return rehearsal, rehearsal.plan, folder(name)


def renew(name: str) -> None:
    """Writes what today's judge says into the stored document."""
    now = again(*rehearsed(name))
    decided = None if now.result.decision is None else combine(now.judgements)
    changed = msgspec.structs.replace(now.result, judgements=now.judgements, sections=now.sections, decision=decided)
    RESULT.write(TODAY / name, changed)


def pack(stored_run: Path) -> None:
    """Compresses all files of ``stored_run`` but its document; pages go."""
    for path in [each for each in stored_run.rglob("*") if each.is_file() and each != stored_run / RESULT_JSON]:
        if path.suffix not in _DRAWN:
            packed = lzma.compress(path.read_bytes(), preset=9 | lzma.PRESET_EXTREME)
            path.with_name(f"{path.name}.xz").write_bytes(packed)
        path.unlink()


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
        pack(TODAY / given.name)
        return
    for name in given.names or NAMES:
        renew(name)


if __name__ == "__main__":
    main()
