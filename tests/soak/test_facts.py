"""What the facts of a soak mean: a leak is told in its segment and over the whole, and a healthy soak passes."""

from __future__ import annotations

import msgspec
import pytest

from harness.model.judgement import Judgement, Verdict
from harness.model.section import Pairs
from harness.rehearsals.soak.actions import REHEARSAL
from harness.rehearsals.soak.facts import WHAT, charts
from harness.rehearsals.soak.plan import SoakDetails, SoakPlan
from tests.rehearsal.made import by_id, seen
from tests.soak.made import PLAN, details, segment

PASS, FAIL, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
UNCUT = (1, 1, 1, 1)


def judged(found: SoakDetails, part: str = "", plan: SoakPlan = PLAN) -> dict[str, Judgement]:
    return by_id(REHEARSAL.by_rules(plan, seen(found)), part)


def verdicts(found: SoakDetails, part: str = "") -> dict[str, Verdict]:
    return {name: each.verdict for name, each in judged(found, part).items()}


def test_a_steady_soak_passes_whole_and_in_each_segment() -> None:
    for stacks in (UNCUT, (1, 2, 2, 3)):
        assert verdicts(details(stacks)) == dict.fromkeys(WHAT, PASS)
        for part in PLAN.parts:
            ids = ("users.errors", "users.p95", "leak.memory.target")
            assert verdicts(details(stacks), part.name) == dict.fromkeys(ids, PASS)


@pytest.mark.parametrize("stacks", [UNCUT, (1, 2, 2, 3)])
def test_ten_megabytes_a_minute_are_told_in_the_first_segment_and_over_the_whole(stacks: tuple[int, ...]) -> None:
    """A soak that was cut begins anew with each stack: its thirds say nothing then, and the growth does."""
    leaking = details(stacks, memory_target=9.5)
    told = judged(leaking, "segment1")["leak.memory.target"]
    assert (told.verdict, told.limit) == (FAIL, 3)
    assert told.value == pytest.approx(9.5, abs=0.3)
    assert verdicts(leaking)["memory.target"] is FAIL
    assert verdicts(leaking)["memory.harness"] is PASS


@pytest.mark.parametrize("what", [each for each in WHAT if each not in {"memory.target", "disk.run"}])
def test_whatever_grows_by_half_from_one_third_to_the_next_is_told(what: str) -> None:
    grows = {what.replace(".", "_"): details().segments[0].looks[0].values[what]}
    found = verdicts(details(UNCUT, **grows))
    assert {name for name, verdict in found.items() if verdict is FAIL} == {what}


@pytest.mark.parametrize(("a_minute", "verdict"), [(1.0, PASS), (60.0, FAIL)])
def test_the_disk_is_to_last_for_a_day(a_minute: float, verdict: Verdict) -> None:
    """50,000 MiB are free: at 60 MiB a minute they last for 14 hours."""
    assert verdicts(details(UNCUT, disk_run=a_minute))["disk.run"] is verdict


@pytest.mark.parametrize(
    ("failed", "missing", "verdict"), [(0, 0, PASS), (5, 0, PASS), (30, 0, FAIL), (0, 30, OPEN), (15, 0, OPEN)]
)
def test_the_users_of_a_segment(failed: int, missing: int, verdict: Verdict) -> None:
    one = msgspec.structs.replace(segment(1, 1, 0.0, {}), failed=failed, missing=missing)
    found = verdicts(SoakDetails(segments=(one,)), "segment1")
    assert found["users.errors"] is verdict
    assert found["users.p95"] is (OPEN if missing else PASS)


def test_of_a_soak_that_was_cut_only_what_was_measured_is_judged() -> None:
    cut = details((1, 1))
    assert set(verdicts(cut, "segment2").values()) == {PASS}
    assert verdicts(cut, "segment3") == {} == verdicts(cut)
    stands = next(each for each in REHEARSAL.sections(PLAN, seen(cut)) if isinstance(each, Pairs))
    assert str(stands.pairs[0][1]) == "2 of 4 segments are measured. Continue with --resume made."


def test_what_a_stack_takes_until_it_has_settled_is_no_growth() -> None:
    """The first minute of each stack, in which this one takes 60 MiB."""
    warm = segment(1, 1, 0.0, {})
    looks = tuple(
        msgspec.structs.replace(each, values={**each.values, "memory.target": 60 + min(60.0, each.at_s)})
        for each in warm.looks
    )
    found = SoakDetails(segments=(msgspec.structs.replace(warm, looks=looks),))
    for settle_s, verdict in ((0, FAIL), (60, PASS)):
        plan = msgspec.structs.replace(PLAN, settle_s=settle_s)
        assert judged(found, "segment1", plan)["leak.memory.target"].verdict is verdict


def test_what_nobody_samples_is_not_exercised() -> None:
    """As descriptors on a cluster."""
    none = tuple(
        msgspec.structs.replace(
            each, looks=tuple(msgspec.structs.replace(look, values={"disk.free": 1.0}) for look in each.looks)
        )
        for each in details().segments
    )
    assert set(verdicts(SoakDetails(segments=none)).values()) == {Verdict.NOT_EXERCISED}


def test_each_chart_has_a_gap_where_another_stack_begins() -> None:
    drawn = [*charts(details())]
    assert len(drawn) == len(WHAT)
    assert [sum(each.y is None for each in chart.series[0].points) for chart in drawn] == [2] * len(WHAT)


@pytest.mark.parametrize(
    ("for_s", "segment_s", "count"), [(28_800, 2700, 11), (600, 180, 4), (60, 2700, 1), (5400, 2700, 2)]
)
def test_segments_are_of_one_length_and_at_most_as_long_as_asked(for_s: float, segment_s: float, count: int) -> None:
    parts = msgspec.structs.replace(PLAN, for_s=for_s, segment_s=segment_s).parts
    assert len(parts) == count
    assert {each.seconds for each in parts} == {for_s / count}
