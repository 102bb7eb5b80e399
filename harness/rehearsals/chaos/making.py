"""An experiment made: Chaos Toolkit on it, in a process of its own, and the journal it writes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from chaos.bridge import SOCKET
from harness.base.data import ROOT
from harness.base.errors import PartDied
from harness.model.message import message
from harness.rehearsals.chaos.types import Experiment

_LIMIT_S = 900.0


def limit_s(experiment: Experiment) -> float:
    """How long Chaos Toolkit may take for it: 900 s beyond its recovery, and what its steps pause and repeat."""
    steps = [*experiment.document["method"], *experiment.document.get("rollbacks", ())]
    pauses = [pause for step in steps for pause in (step.get("pauses") or {}).values()]
    asked = [step.get("provider", {}).get("arguments") for step in steps]
    series = [_seconds(each.get("every_s")) * _seconds(each.get("times")) for each in asked if isinstance(each, dict)]
    return _LIMIT_S + experiment.expects.recover_within_s + sum(map(_seconds, pauses)) + sum(series)


def _seconds(given: object) -> float:
    """A number; nothing of what Chaos Toolkit alone reads, as ``${warm_up}``, for which there are the 900 s."""
    return float(given) if isinstance(given, int | float) else 0.0


async def made_by_toolkit(
    experiment: Experiment, number: int, folder: Path, socket: Path, run_id: str
) -> dict[str, object]:
    """The journal, which also lies in ``folder/journals``. ``socket`` answers what its actions ask.

    Raises ``PartDied`` when Chaos Toolkit ends without one, ``TimeoutError`` after ``limit_s``.
    """
    journals = folder / "journals"
    journals.mkdir(exist_ok=True)
    source = journals / f"{number:02d}-{experiment.name}.experiment.json"
    journal = journals / f"{number:02d}-{experiment.name}.json"
    source.write_text(json.dumps(experiment.document, ensure_ascii=False, indent=2))
    environment = {**os.environ, SOCKET: str(socket), "TEKUTOKO_RUN_ID": run_id}
    log = folder / "logs" / "chaostoolkit.log"
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "chaos.toolkit", str(source), str(journal),
            cwd=ROOT, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        async with asyncio.timeout(limit_s(experiment)):
            status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status != 0 or not journal.exists():
        raise PartDied(
            message("Chaos Toolkit ended with status {status}", status=str(status)),
            where=str(log),
            remedy="read the log",
        )
    return dict(json.loads(journal.read_text()))


def broken_off(journal: dict[str, object]) -> str:
    """What an action said when it could not be made; "" when all were."""
    runs = [*(journal.get("run") or []), *(journal.get("rollbacks") or [])]  # type: ignore[misc]  # JSON
    for run in runs:
        if run.get("status") != "succeeded":
            words = run.get("exception") or ["no reason given"]
            return f"{run['activity']['name']}: {str(words[-1]).strip()}"
    return ""
