"""Where to look for the cause of a roll back or a hold: from the evidence alone, and honest about what it lacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from harness.checks.cause import MOST, cause
from harness.evidence.failure import LOG_LINE
from harness.evidence.store import Gathered
from harness.model.evidence import EventRow, Row
from harness.model.message import message
from harness.model.section import Table
from harness.run.rehearsal import RunRecord
from tests.corpus import today

WHAT, SAID = 0, 2
NONE = "nothing was seen"


def left(run: str, *added: Row, kept: Iterable[Row] | None = None) -> RunRecord[Any]:
    """What a run of the corpus left, with rows ``added``; ``kept`` are its rows instead."""
    evidence = Gathered()
    evidence.see([*(today.left(run).seen.evidence.rows if kept is None else kept), *added])
    return replace(today.left(run).seen, evidence=evidence, judgements=today.result(run).judgements)


def of(seen: RunRecord[Any]) -> Iterator[Table]:
    return cause(seen.evidence, seen.judgements, seen.facts.anchor, ended=seen.ended)


def told(seen: RunRecord[Any]) -> list[tuple[str, str]]:
    (table,) = of(seen)
    return [(str(row.cells[WHAT]), str(row.cells[SAID])) for row in table.rows]


def test_a_roll_back_names_the_limit_the_first_failure_what_changed_and_the_fault() -> None:
    found = told(left("week3_roll_back"))
    assert found[0] == ("rollback limit that fired", "rollback.availability")
    assert found[1] == ("first failed request or probe", "probe GET: server error, status 500, pod –")
    assert found[2] == ("failed requests and probes", "280 of 2336 to the API, over the whole run")
    assert ("changed before", "use_go_backend: published version 1: on for 250 of 500 users") in found
    assert ("fault", "errors: injected: errors on 12 % of requests") in found
    assert not any("for nobody" in said for _, said in found), "the switch back came after the first failure"
    assert found[-2:] == [
        ("pod", NONE),
        ("log line", f"{NONE}: the evidence has no line of a log around the first failure"),
    ]


def test_a_hold_names_what_holds_it_and_says_that_no_fault_was_seen() -> None:
    found = told(left("week1_virtual_hold"))
    assert found[0] == ("what holds the run", "success.error_ratio")
    assert found[1][0] == "first failed request or probe" and "status 500" in found[1][1]
    assert ("fault", NONE) in found


def test_the_page_of_the_stored_run_has_it_above_what_was_judged() -> None:
    for run in ("week3_roll_back", "week1_virtual_hold", "load_stages_passes"):
        first, *others = today.result(run).sections
        assert isinstance(first, Table) and first.first
        assert [first] == [*of(left(run))], "judged again from its folder it is the same"
        assert not any(isinstance(each, Table) and each.first for each in others)


@pytest.mark.parametrize("run", ["week2_virtual_advance", "week1_virtual_broke", "rollout_hold", "chaos_passes"])
def test_a_run_that_advances_that_broke_or_that_keeps_no_rows_has_none(run: str) -> None:
    assert [*of(left(run))] == []


def test_where_evidence_is_missing_nothing_was_seen_is_said_of_each() -> None:
    lost = Gathered()
    lost.lacks(message("the run's {file} is not there", file="evidence.sqlite"))
    found = told(left("week3_roll_back", kept=lost.rows))
    assert found[1:] == [
        ("first failed request or probe", "none was seen: no request to the API and no probe failed"),
        ("changed before", NONE),
        ("fault", NONE),
        ("pod", NONE),
        ("log line", f"{NONE}: the evidence has no line of a log around the first failure"),
    ]


def test_what_befell_pods_and_the_log_lines_are_shown_and_bounded() -> None:
    first_ns = today.left("week3_roll_back").seen.evidence.probes[0].due_ns
    killed = [
        EventRow(at_ns=first_ns + n, kind="pod", subject=f"pod-{n}", message="api: killed: out of memory")
        for n in range(MOST + 3)
    ]
    up = EventRow(at_ns=first_ns, kind="pod", subject="pod-x", message="api: readiness probe passes")
    line = EventRow(at_ns=first_ns, kind=LOG_LINE, subject="pod-0.log", message='{"severity":"ERROR"}')
    seen = left("week3_roll_back", *killed, up, line)
    found = told(seen)
    assert ("pod", "pod-0: api: killed: out of memory") in found
    assert ("pod", "3 more are in the evidence") in found
    assert not any("pod-x" in said for _, said in found)
    assert found[-1] == ("pod-0.log", '{"severity":"ERROR"}')
    (table,) = of(seen)
    assert table.rows[-1].link == "logs/pod-0.log"
