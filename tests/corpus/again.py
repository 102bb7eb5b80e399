"""A run of before as today's harness has it: its plan, what it left, and the result made of that."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from harness.base.errors import Exit
from harness.evidence.gathered import EVIDENCE, Gathered
from harness.evidence.read import read_meta, read_rows
from harness.judge.judged import CHECK_EVENT
from harness.model.evidence import EventRow, Row
from harness.model.flag import FLAG
from harness.model.judgement import Judgement
from harness.model.result import Child, Facts, Result
from harness.model.verdict import Decision
from harness.rehearsal import registry
from harness.rehearsal.conclude import Page, conclude, judged, sections
from harness.rehearsal.rehearsal import Rehearsal, Seen
from tests.corpus import facts

Json = dict[str, Any]
_SAME = (
    "rung", "target", "target_bundled", "seed", "replay", "started_utc", "environment", "capabilities", "timings",
    "leaks", "errors", "faults", "options", "rung_changes", "manifest_changes", "manifest_warnings",
    "missing_manifests", "repository_errata",
)  # fmt: skip


@dataclass(frozen=True)
class Again:
    """A stored run in today's types. ``carried`` are judgements of its document whose facts nobody stored: no judge
    can make them anew, and they stand as they were told."""

    rehearsal: str
    plan: Any
    seen: Seen[Any]
    carried: tuple[Judgement, ...] = ()
    children: tuple[Child, ...] = ()

    @property
    def type(self) -> Rehearsal[Any, Any]:
        """The rehearsal itself."""
        return registry.rehearsal(self.rehearsal)


def folder(run: str) -> Path:
    """Where the run lies."""
    return facts.RUNS / run


def document(run: str) -> Json:
    """The document of before."""
    found: Json = read(run, facts.document_of(folder(run)))
    return found


def read(run: str, name: str) -> Any:
    """A JSON file of the run."""
    return json.loads((folder(run) / name).read_text("utf-8"))


@cache
def stored(run: str) -> Json:
    """What the run states (``facts.py``)."""
    found: Json = read(run, facts.FACTS)
    return found


def facts_of(run: str) -> Facts:
    """What every document said of its run itself; where it kept no anchor, its evidence did."""
    old = document(run)
    given = {name: old[name] for name in _SAME if name in old}
    if not isinstance(given.get("options", {}), dict):
        del given["options"]  # a rollout's are the words of its command
    if given["rung"] == "virtual":
        given["rung"] = "local"  # what is computed alone was said to be on a rung of its own
    target = given["target"]
    if isinstance(target, dict):
        given |= {"target": target["name"], "target_bundled": target["bundled"]}
    return msgspec.convert({"target_bundled": True, **given, "anchor": old.get("anchor") or _anchor(run)}, Facts)


def _anchor(run: str) -> Json:
    path = folder(run) / EVIDENCE
    meta = read_meta(path) if path.is_file() else {}
    return {name: int(meta.get(f"anchor_{name}", 0)) for name in ("monotonic_ns", "unix_ns")}


def evidence_of(run: str) -> Gathered:
    """The rows of the run, its checks' words in today's shape; empty where the corpus has none."""
    gathered = Gathered()
    if (folder(run) / EVIDENCE).is_file():
        gathered.see(map(_today, read_rows(folder(run) / EVIDENCE)))
        known = {each.subject for each in gathered.events if each.kind == CHECK_EVENT}
        told = [each for each in document(run).get("checks", ()) if each.get("name", "") not in known | {""}]
        gathered.see(_told(each) for each in told)
    return gathered


def _told(old: Json) -> EventRow:
    """A check that a run of before kept in its document alone."""
    judgement = {
        "id": old["name"],
        "verdict": old["verdict"],
        "told": old["told"] or words(old["detail"]),
        "kind": "check",
    }
    return EventRow(
        at_ns=0, kind=CHECK_EVENT, subject=old["name"], message=old["detail"], data={"judgement": judgement}
    )  # fmt: skip


def _today(row: Row) -> Row:
    if isinstance(row, EventRow) and row.kind == CHECK_EVENT:
        return msgspec.structs.replace(row, data={"judgement": check_of(row.data)})
    if isinstance(row, EventRow) and (row.kind, row.subject) == ("flag", FLAG) and "on" not in row.data:
        return msgspec.structs.replace(row, data={**row.data, "on": _on(row.message)})
    return row


def _on(words: str) -> int:
    """For how many users the flag is on; of before, a week's event said it in words alone."""
    found = re.search(r"on for (\d+) of", words)
    return int(found[1]) if found else 0


def check_of(old: Json) -> Json:
    """A check's word as the judgement of today. One that held nothing was not looked at, or was told alone."""
    kept: Json = {name: old[name] for name in ("id", "claim", "verdict", "unit", "samples", "also") if name in old}
    told = old.get("told") or words(old["reason"])
    return {**kept, "kind": "check", "value": old["value"], "limit": old["planned"], "told": told,
            "gates": old.get("holds", True)}  # fmt: skip


def words(text: str) -> list[Json]:
    """Words whose parts were not stored."""
    return [{"text": "{words}", "values": {"words": text}}]


def seen(run: str, details: Any, evidence: Gathered | None = None) -> Seen[Any]:
    """What a run with these ``details`` left."""
    old = document(run)
    return Seen(
        facts=facts_of(run),
        details=details,
        evidence=evidence_of(run) if evidence is None else evidence,
        ended=not old["errors"],
    )


def judgements_of(left: Again) -> tuple[Judgement, ...]:
    """Today's judgements on what a run left, or those that it carries."""
    return left.carried or judged(left.type, left.plan, left.seen)


@cache
def judgements(run: str) -> tuple[Judgement, ...]:
    """Those on a run of the corpus."""
    return judgements_of(converted(run))


def result_of(left: Again, found: tuple[Judgement, ...], run_id: str, broke: tuple[Exit, ...] = ()) -> Result:
    """Today's document of what a run left."""
    page = Page(
        left.type.title(left.plan),
        tuple(left.type.parts(left.plan, left.seen)),
        sections(left.type, left.plan, replace(left.seen, judgements=found)),
    )
    return conclude(left.type, left.plan, left.seen, found, page, run_id=run_id, broke=broke, children=left.children)


@cache
def result(run: str) -> Result:
    """Today's document of a run of the corpus, ended as it ended."""
    old, decided = stored(run), {int(Exit.OK), int(Exit.HOLD), int(Exit.ROLLED_BACK), None}
    broke = () if old["exit_status"] in decided else (Exit(old["exit_status"]),)
    return result_of(converted(run), judgements(run), str(old["run_id"]), broke)


def decision_of(old: Json) -> Decision | None:
    """How the run ended, in today's words."""
    if old["decision"]:
        return Decision(old["decision"])
    if old["combined"] is None or old["exit_status"] not in {0, 10}:
        return None
    return Decision.ADVANCE if old["exit_status"] == 0 else Decision.HOLD


#: The converter of each run, by its name: a module of this folder for each family.
FAMILIES = ("weeks", "loads", "faults", "lone", "recoveries", "planted")
Converter = Callable[[str], Again]


@cache
def converters() -> dict[str, Converter]:
    """All of them."""
    found: dict[str, Converter] = {}
    for family in FAMILIES:
        found |= import_module(f"tests.corpus.{family}").RUNS
    return found


@cache
def converted(run: str) -> Again:
    """The run, converted once."""
    return converters()[run](run)
