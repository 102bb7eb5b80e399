"""PromQL as Prometheus' own parser has it (``/api/v1/parse_query``): what a query selects, compares and divides. Pure.

A tree is a mapping with a ``type``; its children are under ``expr``, ``lhs``, ``rhs``, ``param`` and ``args``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec

Tree: TypeAlias = Mapping[str, Any]

_LESS, _MORE = ("<", "<="), (">", ">=")
_SETS = ("and", "or", "unless")
_SELECTORS = ("vectorSelector", "matrixSelector")
_KEEPING = ("sum", "avg", "min", "max", "topk", "bottomk", "quantile")
_EVENTS = ("_total", "_count", "_bucket")
#: What of a tree is looked at; the rest says how it is evaluated.
_KEPT = frozenset((
    "type", "expr", "lhs", "rhs", "param", "args", "op", "val", "name", "matchers", "value", "range", "offset", "func",
    "grouping", "without", "matching", "labels", "on",
))  # fmt: skip


class Matcher(msgspec.Struct, frozen=True):
    """``label op "value"``, such as ``status =~ "5.."``."""

    label: str
    op: str
    value: str

    def __str__(self) -> str:
        return f'{self.label}{self.op}"{self.value}"'

    def allows(self, value: str) -> bool:
        """Whether a series whose label has that value is meant."""
        try:
            met = self.value == value if self.op in ("=", "!=") else bool(re.fullmatch(self.value, value))
        except re.error:  # RE2 has what Python has not
            return True
        return met is not self.op.startswith("!")


class Selector(msgspec.Struct, frozen=True):
    """Of which series; ``range_s`` is 0 for their last values alone."""

    metric: str
    matchers: frozenset[Matcher]
    range_s: float

    @property
    def family(self) -> str:
        """The metric, whichever series of a histogram it is."""
        ending = next((each for each in ("_bucket", "_count", "_sum") if self.metric.endswith(each)), "")
        return self.metric.removesuffix(ending)


class Recording(msgspec.Struct, frozen=True):
    """What is recorded as ``name`` by the query ``tree``; ``labels`` are what it puts on every series of it."""

    name: str
    labels: Mapping[str, str]
    tree: Tree


Recorded: TypeAlias = Sequence[Recording]


class Compared(msgspec.Struct, frozen=True):
    """``part`` of a query is above ``limit``, or below it."""

    part: dict[str, Any]
    above: bool
    limit: float


class Measure(StrEnum):
    """What a query's value is."""

    PER_SECOND = "events a second"
    COUNT = "events"
    SHARE = "a share"
    SECONDS = "seconds"
    OTHER = "other"


def pruned(tree: Any) -> Any:
    """Without what is not looked at, and what is not set."""
    if isinstance(tree, list):
        return [pruned(each) for each in tree]
    if not isinstance(tree, Mapping):
        return tree
    return {key: pruned(each) for key, each in tree.items() if key in _KEPT and each not in (None, False, [])}


def walk(tree: Tree) -> Iterator[Tree]:
    """The tree and everything beneath it."""
    yield tree
    for child in _children(tree):
        yield from walk(child)


def _children(tree: Tree) -> Iterator[Tree]:
    for child in (*(tree.get(key) for key in ("expr", "lhs", "rhs", "param")), *(tree.get("args") or ())):
        if isinstance(child, Mapping):
            yield child


def reach_s(tree: Tree, recorded: Recorded) -> float:
    """How far back it looks: the longest of its ranges and offsets, with those of the recording or the subquery inside
    it."""
    inside = [reach_s(each, recorded) for each in _children(tree)]
    if tree["type"] in _SELECTORS:
        inside += [reach_s(each.tree, left) for each, left in chosen(_selector(tree), recorded)]
    return ((tree.get("range") or 0) + max(0, tree.get("offset") or 0)) / 1000 + max(inside, default=0.0)


def selectors(tree: Tree) -> list[Selector]:
    """All of it, in order."""
    return [_selector(each) for each in walk(tree) if each["type"] in _SELECTORS]


