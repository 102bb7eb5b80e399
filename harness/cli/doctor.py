"""``python -m harness doctor``."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import msgspec

from harness.base.errors import Exit, tool_status
from harness.rehearsal.arguments import AsJson


@dataclass(frozen=True, kw_only=True)
class Doctor(AsJson):
    """What this machine has and lacks in each environment.

    Once its packages are installed it starts nothing and changes nothing; 10 when something is lacking.
    """

    name = "doctor"
    example = "--json"

    def run(self) -> int:
        """Starts nothing and changes nothing; 10 when something is lacking."""
        from harness.cli.machine import examine  # each environment's own modules load here

        checks = examine()
        if self.json:
            sys.stdout.write(msgspec.json.encode(checks).decode() + "\n")
        else:
            for check in checks:
                sys.stdout.write(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.found}\n")
                if not check.ok:
                    sys.stdout.write(f"       to do: {check.remedy}\n")
        return tool_status({Exit.HOLD: not all(check.ok for check in checks)})
