"""A version of the target as a command: the target's own, behind ``version_process.py`` where something is asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from harness.model.stack import Version

SCRIPT = str(Path(__file__).with_name("version_process.py"))
_FINEST = 1000  # a share is exact to a thousandth


def in_front(
    version: Version, command: Sequence[str], *, host: str, python: str = sys.executable, script: str = SCRIPT
) -> tuple[str, ...]:
    """``command`` as ``version`` runs it, listening on ``host``.

    ``python`` is the interpreter, and ``script`` where ``version_process.py`` lies, as the pod sees them.
    """
    if not version.wrapped:
        return tuple(command)
    share = Fraction(version.error_share).limit_denominator(_FINEST)
    asked = {
        "host": host,
        "never_ready": version.never_ready,
        "numerator": share.numerator,
        "denominator": share.denominator,
        "delay_ms": version.delay_ms,
    }
    return (python, script, json.dumps(asked), *command)
