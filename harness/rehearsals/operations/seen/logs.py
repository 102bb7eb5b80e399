"""Lines of structured logs, counted. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from harness.base.errors import NOT_JSON
from harness.rehearsals.operations.seen.facts import LogsNow

_ERRORS = frozenset({"ERROR", "CRITICAL", "ALERT", "EMERGENCY"})  # Cloud Logging's severities from ERROR up
_MOST = 10


def counted(lines: Iterable[str], since: datetime | None = None) -> LogsNow:
    """By severity, and the messages of errors; a line that says that it is older than ``since`` is none."""
    severities, errors = Counter[str](), Counter[str]()
    for line in lines:
        found = _fields(line)
        if since is not None and (at := _at(found)) is not None and at < since:
            continue
        severity = str(found.get("severity", "")).upper()
        severities[severity] += 1
        if severity in _ERRORS:
            errors[str(found.get("message", ""))[:200]] += 1
    return LogsNow(lines=dict(severities), errors=tuple(errors.most_common(_MOST)))


def _at(fields: dict[str, Any]) -> datetime | None:
    """A structured line's moment; ``None`` of one that tells none, or not from where."""
    try:
        found = datetime.fromisoformat(str(fields.get("timestamp", "")))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _fields(line: str) -> dict[str, Any]:
    """Of a line that is a JSON object; {} of any other."""
    try:
        found = json.loads(line) if line.startswith("{") else {}
    except NOT_JSON:
        return {}
    return found if isinstance(found, dict) else {}
