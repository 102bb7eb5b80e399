"""What the page of a run of checks shows besides them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.contract.run import CheckRun
from harness.model.message import Message, message
from harness.model.section import Lines, Row, Section, table_of


def requests(runs: Iterable[CheckRun]) -> Iterator[Section]:
    """The requests that show a deviation, as files of the run."""
    shown = [run for run in runs if run.request_file]
    if shown:
        yield table_of(
            message("The requests as they were sent"),
            shown,
            (message("Check"), lambda run: run.id),
            (message("File"), lambda run: run.request_file),
            row=lambda run: Row(cells=(), link=run.request_file),
        )


def not_covered(sentences: Iterable[str]) -> Section:
    """What no check can tell, whatever the target."""
    return Lines(title=message("Not covered by any check"), lines=tuple(Message(text=what) for what in sentences))
