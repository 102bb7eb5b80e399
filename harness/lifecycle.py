"""What every command that brings a stack up shares: a folder, a flow that can be interrupted, and its ending."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from harness.model.errors import EvidenceNotWritten, Interrupted, RehearsalError
from harness.progress import Progress


def open_folder(reports: Path, run_id: str) -> Path:
    """Makes a run's folder. Raises ``EvidenceNotWritten`` when the reports folder refuses."""
    folder = reports / run_id
    try:
        (folder / "logs").mkdir(parents=True)
    except OSError as error:
        raise EvidenceNotWritten(
            f"the reports folder cannot be written: {error.strerror}",
            where=str(folder),
            remedy="make it writable, free some space, or name another one with --reports",
        ) from error
    return folder


class Lifecycle:
    """Runs the flow, notes whatever ended it, and runs the steps of the ending, each whatever became of the others."""

    def __init__(self, progress: Progress) -> None:
        self.errors: list[RehearsalError] = []
        self._progress = progress
        self._flow: asyncio.Task[None] | None = None

    async def run(self, flow: Coroutine[Any, Any, None]) -> None:
        """Returns when ``flow`` has ended, however it did; ``errors`` says how."""
        self._flow = asyncio.ensure_future(flow)
        try:
            await self._flow
        except asyncio.CancelledError:
            self.errors.append(Interrupted("the run was interrupted", remedy="the evidence so far is in the report"))
        except Exception as error:
            self.note(error)

    def interrupt(self) -> None:
        """Ends the flow at its next wait; the ending follows. Harmless once that has begun."""
        if self._flow is not None and not self._flow.done():
            self._progress("interrupted: taking everything down, then writing the report")
            self._flow.cancel()
        else:
            self._progress("already taking everything down")

    async def finally_(self, step: Callable[[], Awaitable[None]]) -> None:
        """Runs a step of the ending; what it raises is noted and does not stop the next."""
        try:
            await step()
        except Exception as error:
            self.note(error)

    def note(self, error: Exception) -> None:
        """Keeps an error for the report; one that is no ``RehearsalError`` is a mistake of ours, and says so."""
        if not isinstance(error, RehearsalError):
            traceback.print_exception(error)
            error = RehearsalError(
                f"internal error: {error!r}", remedy="please keep the report's folder and tell the maintainers"
            )
        self.errors.append(error)
