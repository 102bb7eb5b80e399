"""Gathers the growing evidence of a run: spools and the stack's own rows, into the store and the judge's ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harness.base.clock import NS, Clock, ClockSteps
from harness.base.errors import EvidenceNeverWritten, EvidenceNotRead, EvidenceNotWritten, MeasurementFailed
from harness.evidence.gathered import Gathered
from harness.evidence.spool import SpoolReader
from harness.evidence.store import EvidenceStore
from harness.model.evidence import MEASUREMENT_ERROR, Due, Row, happened
from harness.model.message import Message, Told, joined, message, of_error
from harness.rules.finding import error_words

LOOK_EVERY_S = 0.1  # for the last answers of a window


class Collector(Gathered):
    """The one writer of a run's evidence. ``gather`` reads every spool once; cheap enough to call twice a second."""

    def __init__(self, store: EvidenceStore, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._steps = ClockSteps(clock)
        self.store = store
        self._readers: list[SpoolReader] = []
        self._told: list[SpoolReader] = []
        self._refused: list[Sequence[Row]] = []

    def follow(self, spools: Iterable[Path]) -> None:
        """Reads these spools from now on."""
        self._readers += [SpoolReader(path) for path in spools]

    def add(self, rows: Iterable[Row]) -> None:
        """Appends ``rows`` to the evidence, behind whatever was refused before. Raises ``EvidenceNotWritten`` while
        the disk refuses, and keeps all that waits for the next call: there may be room again. Rows that no disk takes
        are dropped, and ``EvidenceNeverWritten`` is raised for them once."""
        self._refused.append([*rows])
        while self._refused:
            try:
                self.store.append(self._refused[0])
            except EvidenceNeverWritten:
                del self._refused[0]
                raise
            self.see(self._refused.pop(0))

    def event(self, at_ns: int, kind: str, subject: str, said: str | Message | Told, **data: Any) -> None:
        """Appends an event of the run itself."""
        self.add([happened(at_ns, kind, subject, said, data)])

    def gather(self, *, last: bool = False) -> None:
        """Reads what the spools have gained, each whatever became of the others, and looks at the clocks. ``last``:
        their writers have ended, and a last line that was cut is lost, too. Raises ``EvidenceNotWritten`` where the
        disk refuses, else ``EvidenceNotRead`` for rows that are lost, naming every spool that lost some; each is told.
        """
        failed: list[EvidenceNotWritten | EvidenceNotRead] = []
        reads: list[Callable[[], None]] = [partial(self._read, each, last=last) for each in self._readers]
        for read in (self._look_at_clocks, *reads):
            try:
                read()
            except (EvidenceNotWritten, EvidenceNotRead) as error:
                failed.append(error)
        if refused := [error for error in failed if isinstance(error, EvidenceNotWritten)]:
            raise refused[0]
        if failed:
            where = ", ".join(error.where for error in failed)
            raise EvidenceNotRead(joined([*map(of_error, failed)]), where=where, remedy=failed[0].given[2])

    def _read(self, reader: SpoolReader, *, last: bool) -> None:
        """What is lost is an error of the measurement in the evidence itself: a stored run is judged with it."""
        rows: list[Row] = []
        try:
            rows = reader.read()
            if last:
                reader.end()
        except EvidenceNotRead as error:
            if reader not in self._told:
                self._told.append(reader)
                said = message("{spool}: {what}", spool=reader.path.name, what=of_error(error))
                self.event(self._clock.now_ns(), MEASUREMENT_ERROR, reader.path.stem, said)
            raise
        finally:
            self.add(rows)

    def _look_at_clocks(self) -> None:
        if (step_ns := self._steps.step_ns()) is not None:
            by = f"{step_ns / NS:+.1f}"
            said = message("the wall clock stepped by {seconds} s: it was set, or the machine slept", seconds=by)
            self.event(self._clock.now_ns(), MEASUREMENT_ERROR, "clock", said, step_ns=step_ns)

    async def last_answers(self, due: Iterable[Due], end_ns: int, patience_s: float) -> None:
        """Gathers until every call of ``due`` is in, or since ``end_ns`` none has come for ``patience_s``.

        Each ends within its timeout once it is sent, so that nothing is in flight any more then.
        """
        self.gather()
        last_ns, left = end_ns, [each.id for each in due if each.id not in self.ledger.calls]
        while left and self._clock.now_ns() < last_ns + round(patience_s * NS):
            await self._clock.sleep(LOOK_EVERY_S)
            self.gather()
            before, left = left, [each for each in left if each not in self.ledger.calls]
            if len(left) < len(before):
                last_ns = max(end_ns, self._clock.now_ns())

    def failures(self) -> list[MeasurementFailed]:
        """The errors of the measurement so far, for evidence kept apart, which no judge reads as a week's does."""
        errors = self.ledger.measurement_errors
        return [MeasurementFailed(error_words([each]), where="evidence.sqlite") for each in errors]
