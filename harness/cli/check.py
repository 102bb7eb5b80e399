"""``python -m harness check FILE...``: are plans, scenarios and experiments what a run would take? Before any stack."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.base import yamltext
from harness.base.errors import BadInput, Exit, tool_status
from harness.rehearsal.arguments import AsJson
from harness.rehearsal.command import option


class Checked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a file. ``kind`` is what it was taken for, "" when that could not be told, and ``by`` what told
    it; ``holds`` says how long its lists are, by their keys; ``what``, ``where`` and ``remedy`` are the error's, ""
    where there is none."""

    file: str
    fine: bool
    kind: str = ""
    by: str = ""
    holds: str = ""
    what: str = ""
    where: str = ""
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Check(AsJson):
    """Whether a run would take plans and scenarios.

    Before any stack; 2 when one of them is not fine.
    """

    name = "check"
    example = "scenarios/rollout_week3.yaml scenarios/plans/scaling.yaml"

    files: tuple[Path, ...] = option(
        "a plan, a scenario, or an experiment", Path, positional=True, nargs="+", default=(), metavar="FILE"
    )

    def run(self) -> int:
        """Tells of every file; 2 when one of them is not fine."""
        checked = [check(path) for path in self.files]
        if self.json:
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(checked), indent=2).decode() + "\n")
        else:
            for each in checked:
                _tell(each)
        return tool_status({Exit.USAGE: not all(each.fine for each in checked)})


def check(path: Path) -> Checked:
    """What became of ``path``."""
    from harness.cli.kinds import KINDS, kind_of

    found: dict[str, Any] = {"file": str(path)}
    try:
        text = yamltext.read(path)
        name, found["by"] = kind_of(text, str(path))
        found["kind"] = KINDS[name].told
        KINDS[name].load(path)
        ((keys, _),) = yamltext.documents(text, str(path))
        holds = ", ".join(f"{key}: {len(each)}" for key, each in keys.items() if isinstance(each, list))
        return Checked(fine=True, holds=holds, **found)
    except BadInput as error:
        return Checked(fine=False, what=error.what, where=error.where, remedy=error.remedy, **found)


def _tell(each: Checked) -> None:
    if each.fine:
        sys.stdout.write(f"{each.file}: fine, {each.kind}; {each.holds}\n")
        return
    taken = f", taken for {each.kind} by {each.by}" if each.kind else ""
    sys.stdout.write(f"{each.file}: not fine{taken}\n")
    sys.stderr.write(f"error: {BadInput(each.what, where=each.where, remedy=each.remedy)}\n")
