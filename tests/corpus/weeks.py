"""The weeks of before: ``run.json``, ``scenario.json`` and the evidence."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from harness.judge.words import asked
from harness.model.evidence import ProbeRow, RequestRow, Row
from harness.model.manifests import PatchNote
from harness.model.scenario import Criterion, Scenario
from harness.rehearsals.rollout.details import WeekDetails
from harness.rehearsals.rollout.faults import fault
from harness.rehearsals.rollout.weeks import Attempt, PlannedWeek, RolloutDetails, RolloutPlan
from scenarios.load import load
from tests.corpus import again
from tests.corpus.again import Again, Json

#: When a run that broke had looked last: 52 s of its window were to go, by its reasons.
LAST_LOOK = {"week1_virtual_broke": 1_009_160_000_000}
_KIND = {"success": "criterion", "rollback": "rollback_limit"}


def plan(old: Json) -> Scenario:
    """Of ``scenario.json``: kinds of criteria have other words today."""
    criteria = [{**each, "kind": _KIND[each["kind"]]} for each in old["criteria"]]
    return msgspec.convert({**old, "criteria": criteria}, Scenario)


def patches(manifests: Json) -> tuple[PatchNote, ...]:
    """Those that mend an erratum."""
    found = msgspec.convert(manifests["patches"], tuple[PatchNote, ...])
    return tuple(each for each in found if each.erratum)


def week(run: str) -> Again:
    """A week with its evidence."""
    evidence = again.evidence_of(run)
    planted = tuple(map(fault, re.findall(r"--fault (\S+)", again.stored(run)["replay"])))
    details = WeekDetails(patches=patches(again.read(run, "manifests.json")), planted=planted)
    if run in LAST_LOOK:
        details.judged_ns = LAST_LOOK[run]
        details.judged_rows = sum(_at_ns(row) <= LAST_LOOK[run] for row in evidence.rows)
    return Again("rollout_week", plan(again.read(run, "scenario.json")), again.seen(run, details, evidence))


def _at_ns(row: Row) -> int:
    return row.done_ns if isinstance(row, RequestRow | ProbeRow) else row.at_ns


def rollout(run: str) -> Again:
    """A rollout: its weeks as the attempts that it kept."""
    old = again.document(run)
    attempts = tuple(_attempt(each) for each in old["weeks"])
    weeks = tuple(PlannedWeek(week=week, scenario=load(f"rollout_week{week}")) for week in old["weeks_asked"])
    details = RolloutDetails(rollout=old["rollout_id"], attempts=attempts, cut=bool(old["errors"]))
    found = again.seen(run, details)
    children = tuple(each.child for each in attempts)
    return Again("rollout", RolloutPlan(weeks=weeks, words=tuple(old["options"])), found, children=children)


def _attempt(old: Json) -> Attempt:
    kept = ("week", "attempt", "started_utc", "seconds", "run_id", "decision", "exit_status", "leaks", "errors")
    judgements = [_criterion(each) for each in old["criteria"]] + [again.check_of(each) for each in old["checks"]]
    return msgspec.convert({**{name: old[name] for name in kept}, "judgements": judgements}, Attempt)


def _criterion(old: Json) -> Json:
    kept = {name: old[name] for name in ("id", "claim", "verdict", "value", "bound", "unit", "samples", "fired_at_ns")}
    told = old["told"] or again.words(old["reason"])
    named = {name: old[name] for name in ("id", "claim", "metric", "comparison", "threshold")}
    criterion = msgspec.convert({**named, "kind": _KIND[old["kind"]]}, Criterion)
    said = msgspec.to_builtins((asked(criterion),))
    return {**kept, "kind": _KIND[old["kind"]], "limit": old["threshold"], "told": told, "asked": said}


RUNS: dict[str, Any] = dict.fromkeys(
    (
        "week1_virtual_broke",
        "week1_virtual_hold",
        "week2_virtual_advance",
        "week3_advance",
        "week3_kind_advance",
        "week3_roll_back",
        "week3_virtual_roll_back",
    ),
    week,
) | dict.fromkeys(("rollout_advance", "rollout_hold", "rollout_interrupted"), rollout)
