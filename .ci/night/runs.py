"""The runs that a command left: their lines of ``reports/history.jsonl``, and what else the record of a night keeps.

A run that cannot be read is left out: the verdict of a night hangs on exit statuses and JUnit files alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

HISTORY = "history.jsonl"
RESULT = "result.json"
MOST_FIGURES = 12  # of a run, and of an experiment; those with a limit come first
#: Runs made of experiments: what they measured is the experiments' own.
CHAOS = ("chaos", "chaos_nightly")
GOOD = ("pass", "erratum_shown")

Line = dict[str, Any]


def lines(reports: Path) -> dict[str, Line]:
    """The lines of all runs that are remembered, by the run's folder."""
    found: dict[str, Line] = {}
    with suppress(OSError):
        for text in (reports / HISTORY).read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError, KeyError, TypeError):
                line = json.loads(text)
                found[line["run"]] = line
    return found


def left(reports: Path, before: dict[str, Line]) -> list[dict[str, Any]]:
    """What is kept of each run that is remembered now and was not ``before``."""
    new = [line for run, line in lines(reports).items() if before.get(run) != line]
    found = []
    for line in new:
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            found.append(_kept(reports, line))
    return found


def _kept(reports: Path, line: Line) -> dict[str, Any]:
    result = json.loads((reports / line["run"] / RESULT).read_text(encoding="utf-8"))
    chaos = line["rehearsal"] in CHAOS
    return {
        "rehearsal": line["rehearsal"],
        "plan": line["plan"],
        "environment": line["environment"],
        "within": "/" in line["run"],
        "good": line["exit_status"] == 0,
        "reason": line.get("reason"),
        "replay": result["facts"]["replay"],
        "figures": [] if chaos else _figures(line.get("facts", ())),
        "experiments": [*_experiments(reports / line["run"], result)] if line["rehearsal"] == "chaos" else [],
    }


def _experiments(folder: Path, result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each experiment that was judged. One that is inconclusive says nothing where the run itself broke."""
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    names = {each["experiment"]["name"] for each in plan["experiments"]}
    measured = sorted(result.get("measured", ()), key=lambda fact: fact.get("limit") is None)
    for each in result["judgements"]:
        name, _, number = each["id"].rpartition(".")
        name = name if number.isdecimal() and name in names else each["id"]
        verdict, part = each["verdict"], each.get("part", "")
        broke = result["decision"] is None and verdict == "inconclusive"
        if name not in names or broke or verdict == "not_exercised":
            continue
        facts = [fact for fact in measured if (fact.get("part"), fact.get("case")) == (part, each["id"])]
        figures = [
            [f["name"], f["seen"], f.get("limit"), f.get("unit", "")] for f in facts if f.get("seen") is not None
        ]
        good = verdict in GOOD
        yield {"name": name, "good": good, "reason": None if good else each["told"][0], "figures": _figures(figures)}


def _figures(facts: Iterable[list[Any]]) -> list[list[Any]]:
    """The first few, with four digits: more is no part of a trend."""
    return [[name, _short(seen), _short(limit), unit] for name, seen, limit, unit, *_ in [*facts][:MOST_FIGURES]]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
