"""How two runs were asked for: what differs in plan, rung, target, manifests, machine; what spoils a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from harness.judge.window import NS
from harness.stored.folder import StoredRun
from harness.stored.observe import EMPTY, Observed

#: Fields of run.json that say how a run was asked for.
_ASKED = ("scenario", "rung", "target", "target_bundled", "seed", "faults", "capabilities", "rung_changes", "errata")

#: Facts of a machine that change from hour to hour; only the load is worth a line.
_PASSING = frozenset({"memory_available_bytes", "wall_clock"})


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that differs, as text; "-" where a run does not have it."""

    name: str
    a: str
    b: str


def settings(a: StoredRun, b: StoredRun) -> tuple[Setting, ...]:
    """Every difference between how the two runs were asked for and the machines they ran on. Pure."""
    return _differing(_flat("", _facts(a)), _flat("", _facts(b)))


def not_comparable(a: StoredRun, seen_a: Observed, b: StoredRun, seen_b: Observed) -> tuple[str, ...]:
    """Why the figures of the two runs do not speak of the same thing; empty when they do. Pure."""
    reasons = [
        f"{setting.name}: {setting.a} and {setting.b}"
        for setting in _differing(_conditions(a, seen_a), _conditions(b, seen_b))
    ]
    for stored, seen in ((a, seen_a), (b, seen_b)):
        if stored.run is None:
            reasons.append(f"{stored.run_id} left no run.json: its environment and target are not known")
        if seen.window == EMPTY:
            reasons.append(f"{stored.run_id} never began its window")
    return tuple(reasons)


def _conditions(stored: StoredRun, seen: Observed) -> dict[str, str]:
    plan = stored.scenario
    asked = {} if stored.run is None else {"rung": str(stored.run.rung), "target": stored.run.target}
    planned_s = f"{plan.window_s:g} s"
    # To the second: two windows of the same plan differ by nanoseconds at most, and a roll back cuts one short.
    measured_s = round((seen.window.end_ns - seen.window.start_ns) / NS)
    return {
        **asked,
        "window": planned_s if measured_s == round(plan.window_s) else f"{measured_s} s of {planned_s}",
        "pace": f"{plan.population.pace_s:g} s",
        "users": f"{plan.population.users}, {plan.population.flag_on} with the flag on",
        "probes": f"{plan.probes.rate_per_s:g}/s",
        "criteria": ", ".join(criterion.id for criterion in plan.criteria) or "none",
    }


def _facts(stored: StoredRun) -> dict[str, Any]:
    run = {} if stored.run is None else {name: getattr(stored.run, name) for name in _ASKED}
    options = {} if stored.run is None else stored.run.options
    return {
        "run": msgspec.to_builtins(run),
        "options": options,
        "scenario": msgspec.to_builtins(stored.scenario),
        "manifests": {name: value for name, value in stored.manifests.items() if name != "folder"},
        "machine": {name: value for name, value in stored.machine.items() if name not in _PASSING},
    }


def _flat(prefix: str, value: Any) -> dict[str, str]:
    """Leaves by dotted path; a list's elements by their id or name where they have one, else by number."""
    if isinstance(value, Mapping) and value:
        inner = [(str(name), element) for name, element in value.items()]
    elif isinstance(value, list | tuple) and value:
        inner = [(_label(number, element), element) for number, element in enumerate(value)]
    else:
        return {prefix: "none" if value in ({}, [], (), None) else str(value)}
    flat: dict[str, str] = {}
    for name, element in inner:
        flat.update(_flat(f"{prefix}.{name}" if prefix else name, element))
    return flat


def _label(number: int, element: Any) -> str:
    named = element if isinstance(element, Mapping) else {}
    return str(named.get("id") or named.get("name") or number)


def _differing(a: Mapping[str, str], b: Mapping[str, str]) -> tuple[Setting, ...]:
    return tuple(
        Setting(name=name, a=a.get(name, "-"), b=b.get(name, "-"))
        for name in dict.fromkeys((*a, *b))
        if a.get(name) != b.get(name)
    )
