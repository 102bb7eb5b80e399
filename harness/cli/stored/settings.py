"""How two runs were asked for: what differs in plan, rung, target, manifests, machine; what spoils a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from harness.cli.stored.folder import StoredRun
from harness.model.message import Told, message

#: Facts of a result that say how a run was asked for.
_ASKED = ("rung", "target", "target_bundled", "seed", "capabilities", "rung_changes", "environment")

#: Facts of a machine that change from hour to hour; only the load is worth a line.
_PASSING = frozenset({"memory_available_bytes", "wall_clock", "started"})


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that differs, as text; "-" where a run does not have it."""

    name: str
    a: str
    b: str


def settings(a: StoredRun, b: StoredRun) -> tuple[Setting, ...]:
    """Every difference between how the two runs were asked for and the machines they ran on. Pure."""
    return _differing(_flat("", _facts(a)), _flat("", _facts(b)))


def asked_apart(a: StoredRun, b: StoredRun) -> Told:
    """What the two runs were asked for differently, so that their figures do not speak of the same thing: the
    environment, the target, and all of the plan. Pure."""
    one, other = a.result, b.result
    found = []
    if one.facts.rung is not other.facts.rung:
        found.append(message("environment: {a} and {b}", a=one.facts.rung, b=other.facts.rung))
    if one.facts.target != other.facts.target:
        found.append(message("target: {a} and {b}", a=one.facts.target, b=other.facts.target))
    if one.plan != other.plan:
        found.append(message("plan: {a} and {b}", a=one.plan, b=other.plan))
    keys = _differing(_flat("", a.plan_json), _flat("", b.plan_json))
    return (*found, *(message("{key}: {a} and {b}", key=each.name, a=each.a, b=each.b) for each in keys))


def cut_short(a: StoredRun, b: StoredRun) -> Told:
    """Which of them did not come to its end, so that its figures are of no whole run. Pure."""
    reasons = []
    for run in (a, b):
        words = {"run": run.result.run_id}
        if run.killed:
            reasons.append(message("{run} was killed before it could report, or is still under way", **words))
        elif run.result.facts.errors:
            reasons.append(message("{run} broke", **words))
    return tuple(reasons)


def _facts(run: StoredRun) -> dict[str, Any]:
    facts = msgspec.to_builtins(run.result.facts)
    return {
        "run": {name: facts.get(name) for name in _ASKED},
        "plan": run.plan_json,
        "manifests": {name: value for name, value in run.manifests.items() if name != "folder"},
        "machine": {name: value for name, value in run.machine.items() if name not in _PASSING},
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
