"""What the page of a conformance run shows besides its checks. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.contract.sections import not_covered, requests
from harness.judge.difference import Exact
from harness.model.judgement import Judgement, Kind
from harness.model.message import Message, message
from harness.model.section import Cell, Lines, Pairs, Section
from harness.model.verdict import Verdict
from harness.rehearsal.rehearsal import Figure
from harness.rehearsals.conformance.checks import NOT_COVERED
from harness.rehearsals.conformance.types import ConformanceDetails


def sections(details: ConformanceDetails) -> Iterator[Section]:
    """The target as it was run, the requests that show a deviation, and what no check here can tell."""
    facts = tuple(_facts(details))
    if facts:
        yield Pairs(pairs=facts)
    yield from requests(details.checks)
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


def figures(judgements: Sequence[Judgement]) -> Iterator[Figure]:
    """How many checks ended how."""
    advice = sum(each.kind is Kind.OBSERVATION for each in judgements)
    count = {
        verdict: sum(each.verdict is verdict and each.kind is Kind.CRITERION for each in judgements)
        for verdict in Verdict
    }
    yield Figure("checks passed", "checks", "better", Exact(count[Verdict.PASS]), gates=True)
    yield Figure("checks that deviate", "checks", "worse", Exact(count[Verdict.FAIL]), gates=True)
    yield Figure("advice", "checks", "worse", Exact(advice))
    yield Figure("checks not exercised", "checks", "worse", Exact(count[Verdict.NOT_EXERCISED]), gates=True)