def beneath(tree: Tree, recorded: Recorded) -> list[Selector]:
    """What it selects, and what the recordings that it selects do."""
    found = selectors(tree)
    inside = (beneath(each.tree, left) for one in found for each, left in chosen(one, recorded))
    return found + [each for more in inside for each in more]


def chosen(asked: Selector, recorded: Recorded) -> Iterator[tuple[Recording, Recorded]]:
    """The recordings of that name that no matcher rules out by the labels that they put on their series, each with all
    others: many of Sloth's have one name."""
    for one in recorded:
        if one.name == asked.metric and all(
            each.allows(one.labels[each.label]) for each in asked.matchers if each.label in one.labels
        ):
            yield one, [each for each in recorded if each is not one]


def _selector(tree: Tree) -> Selector:
    found = frozenset(Matcher(each["name"], each["type"], each["value"]) for each in tree.get("matchers", ()))
    named = next((each.value for each in found if (each.label, each.op) == ("__name__", "=")), "")
    others = frozenset(each for each in found if each.label != "__name__")
    return Selector(named, others, (tree.get("range") or 0) / 1000)


def bare(tree: Tree) -> Tree:
    """Without the brackets around it."""
    while tree["type"] == "parenExpr":
        tree = tree["expr"]
    return tree


def constant(tree: Tree) -> float | None:
    """The value of what is written in numbers alone; ``None`` of anything else."""
    tree = bare(tree)
    if tree["type"] == "numberLiteral":
        return float(tree["val"])
    if tree["type"] == "unaryExpr" and (value := constant(tree["expr"])) is not None:
        return -value if tree["op"] == "-" else value
    if tree["type"] != "binaryExpr":
        return None
    left, right = constant(tree["lhs"]), constant(tree["rhs"])
    if left is None or right is None:
        return None
    known = {"+": left + right, "-": left - right, "*": left * right, "/": left / right if right else None}
    return known.get(tree["op"])


def compared(tree: Tree) -> Iterator[Compared]:
    """Whatever the query compares with a number, the number alone on its side: ``1 - x < 0.995`` is x > 0.005."""
    tree = bare(tree)
    if tree["type"] == "aggregation":
        yield from compared(tree["expr"])
    if tree["type"] != "binaryExpr":
        return
    if tree["op"] in _SETS:
        yield from compared(tree["lhs"])
        yield from compared(tree["rhs"])
    elif tree["op"] in (*_LESS, *_MORE):
        above, limit, part = tree["op"] in _MORE, constant(tree["rhs"]), tree["lhs"]
        if limit is None:
            above, limit, part = not above, constant(tree["lhs"]), tree["rhs"]
        if limit is not None:
            yield _alone(part, limit, above=above)


def _alone(part: Tree, limit: float, *, above: bool) -> Compared:
    """Numbers that are added to ``part``, or that it is multiplied by, taken to the limit."""
    part = bare(part)
    if part["type"] == "binaryExpr" and part["op"] in ("+", "-", "*", "/"):
        op, left, right = part["op"], constant(part["lhs"]), constant(part["rhs"])
        if right is not None and (right or op in "+-"):
            moved = {"+": limit - right, "-": limit + right, "*": right and limit / right, "/": limit * right}[op]
            return _alone(part["lhs"], round(moved, 12), above=above == (op in "+-" or right > 0))
        if left is not None and op != "/" and (left or op in "+-"):
            moved = {"+": limit - left, "-": left - limit, "*": left and limit / left}[op]
            same = op == "+" or (op == "*" and left > 0)
            return _alone(part["rhs"], round(moved, 12), above=above == same)
    return Compared(dict(part), above, limit)


def measure(tree: Tree, recorded: Recorded) -> Measure:
    """What the value of a query is."""
    tree = bare(tree)
    match tree["type"]:
        case "aggregation" if tree["op"] in _KEEPING:
            return measure(tree["expr"], recorded)
        case "call":
            return _of_call(tree, recorded)
        case "vectorSelector" | "matrixSelector":
            found = {measure(each.tree, left) for each, left in chosen(_selector(tree), recorded)}
            return found.pop() if len(found) == 1 else Measure.OTHER
        case "binaryExpr":
            return _of_both(tree, recorded)
        case "unaryExpr" | "subquery":
            return measure(tree["expr"], recorded)
    return Measure.OTHER


