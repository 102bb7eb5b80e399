"""What the stack tells of itself: events and samples in order, for any number of readers, bounded."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any

from harness.base.clock import Clock
from harness.base.errors import RehearsalError, of_full_disk
from harness.model.evidence import MEASUREMENT_ERROR, EventRow, SampleRow, happened
from harness.model.message import Message, Told, message

KEPT_ROWS = 50_000  # a reader that falls behind by more loses the oldest, and is told


def endpoints_told(pods: Sequence[str]) -> Message:
    """The pods behind the service, as an event says them."""
    return message("endpoints: {pods}", pods=", ".join(pods)) if pods else message("endpoints: none")


class Feed:
    """Rows from the stack's first moment on; a reader that comes late sees them all."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: deque[EventRow | SampleRow] = deque(maxlen=KEPT_ROWS)
        self._published = 0
        self._news = asyncio.Event()
        self._closed = False
        self.error: RehearsalError | None = None

    def event(self, kind: str, subject: str, message: str | Message | Told, **data: Any) -> None:
        """Publishes an event that happened now."""
        self.publish(happened(self._clock.now_ns(), kind, subject, message, data))

    def publish(self, row: EventRow | SampleRow) -> None:
        """Appends a row and wakes the readers."""
        self._rows.append(row)
        self._published += 1
        self._wake()

    def fail(self, error: RehearsalError) -> None:
        """Readers get ``error`` after the rows before it. The first error stands."""
        self.error = self.error or error
        self._wake()

    def fail_with(self, error: BaseException) -> None:
        """``fail`` for an error of any kind. One that is not ours, nor of a full disk, is said to be an error of the
        harness."""
        if isinstance(error, RehearsalError):
            self.fail(error)
        elif (full := of_full_disk(error)) is not None:
            self.fail(full)
        else:
            self.fail(
                RehearsalError(
                    message("the stack failed inside: {error}", error=repr(error)), remedy="please report this"
                )
            )

    def close(self) -> None:
        """Readers end after the last row."""
        self._closed = True
        self._wake()

    async def follow(self) -> AsyncIterator[EventRow | SampleRow]:
        """All rows, as they come. Raises the error given to ``fail``."""
        seen = 0
        while True:
            news = self._news
            while seen < self._published:
                first = self._published - len(self._rows)
                if seen < first:
                    yield self._lost(first - seen)
                    seen = first
                    continue
                row = self._rows[seen - first]
                seen += 1
                yield row
            if news is not self._news:
                continue
            if self.error is not None:
                raise self.error
            if self._closed:
                return
            await news.wait()

    def _lost(self, count: int) -> EventRow:
        said = message("{count} rows of the stack's own were lost before they were read", count=f"{count:,}")
        return happened(self._clock.now_ns(), MEASUREMENT_ERROR, "stack", said, {})

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
