"""What a query selects, and how far back it looks: read of the tree that Prometheus' own parser makes of it. Pure.

The tree is that of ``/api/v1/parse_query``: a mapping with a ``type``; its children are under ``expr``, ``lhs``,
``rhs``, ``param`` and ``args``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

Tree: TypeAlias = Mapping[str, Any]

_SELECTORS = ("vectorSelector", "matrixSelector")
#: What of a tree is looked at.
_KEPT = frozenset(("type", "expr", "lhs", "rhs", "param", "args", "name", "matchers", "value", "range", "offset"))


class Matcher(msgspec.Struct, frozen=True):
    """``label op "value"``, such as ``status =~ "5.."``."""

    label: str
    op: str
    value: str

    def __str__(self) -> str:
        return f'{self.label}{self.op}"{self.value}"'

    def allows(self, value: str) -> bool:
        """Return whether a series whose label has that value is meant."""
        try:
            met = self.value == value if self.op in ("=", "!=") else bool(re.fullmatch(self.value, value))
        except re.error:  # RE2 has what Python has not
            return True
        return met is not self.op.startswith("!")


class SeriesSelector(msgspec.Struct, frozen=True):
    """The series of a metric that all matchers allow; "" where the query names no metric."""

    metric: str
    matchers: frozenset[Matcher]


class Recording(msgspec.Struct, frozen=True):
    """What is recorded as ``name`` by the query ``tree``; ``labels`` are what it puts on every series of it."""

    name: str
    labels: Mapping[str, str]
    tree: Tree


Recorded: TypeAlias = Sequence[Recording]


def pruned(tree: Any) -> Any:
    """Return a tree without what is not looked at, and what is not set."""
    if isinstance(tree, list):
        return [pruned(each) for each in tree]
    if not isinstance(tree, Mapping):
        return tree
    return {key: pruned(each) for key, each in tree.items() if key in _KEPT and each not in (None, False, [])}


def selectors(tree: Tree) -> list[SeriesSelector]:
    """Return each selector of a query, in order."""
    own = [_selector(tree)] if tree["type"] in _SELECTORS else []
    return own + [each for child in _children(tree) for each in selectors(child)]


def beneath(tree: Tree, recorded: Recorded) -> list[SeriesSelector]:
    """Return the selectors of a query, and those of the recordings that it selects."""
    found = selectors(tree)
    inside = (beneath(each.tree, left) for one in found for each, left in chosen(one, recorded))
    return found + [each for more in inside for each in more]


def reach_s(tree: Tree, recorded: Recorded) -> float:
    """Return how far back a query looks: the longest of its ranges and offsets, with those of the recording or the
    subquery inside it."""
    inside = [reach_s(each, recorded) for each in _children(tree)]
    if tree["type"] in _SELECTORS:
        inside += [reach_s(each.tree, left) for each, left in chosen(_selector(tree), recorded)]
    return ((tree.get("range") or 0) + max(0, tree.get("offset") or 0)) / 1000 + max(inside, default=0.0)


def chosen(asked: SeriesSelector, recorded: Recorded) -> Iterator[tuple[Recording, Recorded]]:
    """Yield the recordings of the selector's name whose own labels its matchers allow, each with all other recordings:
    many of Sloth's have one name."""
    for one in recorded:
        if one.name == asked.metric and all(
            each.allows(one.labels[each.label]) for each in asked.matchers if each.label in one.labels
        ):
            yield one, [each for each in recorded if each is not one]


def _children(tree: Tree) -> Iterator[Tree]:
    for child in (*(tree.get(key) for key in ("expr", "lhs", "rhs", "param")), *(tree.get("args") or ())):
        if isinstance(child, Mapping):
            yield child


def _selector(tree: Tree) -> SeriesSelector:
    found = frozenset(Matcher(each["name"], each["type"], each["value"]) for each in tree.get("matchers", ()))
    named = next((each.value for each in found if (each.label, each.op) == ("__name__", "=")), "")
    return SeriesSelector(named, frozenset(each for each in found if each.label != "__name__"))
