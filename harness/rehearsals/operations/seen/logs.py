"""Lines of structured logs, counted. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from harness.rehearsals.operations.seen.facts import LogsNow

_ERRORS = frozenset({"ERROR", "CRITICAL", "ALERT", "EMERGENCY"})  # Cloud Logging's severities from ERROR up
_MOST = 10


def counted(lines: Iterable[str]) -> LogsNow:
    """By severity, and the messages of errors."""
    severities, errors = Counter[str](), Counter[str]()
    for line in lines:
        found = _fields(line)
        severity = str(found.get("severity", "")).upper()
        severities[severity] += 1
        if severity in _ERRORS:
            errors[str(found.get("message", ""))[:200]] += 1
    return LogsNow(lines=dict(severities), errors=tuple(errors.most_common(_MOST)))


def _fields(line: str) -> dict[str, Any]:
    """Of a line that is a JSON object; {} of any other."""
    try:
        found = json.loads(line) if line.startswith("{") else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
