"""``python -m harness conformance``: its options, and from them to an exit status."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.clock import MachineClock
from harness.lifecycle import run_to_end
from harness.model.errors import BadInput
from harness.progress import Progress
from harness.targets import ROOT, TARGET_HELP, resolve_command

LONGEST_FUZZ_S = 60


def add_arguments(command: argparse.ArgumentParser, default_seed: int) -> None:
    """The command's options."""
    command.add_argument("--target", metavar="COMMAND|FILE", help=TARGET_HELP)
    command.add_argument(
        "--only", action="append", default=[], metavar="PATTERN", help="only checks like 'dual_write.*' (repeatable)"
    )
    command.add_argument(
        "--seed", type=int, default=default_seed, help="seed of ids and of the checks' order (default: %(default)s)"
    )
    command.add_argument(
        "--fuzz",
        nargs="?",
        type=int,
        const=40,
        default=0,
        metavar="SECONDS",
        help="draw requests from the OpenAPI file too, by schemathesis, for that long (at most 60; default: 40)",
    )
    command.add_argument(
        "--openapi",
        type=Path,
        metavar="FILE",
        help="the team's own OpenAPI file (3.0 or 3.1): what it says of limits, fields and statuses decides",
    )
    command.add_argument("--json", action="store_true", help="print conformance.json on standard output")
    command.add_argument("--junit", type=Path, metavar="FILE", help="write conformance.xml there too")
    command.add_argument("--reports", type=Path, default=ROOT / "reports", help="where reports go (default: reports/)")
    command.add_argument(
        "--manifests", type=Path, default=ROOT / "deploy/kubernetes/overlays/local", help=argparse.SUPPRESS
    )
    command.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command. Raises ``BadInput`` for what was typed."""
    clock = MachineClock()
    progress = Progress(clock)
    target = resolve_command(arguments.target)
    if arguments.junit is not None and not arguments.junit.absolute().parent.is_dir():
        raise BadInput(f"no folder for {arguments.junit}", where="--junit", remedy="make it, or name another file")
    if not 0 <= arguments.fuzz <= LONGEST_FUZZ_S:
        raise BadInput(f"--fuzz {arguments.fuzz}", where="--fuzz", remedy=f"give 1 to {LONGEST_FUZZ_S} seconds")
    from harness.rehearsals.conformance.flow import Conformance, Options  # psutil and asyncpg load here
    from harness.rehearsals.conformance.report import text

    options = Options(
        target=target,
        target_text=arguments.target,
        seed=arguments.seed,
        reports=arguments.reports.absolute(),
        manifests=arguments.manifests,
        only=tuple(arguments.only),
        junit=arguments.junit,
        fuzz_s=arguments.fuzz,
        openapi=arguments.openapi or (Path(target.openapi) if target.openapi else None),
        lang=arguments.lang,
    )
    progress.plain(f"seed {options.seed}, environment local, target {target.name}; replay: {options.replay}")

    return run_to_end(
        lambda: Conformance(options, clock, progress),
        progress,
        text,
        printed="conformance.json" if arguments.json else None,
    )
