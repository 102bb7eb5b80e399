"""``python -m harness check FILE...``: are plans, scenarios and experiments what a run would take? Before any stack."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec

from harness.base import yamltext
from harness.base.errors import BadInput, Exit


class Checked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a file. ``kind`` is what it was taken for, "" when that could not be told, and ``by`` what told
    it; ``holds`` is what is in it; ``what``, ``where`` and ``remedy`` are the error's, "" where there is none."""

    file: str
    fine: bool
    kind: str = ""
    by: str = ""
    holds: str = ""
    what: str = ""
    where: str = ""
    remedy: str = ""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Its options."""
    command.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a plan, a scenario, or an experiment")
    command.add_argument("--json", action="store_true", help="print what was found as JSON")


def check(path: Path) -> Checked:
    """What became of ``path``."""
    from harness.cli.kinds import KINDS, kind_of

    found: dict[str, Any] = {"file": str(path)}
    try:
        name, found["by"] = kind_of(yamltext.read(path), str(path))
        found["kind"] = KINDS[name].told
        return Checked(fine=True, holds=KINDS[name].what(KINDS[name].load(path)), **found)
    except BadInput as error:
        return Checked(fine=False, what=error.what, where=error.where, remedy=error.remedy, **found)


def run(arguments: argparse.Namespace) -> int:
    """Tells of every file; 2 when one of them is not fine."""
    checked = [check(path) for path in arguments.files]
    if arguments.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(checked), indent=2).decode() + "\n")
    else:
        for each in checked:
            _tell(each)
    return Exit.OK if all(each.fine for each in checked) else Exit.USAGE


def _tell(each: Checked) -> None:
    if each.fine:
        sys.stdout.write(f"{each.file}: fine, {each.holds}\n")
        return
    taken = f", taken for {each.kind} by {each.by}" if each.kind else ""
    sys.stdout.write(f"{each.file}: not fine{taken}\n")
    sys.stderr.write(f"error: {BadInput(each.what, where=each.where, remedy=each.remedy)}\n")
