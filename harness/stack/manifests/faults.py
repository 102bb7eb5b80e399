"""Which value of a document msgspec complains of: its errors leave out the indices."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from harness.base.yamltext import Path_

_TYPES = {"str": str, "int": int, "float": float, "bool": bool, "array": list, "object": dict, "null": type(None)}
_STEP = re.compile(r"\.([^.\[\]`]+)|\[(\.\.\.|[0-9]+)\]")


def at_fault(data: Any, error: msgspec.ValidationError) -> tuple[str, Path_]:
    """What msgspec says of ``data``, and the path that it means: it ends in `` - at `$.images[...].newTag` ``.

    Of elements whose index it leaves out the first counts whose value is of the type that it says it got, or that lacks
    or has the field it names.
    """
    said, _, trail = str(error).partition(" - at `$")
    steps = [name or index for name, index in _STEP.findall(trail)]
    found = _sought(data, steps, said)
    return said, found if found is not None else tuple(steps[:1])


def _sought(value: Any, steps: list[str], message: str) -> Path_ | None:
    if not steps:
        return () if _fits(value, message) else None
    for key in _keys(value, steps[0]):
        rest = _sought(value[key], steps[1:], message)
        if rest is not None:
            return (key, *rest)
    return None


def _keys(value: Any, step: str) -> list[Any]:
    if isinstance(value, dict):
        return list(value) if step == "..." else [step] if step in value else []
    if not isinstance(value, list):
        return []
    if step == "...":
        return list(range(len(value)))
    return [int(step)] if step.isdigit() and int(step) < len(value) else []


def _fits(value: Any, message: str) -> bool:
    if (got := re.search(r"got `(\w+)`", message)) is not None:
        return type(value) is _TYPES.get(got[1])
    if (lacks := re.search(r"missing required field `([^`]*)`", message)) is not None:
        return isinstance(value, dict) and lacks[1] not in value
    if (unknown := re.search(r"unknown field `([^`]*)`", message)) is not None:
        return isinstance(value, dict) and unknown[1] in value
    return True
