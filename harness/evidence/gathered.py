"""The evidence of a run, gathered: what a judge reads, the same while the run is under way and from its folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.evidence.read import read_rows
from harness.judge.flag_log import FlagLog
from harness.judge.ledger import Ledger
from harness.judge.writes import Writes
from harness.model.evidence import EventRow, ProbeRow, RequestRow, Row, SampleRow

EVIDENCE = "evidence.sqlite"


class Gathered:
    """Rows in the order in which they arrived, and the views on them that the judges use."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.writes = Writes()
        self.flag = FlagLog()
        self.rows: list[Row] = []
        self.events: list[EventRow] = []
        self.requests: list[RequestRow] = []
        self.probes: list[ProbeRow] = []
        self.samples: list[SampleRow] = []

    def see(self, rows: Iterable[Row]) -> None:
        """Takes ``rows`` into every view."""
        for row in rows:
            self.rows.append(row)
            self.ledger.add(row)
            self.writes.add(row)
            self.flag.add(row)
            if isinstance(row, EventRow):
                self.events.append(row)
            elif isinstance(row, ProbeRow):
                self.probes.append(row)
            elif isinstance(row, RequestRow):
                self.requests.append(row)
            elif isinstance(row, SampleRow):
                self.samples.append(row)


def stored(folder: Path) -> Gathered:
    """The evidence that lies in a run's folder; empty where the rehearsal keeps none. Raises ``BadInput`` when it is
    broken."""
    gathered = Gathered()
    if (folder / EVIDENCE).is_file():
        gathered.see(read_rows(folder / EVIDENCE, appended=True))
    return gathered
