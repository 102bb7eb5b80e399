"""``python -m harness conformance``: its options, and from them to an exit status."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.base.clock import MachineClock
from harness.base.errors import BadInput
from harness.base.progress import Progress
from harness.rehearsal.arguments import add_local_arguments, first_line, local_options, only_words
from harness.rehearsal.lifecycle import carry_out
from harness.rehearsals.conformance.types import ConformancePlan
from harness.report.files import write_atomically
from harness.report.junit import JUNIT_XML
from harness.stack.targets import TARGET_HELP, resolve_command

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
    command.add_argument("--junit", type=Path, metavar="FILE", help="write junit.xml there too")
    add_local_arguments(command)
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
    from harness.rehearsals.conformance.chosen import chosen  # the checks' libraries load here
    from harness.rehearsals.conformance.openapi.plan import OpenApiPlan

    file = arguments.openapi or (Path(target.openapi) if target.openapi else None)
    chosen(arguments.only)
    if file is not None:
        OpenApiPlan(file)  # a broken one is refused before anything starts
    plan = ConformancePlan(only=tuple(arguments.only), fuzz_s=arguments.fuzz, openapi=str(file or ""))
    options = local_options(arguments, target, *_own(arguments, plan))
    progress.plain(first_line(options))

    def copied(folder: Path) -> None:
        if arguments.junit is not None:
            write_atomically(arguments.junit, (folder / JUNIT_XML).read_bytes())

    return carry_out("conformance", plan, options, clock, progress, as_json=arguments.json, ended=copied)


def _own(arguments: argparse.Namespace, plan: ConformancePlan) -> list[str]:
    """What was typed beside the seed, for the replay."""
    words = ["--target", arguments.target] if arguments.target is not None else []
    words += ["--fuzz", str(plan.fuzz_s)] if plan.fuzz_s else []
    words += ["--openapi", plan.openapi] if plan.openapi else []
    return [*words, *only_words(plan.only)]
