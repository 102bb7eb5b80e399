"""Ways to lose parts of what a stored run left: each field and each first element of its details, each kind of row."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from harness.evidence.store import Gathered
from harness.model.evidence import EventRow, Row

Json = Any
_EMPTY: tuple[Json, ...] = (None, "", [], {})


def of_details(details: Json) -> Iterator[tuple[str, Json]]:
    """Every loss once: where it is, with ``*`` for an element of a list, and the details without it."""
    known = set[str]()
    for place, lose in _losses(details, ()):
        if place not in known:
            known.add(place)
            left = copy.deepcopy(details)
            lose(left)
            yield place, left


def _losses(part: Json, at: tuple[Any, ...]) -> Iterator[tuple[str, Callable[[Json], object]]]:
    shape = ".".join("*" if isinstance(each, int) else str(each) for each in at)
    if at:
        yield f"{shape} gone", partial(_lose, at)
    if isinstance(part, dict | list) and part and at:
        yield f"{shape} emptied", partial(_empty, at)
    if at and isinstance(at[-1], str) and part not in _EMPTY:
        yield f"{shape} null", partial(_null, at)
    inner = part.items() if isinstance(part, dict) else list(enumerate(part))[:1] if isinstance(part, list) else ()
    for key, value in inner:
        yield from _losses(value, (*at, key))


def _lose(at: tuple[Any, ...], left: Json) -> None:
    del _at(left, at[:-1])[at[-1]]


def _null(at: tuple[Any, ...], left: Json) -> None:
    _at(left, at[:-1])[at[-1]] = None


def _empty(at: tuple[Any, ...], left: Json) -> None:
    _at(left, at).clear()


def _at(left: Json, at: tuple[Any, ...]) -> Json:
    for key in at:
        left = left[key]
    return left


def of_evidence(evidence: Gathered) -> Iterator[tuple[str, Gathered]]:
    """Without the rows of each kind, events by theirs."""
    kinds = dict.fromkeys(map(_kind, evidence.rows))
    for kind in kinds:
        left = Gathered()
        left.see(row for row in evidence.rows if _kind(row) != kind)
        yield kind, left


def _kind(row: Row) -> str:
    return f"event {row.kind}" if isinstance(row, EventRow) else type(row).__name__
