"""``python -m harness bench``: runs the benches one after the other."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.base import bootstrap
from harness.base.clock import MachineClock
from harness.base.errors import Exit, MeasurementFailed, tool_status
from harness.base.progress import Progress
from harness.run.arguments import AsJson
from harness.run.command import option
from harness.run.only import chosen, only


@dataclass(frozen=True, kw_only=True)
class Bench(AsJson):
    """What the parts cost, side by side, held to limits.

    The API against its twin, the recorder, reports, the judge, a stall, the harness' own CPU; the cluster only when it
    is named. 10 when a limit is not kept; a quick run is held to none: its figures say nothing.
    """

    name = "bench"
    example = "--only api,judge --json"

    only: tuple[str, ...] = only("benches")
    quick: bool = option("only show that everything runs, in about 20 s", default=False)

    def run(self) -> int:
        """Says each bench's figures when it has ended. Raises ``MeasurementFailed`` where there are none."""
        bootstrap.enter("harness", "dev")  # goes on where the tests' packages are
        from bench.benches import FULL, NAMED, QUICK
        from bench.result import not_kept, text

        benches = (QUICK if self.quick else FULL) | (NAMED if self.only else {})
        names, results = chosen(self.only, list(benches)), []
        progress = Progress(MachineClock())
        with tempfile.TemporaryDirectory(prefix="tekutoko-bench-") as made:
            folder = Path(made)
            folder.chmod(0o755)  # PostgreSQL may run as another user
            for name in names:
                progress.begin(name)
                try:
                    result = asyncio.run(benches[name](folder))
                except (RuntimeError, TimeoutError) as error:
                    raise MeasurementFailed(f"{name}: {error or type(error).__name__}") from error
                progress.end()
                results.append(result)
                if not self.json:
                    sys.stdout.write(text(result) + "\n")
                    sys.stdout.flush()
        if self.json:
            sys.stdout.write(msgspec.json.encode(results).decode() + "\n")
        below = [] if self.quick else not_kept(results)
        for line in below:
            sys.stderr.write(f"limit not kept: {line}\n")
        return tool_status({Exit.HOLD: below})