def _of_call(tree: Tree, recorded: Recorded) -> Measure:
    name, inner = tree["func"]["name"], next((each for each in tree["args"] if constant(each) is None), None)
    if name == "histogram_quantile":
        return Measure.SECONDS
    if inner is None:
        return Measure.OTHER
    if name in ("rate", "irate", "increase"):
        counted = selectors(inner)[:1]
        if counted and counted[0].metric.endswith(_EVENTS):
            return Measure.COUNT if name == "increase" else Measure.PER_SECOND
    keeps = name in ("label_replace", "abs", "clamp_min", "clamp_max", "round", "avg_over_time", "max_over_time")
    return measure(inner, recorded) if keeps else Measure.OTHER


def _of_both(tree: Tree, recorded: Recorded) -> Measure:
    left, right = (
        None if constant(tree[side]) is not None else measure(tree[side], recorded) for side in ("lhs", "rhs")
    )
    known = left if left is not None else right
    if tree["op"] == "/" and left is not None and right is not None:
        events = left is right and left in (Measure.PER_SECOND, Measure.COUNT)
        return Measure.SHARE if events and _asked(tree["lhs"]) != _asked(tree["rhs"]) else Measure.OTHER
    if tree["op"] in ("*", "/", "^", "%") or known is None:
        return Measure.OTHER
    return known if None in (left, right) or left is right else Measure.OTHER


def _asked(tree: Tree) -> set[tuple[str, frozenset[Matcher]]]:
    """Of which series: where both sides ask for the same, it is growth and no share. One by one each is itself."""
    return {(each.metric, each.matchers) for each in selectors(tree)}


def part_of(part: Selector, whole: Selector) -> bool | None:
    """Whether ``whole`` counts whatever ``part`` counts; ``None`` where their matchers do not say."""
    if part.family != whole.family:
        return None
    found: set[bool | None] = {True}
    for asked in (each for each in whole.matchers - part.matchers if each.label != "le"):
        own = [each for each in part.matchers if each.label == asked.label]
        found.add(None if own else False)
    return False if False in found else None if None in found else True


def whole_share(tree: Tree) -> bool:
    """Whether it is a division in which all that is divided is surely part of what it is divided by."""
    tree = bare(tree)
    while tree["type"] == "aggregation":
        tree = bare(tree["expr"])
    if tree["type"] != "binaryExpr" or tree["op"] != "/":
        return False
    wholes = selectors(tree["rhs"])
    return all(any(part_of(each, one) for one in wholes) for each in selectors(tree["lhs"]))


def quantile(tree: Tree) -> float | None:
    """Which one it is; ``None`` of what is none."""
    tree = bare(tree)
    named = tree["type"] == "call" and tree["func"]["name"] == "histogram_quantile"
    return constant(tree["args"][0]) if named else None


def relabelled(tree: Tree) -> bool:
    """Whether it makes labels of its own, or takes some from another metric."""
    made = {each["func"]["name"] for each in walk(tree) if each["type"] == "call"}
    return bool(made & {"label_replace", "label_join"})


def shares(tree: Tree) -> Iterator[Tree]:
    """Every division of events by events."""
    for each in walk(tree):
        if each["type"] == "binaryExpr" and each["op"] == "/" and measure(each, ()) is Measure.SHARE:
            yield each


def summed_by(tree: Tree) -> tuple[str, ...] | None:
    """The labels that a side is summed by, () for none; ``None`` where it is not summed, or ``without`` some."""
    tree = bare(tree)
    if tree["type"] == "binaryExpr":
        return summed_by(tree["lhs"])
    if tree["type"] != "aggregation" or tree.get("without"):
        return None
    return tuple(sorted(tree.get("grouping", ())))
