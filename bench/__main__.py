"""``python -m bench [--quick] [--json] [--only NAME]``: runs the benches one after the other."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path

import msgspec

from bench import cluster, framework, harness_cpu, judging, migration, recorder, report, side_by_side, stall
from bench.result import Result, not_kept, text

Bench = Callable[[Path], Coroutine[object, None, Result]]
FULL: dict[str, Bench] = {
    "api": lambda folder: side_by_side.bench(folder, side_by_side.FULL),
    "recorder": lambda folder: recorder.bench(folder, recorder.FULL),
    "report": lambda folder: report.bench(folder, report.FULL),
    "judge": lambda folder: judging.bench(folder, judging.FULL),
    "stall": lambda folder: stall.bench(folder, stall.FULL),
    "framework": lambda folder: framework.bench(folder, framework.FULL),
    "migration": lambda folder: migration.bench(folder, migration.FULL),
    "harness": harness_cpu.bench,
}
#: Only when named: they need more than Python.
NAMED: dict[str, Bench] = {"cluster": cluster.bench}
#: Too short to say anything of speed; shows that everything runs, and that API and twin answer alike.
QUICK: dict[str, Bench] = {
    "api": lambda folder: side_by_side.bench(folder, side_by_side.QUICK),
    "recorder": lambda folder: recorder.bench(folder, recorder.QUICK),
    "report": lambda folder: report.bench(folder, report.QUICK),
    "judge": lambda folder: judging.bench(folder, judging.QUICK),
    "stall": lambda folder: stall.bench(folder, stall.QUICK),
    "framework": lambda folder: framework.bench(folder, framework.QUICK),
    "migration": lambda folder: migration.bench(folder, migration.QUICK),
}

#: As ``hold`` of the harness: everything ran, and something is not as it has to be.
NOT_KEPT = 10


def main(arguments: list[str]) -> int:
    """0 when every limit is kept, ``NOT_KEPT`` when one is not, 1 when a bench did not run.

    A quick run is held to no limit: its figures say nothing.
    """
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="only show that everything runs, in about 20 s")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--only", action="append", choices=sorted(FULL | NAMED), help="one of them (repeatable)")
    options = parser.parse_args(arguments)
    benches = (QUICK if options.quick else FULL) | (NAMED if options.only else {})
    chosen = [name for name in benches if options.only is None or name in options.only]
    results = []
    with tempfile.TemporaryDirectory(prefix="tekutoko-bench-") as made:
        folder = Path(made)
        folder.chmod(0o755)  # PostgreSQL may run as another user
        for name in chosen:
            try:
                result = asyncio.run(benches[name](folder))
            except KeyboardInterrupt:
                sys.stderr.write("interrupted\n")
                return 130
            except (RuntimeError, TimeoutError) as error:
                sys.stderr.write(f"{name}: {error or type(error).__name__}\n")
                return 1
            results.append(result)
            if not options.json:
                sys.stdout.write(text(result) + "\n")
                sys.stdout.flush()
    if options.json:
        sys.stdout.write(msgspec.json.encode(results).decode() + "\n")
    below = [] if options.quick else not_kept(results)
    for line in below:
        sys.stderr.write(f"limit not kept: {line}\n")
    return NOT_KEPT if below else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
