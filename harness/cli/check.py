"""``python -m harness check FILE...``: are plans, scenarios and experiments what a run would take? Before any stack."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.base import yamltext
from harness.base.errors import BadInput, Exit, tool_status
from harness.model.message import message, whole
from harness.report.language import Language, language
from harness.run.arguments import AsJson, Spoken
from harness.run.command import option


class CheckedFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
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
class CheckCommand(Spoken, AsJson):
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
        found = [each for each, _ in checked]
        if self.json:
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
        for each, error in () if self.json else checked:
            _tell(each, error, language(self.lang))
        return tool_status({Exit.USAGE: not all(each.fine for each in found)})


def check(path: Path) -> tuple[CheckedFile, BadInput | None]:
    """What became of ``path``, and the error as it was raised."""
    from harness.cli.kinds import KINDS, kind_of

    found: dict[str, Any] = {"file": str(path)}
    try:
        text = yamltext.read(path)
        name, found["by"] = kind_of(text, str(path))
        found["kind"] = KINDS[name].told
        KINDS[name].load(path)
        ((keys, _),) = yamltext.documents(text, str(path))
        holds = ", ".join(f"{key}: {len(each)}" for key, each in keys.items() if isinstance(each, list))
        return CheckedFile(fine=True, holds=holds, **found), None
    except BadInput as error:
        return CheckedFile(fine=False, what=error.what, where=error.where, remedy=error.remedy, **found), error


def _tell(each: CheckedFile, error: BadInput | None, say: Language) -> None:
    kind, by = say(each.kind), say(each.by)
    if error is None:
        sys.stdout.write(say("{file}: fine, {kind}; {holds}", file=each.file, kind=kind, holds=each.holds) + "\n")
        return
    taken = message(", taken for {kind} by {by}", kind=kind, by=by) if kind else ""
    sys.stdout.write(say("{file}: not fine{taken}", file=each.file, taken=taken) + "\n")
    sys.stderr.write(say("error: {error}", error=whole(error)) + "\n")
