"""How two runs were asked for: what differs in plan, rung, target, manifests, machine; what spoils a comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from harness.cli.stored.folder import StoredRun
from harness.model.message import Told, message
from harness.model.stack import Fault

#: Facts of a result that say how a run was asked for.
_ASKED = ("rung", "target", "target_bundled", "seed", "capabilities", "rung_changes", "environment")

#: What makes a scenario smaller stands in its window and population, too, and older plans do not say it.
_SAID_BY_OTHERS = "smaller"

#: What a run does not have.
_ABSENT = object()

#: Facts of a machine that change from hour to hour; only the load is worth a line.
_PASSING = frozenset({"memory_available_bytes", "wall_clock", "started"})


class _WholeFault(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault and nothing beside it."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that differs, as text; "-" where a run does not have it."""

    name: str
    a: str
    b: str


def settings(a: StoredRun, b: StoredRun) -> tuple[Setting, ...]:
    """Every difference between how the two runs were asked for and the machines they ran on. Pure."""
    return tuple(_differing("", _facts(a), _facts(b)))


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
    keys = _differing("", _plan(a), _plan(b))
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
        "plan": _plan(run),
        "manifests": {name: value for name, value in run.manifests.items() if name != "folder"},
        "machine": {name: value for name, value in run.machine.items() if name not in _PASSING},
    }


def _plan(run: StoredRun) -> dict[str, Any]:
    """Without the words of the command line that a rollout keeps for its resume: what they say is in the plan, too."""
    return {name: value for name, value in run.plan_json.items() if name != "words"}


def _differing(name: str, a: Any, b: Any) -> Iterator[Setting]:
    """What differs below ``name``, leaf by leaf; a list whose elements have no names is one leaf where one of them has
    more, for its elements cannot be told apart then.
    """
    one, other = _inner(a), _inner(b)
    if one is None or other is None or not (one or other) or _is_longer(a, b):
        left, right = _words(a), _words(b)
        if left != right:
            yield Setting(name=name, a=left, b=right)
        elif a != b and (a or b):  # which the words do not show; nothing is nothing, however it is written
            yield Setting(name=name, a=_json(a), b=_json(b))
        return
    for key in dict.fromkeys((*one, *other)):
        yield from _differing(f"{name}.{key}" if name else key, one.get(key, _ABSENT), other.get(key, _ABSENT))


def _inner(value: Any) -> dict[str, Any] | None:
    """What stands in it by key, a list's elements by their id or name where they have one, else by number; ``None`` of
    a leaf."""
    if isinstance(value, Mapping):
        return {str(name): element for name, element in value.items() if name != _SAID_BY_OTHERS}
    if isinstance(value, list | tuple):
        return {_label(number, element): element for number, element in enumerate(value)}
    return {} if value is None or value is _ABSENT else None


def _is_longer(a: Any, b: Any) -> bool:
    """Whether one is a list without names that is longer than the other, or alone."""
    lists = [each for each in (a, b) if isinstance(each, list | tuple)]
    alike = len(lists) == 2 and len(a) == len(b)
    return not alike and any(_label(n, element) == str(n) for each in lists for n, element in enumerate(each))


def _label(number: int, element: Any) -> str:
    named = element if isinstance(element, Mapping) else {}
    return str(named.get("id") or named.get("name") or number)


def _words(value: Any) -> str:
    """A leaf as text; a fault as people say it."""
    if value is _ABSENT:
        return "-"
    if value in ({}, [], (), None):
        return "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value))
    if not isinstance(value, Mapping):
        return str(value)
    try:
        return _fault(msgspec.convert(value, _WholeFault))
    except msgspec.ValidationError:
        return " ".join(f"{key}={_words(each)}" for key, each in value.items())


def _fault(fault: Fault) -> str:
    """With its time, as ``--fault`` takes it."""
    lasts = f"+{fault.for_s:g}s" if fault.for_s else ""
    return f"{fault}@{fault.after_s:g}s{lasts}" if fault.after_s or lasts else str(fault)


def _json(value: Any) -> str:
    return "-" if value is _ABSENT else msgspec.json.encode(value).decode()
