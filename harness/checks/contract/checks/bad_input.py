"""An invalid id, body or query answers 400, never 500."""

from __future__ import annotations

from harness.checks.contract.rows import checks
from harness.checks.contract.run import DeviationKind, walk_api

CHECKS = checks("bad_input", walk_api("bad-requests"), DeviationKind.STATUS)
