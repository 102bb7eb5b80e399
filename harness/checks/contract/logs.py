"""What the pods wrote to their logs, line by line, from a moment on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from harness.base.clock import Clock, polling
from harness.base.theirs import read_json
from harness.checks.contract.reach import Absence
from harness.model.evidence import EventRow, SampleRow
from harness.model.message import message
from harness.model.stack import NEVER_RAN

LINE_LIMIT_S = 5.0
SHORT_LIMIT_S = 0.5  # once a whole wait was for nothing, and none ever was not
_BESIDE_S = 0.3  # lines of the same request that are written after its answer
_POLL_S = 0.1


class LogLine(msgspec.Struct, frozen=True):
    """A line of ``pod``'s log; ``fields`` is ``None`` when it is no JSON object."""

    pod: str
    text: str
    fields: dict[str, Any] | None


class Logs:
    """Is told of the stack's rows, to learn which ``pods`` there are, and which of them ``ran``."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self.pods: set[str] = set()
        self.ran: set[str] = set()
        self._wanted = Absence()

    def saw(self, row: EventRow | SampleRow) -> None:
        """One of the stack's rows."""
        if isinstance(row, EventRow) and row.kind == "pod":
            self.pods.add(row.subject)
            if row.data.get("state") not in NEVER_RAN:
                self.ran.add(row.subject)

    def mark(self) -> dict[str, int]:
        """Where every pod's log ends now."""
        return {pod: path.stat().st_size for pod in self.pods if (path := self._path(pod)).exists()}

    async def lines(self, since: dict[str, int], wanted: Callable[[LogLine], bool]) -> list[LogLine]:
        """The whole lines since a mark, ``_BESIDE_S`` after one of them is ``wanted``, or after ``LINE_LIMIT_S``; after
        ``SHORT_LIMIT_S`` where no wait ever found one.
        """
        limit_s = SHORT_LIMIT_S if self._wanted.reason else LINE_LIMIT_S
        again = polling(self._clock, limit_s=limit_s, every_s=_POLL_S)
        while True:
            await self._clock.sleep(0)  # the pods' names come by the loop
            found = self._since(since)
            if any(map(wanted, found)):
                self._wanted.came()
                await self._clock.sleep(_BESIDE_S)
                return self._since(since)
            if not await again():
                self._wanted.never_came(message("no line that was waited for came"))
                return found

    def _since(self, mark: dict[str, int]) -> list[LogLine]:
        return [line for pod in sorted(self.pods) for line in self._read(pod, mark.get(pod, 0))]

    def _path(self, pod: str) -> Path:
        return self._folder / f"{pod}.log"

    def _read(self, pod: str, start: int) -> list[LogLine]:
        try:
            with self._path(pod).open("rb") as file:
                file.seek(start)
                content = file.read()
        except OSError:
            return []
        whole = content[: content.rfind(b"\n") + 1].decode(errors="replace")
        return [LogLine(pod, text, read_json(text, dict[str, Any])) for text in whole.splitlines() if text.strip()]
