"""``python -m harness doctor``."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import msgspec

from harness.base.errors import Exit, tool_status
from harness.base.message import as_message
from harness.report.language import language
from harness.run.arguments import AsJson, Spoken


@dataclass(frozen=True, kw_only=True)
class Doctor(Spoken, AsJson):
    """What this machine has and lacks in each environment.

    Once its packages are installed it starts nothing and changes nothing; 10 when something is lacking.
    """

    name = "doctor"
    example = "--json"

    def run(self) -> int:
        """Starts nothing and changes nothing; 10 when something is lacking."""
        from harness.cli.machine import examine  # each environment's own modules load here

        checks, say = examine(), language(self.lang)
        if self.json:
            told = [msgspec.structs.replace(each, found=str(each.found), remedy=str(each.remedy)) for each in checks]
            sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
        else:
            for check in checks:
                found, remedy = map(as_message, (check.found, check.remedy))
                sys.stdout.write(f"{'ok  ' if check.ok else 'FAIL'} {say(check.name)}: {say.message(found)}\n")
                if not check.ok:
                    sys.stdout.write("       " + say("to do: {remedy}", remedy=remedy) + "\n")
        return tool_status({Exit.HOLD: not all(check.ok for check in checks)})
