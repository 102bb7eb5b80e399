"""Gathers the growing evidence of a run: spools and the stack's own rows, into the store and the judge's ledger."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.checks.flag_log import FlagLog
from harness.checks.writes import Writes
from harness.evidence.spool import SpoolReader
from harness.evidence.store import EvidenceStore
from harness.judge.ledger import Ledger
from harness.model.due import Due, probe_call
from harness.model.evidence import EventRow, ProbeRow, RequestRow, Row, happened
from harness.model.message import Message, Told


class Collector:
    """The one writer of a run's evidence. ``gather`` reads every spool once; cheap enough to call twice a second."""

    def __init__(self, store: EvidenceStore, ledger: Ledger) -> None:
        self.store = store
        self.ledger = ledger
        self.writes = Writes()
        self.flag = FlagLog()
        self.events: list[EventRow] = []
        self.requests: list[RequestRow] = []
        self.probes: list[ProbeRow] = []
        self._readers: list[SpoolReader] = []
        #: The ids of the calls that are still awaited, see ``expect``.
        self.awaited: set[str] = set()

    def follow(self, spools: Iterable[Path]) -> None:
        """Reads these spools from now on."""
        self._readers += [SpoolReader(path) for path in spools]

    def expect(self, due: Iterable[Due]) -> None:
        """Awaits these calls, to know when the last answer is in."""
        self.awaited |= {each.id for each in due}

    def add(self, rows: Iterable[Row]) -> None:
        """Appends ``rows`` to the evidence. Raises ``EvidenceNotWritten``."""
        rows = list(rows)
        self.store.append(rows)
        for row in rows:
            self.ledger.add(row)
            self.writes.add(row)
            self.flag.add(row)
            if isinstance(row, EventRow):
                self.events.append(row)
            elif isinstance(row, ProbeRow):
                self.probes.append(row)
                self.awaited.discard(probe_call(row.probe_id))
            elif isinstance(row, RequestRow):
                self.requests.append(row)
                self.awaited.discard(row.operation_id)

    def event(self, at_ns: int, kind: str, subject: str, message: str | Message | Told, **data: Any) -> None:
        """Appends an event of the run itself."""
        self.add([happened(at_ns, kind, subject, message, data)])

    def gather(self) -> None:
        """Reads what the spools have gained."""
        for reader in self._readers:
            self.add(reader.read())
