"""The evidence of a run, gathered: what a judge reads, the same while the run is under way and from its folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count, takewhile
from pathlib import Path

from harness.base.errors import BadInput
from harness.evidence.read import read_meta, read_rows, summed
from harness.model.evidence import MEASUREMENT_ERROR, EventRow, ProbeRow, RequestRow, Row, SampleRow, happened
from harness.model.message import Message, message, of_error
from harness.rules.flag_log import FlagLog
from harness.rules.ledger import Ledger
from harness.rules.writes import Writes

EVIDENCE = "evidence.sqlite"


class Gathered:
    """Rows in the order in which they arrived, and the views on them that the judges use.

    ``rows`` are all of them; of a request or a probe that comes again the views have the first, as the ledger has.
    """

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
            if not self.ledger.add(row):
                continue
            self.flag.add(row)
            self.writes.add(row)
            if isinstance(row, EventRow):
                self.events.append(row)
            elif isinstance(row, ProbeRow):
                self.probes.append(row)
            elif isinstance(row, RequestRow):
                self.requests.append(row)
            elif isinstance(row, SampleRow):
                self.samples.append(row)

    def lacks(self, said: Message) -> None:
        """Something that the run had left is lost, and nobody knows what it said: an error of the measurement, of no
        moment, behind all that is there."""
        self.see([happened(0, MEASUREMENT_ERROR, "evidence", said, {})])


def files(folder: Path) -> Iterator[Path]:
    """Where a run's evidence may lie: a file for each time that a sequence is resumed, whose own evidence is then anew,
    for what it rests on are its runs and details. Endless."""
    return (folder / (EVIDENCE if number == 1 else f"evidence-{number}.sqlite") for number in count(1))


def last_file(folder: Path) -> Path:
    """The one by which the run was judged at its end, which need not be there."""
    return [folder / EVIDENCE, *takewhile(Path.is_file, files(folder))][-1]


def stored(folder: Path, digest: str = "") -> Gathered:
    """The evidence that lies in a run's folder; ``digest`` is that of its result, "" of one that has none. Rows that
    are not those that the run wrote are an error of the measurement: nobody knows what they said. Raises ``BadInput``
    when it is broken.
    """
    gathered, path = Gathered(), last_file(folder)
    if not path.is_file():
        gathered.lacks(message("the run's {file} is not there", file=path.name))
        return gathered
    gathered.see(read_rows(path))
    if (lost := lost_rows(path, digest)) is not None:
        gathered.lacks(lost)
    return gathered


def lost_rows(path: Path, digest: str = "") -> Message | None:
    """That the run wrote rows which the evidence file has not any more, or not by that ``digest``; ``None`` where it
    has all. Raises ``BadInput`` when it is broken."""
    wrote, held, found = summed(path)
    if wrote != held:
        counts = {"wrote": f"{wrote:,}", "held": f"{held:,}"}
        return message("the run wrote {wrote} rows of evidence, and {held} are there", **counts)
    if digest in ("", found):
        return None
    return message("the rows of evidence are not those that the run wrote: their digest is another than in result.json")


def not_whole(folder: Path, run_id: str, digest: str = "") -> Message | None:
    """Why the run of that id in ``folder`` cannot be judged again by all that it wrote: its evidence is gone, broken,
    another run's, has lost rows, or has others than those of the result's ``digest``. ``None`` where it can. What its
    rows say is not looked at."""
    path = last_file(folder)
    if not path.is_file():
        return message("the run's {file} is not there", file=path.name)
    try:
        other = read_meta(path).get("run_id", "")
        whole = other == run_id
        return lost_rows(path, digest) if whole else message("the evidence is of the run {other}", other=other)
    except BadInput as error:
        return of_error(error)
