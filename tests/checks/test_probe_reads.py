"""Canaries put the same walk again and again: an old answer is known by the ``updated_at`` of a PUT replaced since."""

from __future__ import annotations

import msgspec
import pytest

from harness.checks.read_facts import canary_body, reads_result
from harness.checks.reads import ReadFlaw, Reads, probe_reads
from harness.load.population.content import fingerprint, updated
from harness.load.population.schedule import canaries
from harness.model.evidence import Outcome, ProbeRow
from harness.model.judgement import Verdict
from harness.model.scenario import ProbePlan
from harness.model.shown import Shown, ShownWalk, text
from tests.checks.sending import ANCHOR, SEED

MS = 1_000_000
CANARY = canaries(ProbePlan(), SEED)[0]
USER = CANARY.account.user
SAID = updated(canary_body(CANARY, ANCHOR))
CONTENT = fingerprint(SAID)


def probe(
    number: int, version: str = "", *, content: str = CONTENT, locations: int | None = None, took_ms: int = 5
) -> ProbeRow:
    """Odd numbers are GETs; one a tenth of a second. Without a version there was no answer."""
    get = number % 2 == 1
    sent_ns = number * 100 * MS
    shown = text(Shown((ShownWalk(CANARY.walk_id, content, locations if not get else locations or 0, version),)))
    return ProbeRow(
        probe_id=number,
        user=USER,
        method="GET" if get else "PUT",
        due_ns=sent_ns,
        sent_ns=sent_ns,
        done_ns=sent_ns + took_ms * MS,
        status=200 if version else 0,
        outcome=Outcome.OK if version else Outcome.TIMEOUT,
        shown=shown if version else "",
    )


def not_found(number: int) -> ProbeRow:
    return msgspec.structs.replace(probe(number, "-"), status=404, outcome=Outcome.UNEXPECTED_4XX, shown="")


def judged(*probes: ProbeRow) -> Reads:
    found = Reads()
    probe_reads(probes, {USER: SAID}, found)
    return found


def flaws(*probes: ProbeRow) -> list[tuple[str, ReadFlaw]]:
    return [(wrong.read, wrong.flaw) for wrong in judged(*probes).wrong]


def test_what_was_put_last_is_right() -> None:
    found = judged(probe(0, "a"), probe(1, "a"), probe(2, "b"), probe(3, "b"), probe(4, "c"), probe(5, "c"))
    assert (found.probes, found.bound, found.unread, found.wrong) == (6, 3, 0, [])


@pytest.mark.parametrize("versions", [("1", "2"), ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z")])
def test_an_old_walk_is_found_whatever_the_servers_clock_says(versions: tuple[str, str]) -> None:
    first, second = versions
    rows = [probe(0, first), probe(1, first), probe(2, second), probe(3, first)]
    assert flaws(*rows) == [(f"probe 3 (GET of {USER})", ReadFlaw.OLD)]
    assert flaws(*reversed(rows), rows[1]) == flaws(*rows)


def test_a_put_that_is_under_way_or_was_not_answered_may_be_shown_or_not() -> None:
    slow = probe(2, "b", took_ms=500)
    assert flaws(probe(0, "a"), slow, probe(3, "a"), probe(5, "b"), probe(7, "b")) == []
    assert flaws(probe(0, "a"), slow, probe(9, "a")) == [(f"probe 9 (GET of {USER})", ReadFlaw.OLD)]
    assert flaws(probe(0, "a"), probe(2), probe(3, "a"), probe(5, "unknown"), probe(7, "a")) == []


def test_puts_under_way_at_once_may_take_effect_in_either_order() -> None:
    both = (probe(0, "a", took_ms=400), probe(2, "b", took_ms=100))
    assert flaws(*both, probe(5, "a")) == flaws(*both, probe(5, "b")) == []


def test_times_too_coarse_to_tell_puts_apart_accuse_nobody() -> None:
    assert flaws(probe(0, "a"), probe(2, "a"), probe(3, "a"), probe(4, "b"), probe(5, "b")) == []


def test_a_get_that_shows_what_no_put_was_answered_with_has_not_been_compared() -> None:
    """A target that answers a PUT by its own clock and a GET by the database's: an old page at each GET looks alike."""
    rows = [probe(number, f"the target's {number}") for number in range(0, 20, 2)]
    rows += [probe(number, "the database's first") for number in range(1, 20, 2)]
    found = judged(*rows)
    assert (found.probes, found.bound, found.undated, found.wrong) == (20, 1, 9, [])  # the first PUT made the walk
    result = reads_result(found)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "9 of 10 probes after an acknowledged write could not be told from older ones" in result.reason
    right = judged(probe(0, "a"), probe(1, "a"), probe(2, "b"), probe(3, "other"))
    assert (right.bound, right.undated) == (1, 1) and reads_result(right).verdict is Verdict.PASS


def test_with_one_time_for_all_puts_nothing_can_be_told_but_that_the_walk_is_there() -> None:
    found = judged(*(probe(number, "always") for number in range(20)))
    assert (found.dated, found.undated, found.wrong) == (1, 9, [])
    assert reads_result(found).verdict is Verdict.INCONCLUSIVE


def test_a_time_that_no_put_was_answered_with_fits_any() -> None:
    found = judged(probe(0, "a"), probe(2), probe(3, "b"), probe(5, "d"), probe(6, "c"), probe(7, "c"), probe(9, "x"))
    assert (found.bound, found.undated, found.wrong) == (3, 1, [])


def test_a_walk_that_is_not_there_or_not_as_put_is_found() -> None:
    assert flaws(not_found(1), probe(2, "a"), not_found(3)) == [(f"probe 3 (GET of {USER})", ReadFlaw.MISSING)]
    assert flaws(probe(0, "a"), probe(1, "a", content="0" * 12)) == [(f"probe 1 (GET of {USER})", ReadFlaw.STRANGE)]
    assert flaws(probe(0, "a"), probe(1, "a", locations=3)) == [(f"probe 1 (GET of {USER})", ReadFlaw.LOCATIONS)]


def test_a_row_that_does_not_tell_what_was_shown_is_counted() -> None:
    found = judged(probe(0, "a"), msgspec.structs.replace(probe(1, "a"), shown=""))
    assert (found.probes, found.unread, found.wrong) == (1, 1, [])


def test_probes_without_a_row_are_counted() -> None:
    assert judged(probe(0, "a"), probe(1, "a"), probe(4, "b")).missing == 2
    assert judged().missing == 0


def test_others_probes_are_passed_over() -> None:
    assert judged(msgspec.structs.replace(probe(0, "a"), user="somebody")).probes == 0
