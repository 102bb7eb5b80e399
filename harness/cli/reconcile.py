"""``python -m harness reconcile``: which stack, which direction, and from them to an exit status."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import msgspec

from harness.base.errors import BadInput, Exit
from harness.checks.healing import Direction, Healing
from harness.evidence.read import read_rows
from harness.judge.writes import Writes
from harness.model.evidence import Side
from harness.model.stack import Endpoints

_SHOWN = 20


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The options, and what they call."""
    where = command.add_mutually_exclusive_group()
    where.add_argument("--endpoints", type=Path, metavar="FILE", help="JSON, as `stack up --json` prints it")
    where.add_argument("--stack", default="", metavar="ID", help="a stack that is up (default: the only one)")
    command.add_argument(
        "--evidence",
        type=Path,
        metavar="RUN",
        help="a run's folder: which walks the API deleted, and which the app wrote itself",
    )
    command.add_argument("--direction", required=True, choices=[str(each) for each in Direction])
    command.add_argument("--apply", action="store_true", help="do it; without it only say what differs")
    command.add_argument("--json", action="store_true", help="print the result as JSON")
    command.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """0 when the stores agree or were healed; 10 when they differ and nothing was done, or walks were left alone."""
    endpoints = _endpoints(arguments)
    writes = _writes(arguments.evidence)
    from harness.checks.reconcile.heal import heal

    found = asyncio.run(
        heal(
            endpoints,
            Direction(arguments.direction),
            apply=arguments.apply,
            deleted=writes.deleted[Side.API],
            own=writes.direct,
        )
    )
    if arguments.json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        sys.stdout.write(told(found, applied=arguments.apply) + "\n")
    return Exit.HOLD if found.named or (found.changes and not arguments.apply) else Exit.OK


def told(found: Healing, *, applied: bool) -> str:
    """What was found and done, for a terminal."""
    lines = [str(found.told) + (": done" if applied and found.changes else "")]
    for what, names in (
        ("written", found.write),
        ("deleted", found.delete),
        ("copied", found.copy),
        ("replaced", found.replace),
        ("left alone", found.named),
    ):
        lines += [f"  {what}: {name}" for name in names[:_SHOWN]]
        lines += [f"  {what}: {len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return "\n".join(lines)


def _endpoints(arguments: argparse.Namespace) -> Endpoints:
    if arguments.endpoints is None:
        from harness.cli.standing import up_now

        there = {facts.run_id: facts.endpoints for facts in up_now() if arguments.stack in ("", facts.run_id)}
        if len(there) != 1:
            found = ", ".join(there) or "none"
            raise BadInput(
                f"one stack is wanted, and of those that are up {found} fit", remedy="begin one: stack up --detach"
            )
        return next(iter(there.values()))
    try:
        return msgspec.json.decode(arguments.endpoints.read_bytes(), type=_Told).endpoints
    except (OSError, msgspec.DecodeError) as error:
        raise BadInput(f"no endpoints can be read: {error}", where=str(arguments.endpoints)) from error


class _Told(msgspec.Struct):
    endpoints: Endpoints


def _writes(folder: Path | None) -> Writes:
    writes = Writes()
    for row in read_rows(folder / "evidence.sqlite") if folder is not None else ():
        writes.add(row)
    return writes
