"""What the page of a conformance run shows besides its checks. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.contract.sections import not_covered
from harness.model.message import Message, message
from harness.model.section import Cell, Lines, Pairs, Section
from harness.rehearsals.conformance.checks import NOT_COVERED
from harness.rehearsals.conformance.types import ConformanceDetails


def sections(details: ConformanceDetails) -> Iterator[Section]:
    """The target as it was run, the requests that show a deviation, and what no check here can tell."""
    facts = tuple(_facts(details))
    if facts:
        yield Pairs(pairs=facts)
    yield not_covered(NOT_COVERED)
    lacking = [extra for extra in details.extras if not extra.offered]
    if lacking:
        yield Lines(
            title=message("Not offered"),
            lines=tuple(
                message("{extra} (beyond the contract): {without}", extra=each.name, without=Message(text=each.without))
                for each in lacking
            ),
        )


def _facts(details: ConformanceDetails) -> Iterator[tuple[Message, Cell]]:
    if details.target is not None:
        command = " ".join(details.target.command)
        yield message("Command"), f"{command} ({details.target.folder})"
    if details.fuzz is not None:
        yield message("Fuzzed"), str(details.fuzz)
