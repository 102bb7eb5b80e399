"""``python -m harness undo``: ends what killed runs of chaos had begun, and everything else they left."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass

from harness.base.errors import Exit, tool_status
from harness.model.message import Message
from harness.report.language import language
from harness.run.arguments import AsJson, Spoken


@dataclass(frozen=True, kw_only=True)
class Undo(Spoken, AsJson):
    """What killed runs had begun and left, ended.

    On this machine and in its Docker; live runs are left alone.
    """

    name = "undo"
    example = "--json"

    def run(self) -> int:
        """Says which faults were under way in each dead run, and removes what is left; 40 where that cannot be."""
        from harness.stack import state
        from harness.stack.environments import choice as rungs

        begun = {run_id: _steps(run_id) for run_id in state.dead_runs()}
        removed, others = list[str](), list[str]()
        say = language(self.lang)

        def told(line: Message, to: list[str] = removed) -> None:  # at once: sweeping takes seconds
            to.append(str(line))
            sys.stderr.write(say.message(line) + "\n")

        asyncio.run(rungs.sweep(told, lambda line: told(line, others)))
        status = tool_status({Exit.LEAK: any("could not" in each for each in removed)})
        if self.json:
            sys.stdout.write(json.dumps({"faults": begun, "removed": removed, "others": others}) + "\n")
            return status
        for run_id, steps in begun.items():
            faults = ", ".join(steps) or say("no fault was under way")
            sys.stdout.write(say("run {run}: {faults}", run=run_id, faults=faults) + "\n")
        if not (removed or others):
            sys.stdout.write(say("nothing to undo: no killed run left anything") + "\n")
        return status


def _steps(run_id: str) -> list[str]:
    from harness.rehearsals.chaos.bridge import UNDO_FILE
    from harness.stack.state.lease import run_folder

    try:
        return [str(step) for step in json.loads((run_folder(run_id) / UNDO_FILE).read_text())]
    except (OSError, ValueError):
        return []
