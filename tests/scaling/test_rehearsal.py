"""A whole run of scaling from its facts and rows: what is judged, what is not, what the page shows and compares."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.base.ticks import NS
from harness.model.evidence import EventRow, Outcome, RequestRow, Row, SampleRow
from harness.model.judgement import Judgement, Verdict
from harness.model.parts import PartRun
from harness.model.section import Lines, Pairs, Timeline
from harness.model.stack import Capability, EnvironmentKind
from harness.rehearsals.scaling.rehearsal import COLD_START, REHEARSAL
from harness.rehearsals.scaling.types import (
    Drained,
    Loaded,
    Manual,
    ScalingDetails,
    ScalingPart,
    ScalingPartKind,
    ScalingPlan,
    ZoneLost,
)
from harness.run.result import judged
from harness.run.result import sections as sections_of
from tests.rehearsal.drawn import drawn
from tests.rehearsal.made import by_id, seen
from tests.scaling.test_judge import by_hand, endpoints, pod, resize
from tests.scaling.test_zones import request

HPA = ScalingPart(
    name="hpa", kind=ScalingPartKind.HPA, title="HPA", low=2, high=4, load_s=200, up_within_s=180, down_after_s=285,
    down_within_s=390, needs=(Capability.AUTOSCALING,),
    claims=("scaling.time.hpa_up", "scaling.hpa.cpu", "scaling.time.hpa_down", "scaling.hpa.down_to_2"),
)  # fmt: skip
BY_HAND = ScalingPart(
    name="manual", kind=ScalingPartKind.MANUAL, title="By hand", low=2, high=4, up_within_s=45, down_within_s=15,
    claims=("scaling.time.manual_up", "scaling.time.manual_down"),
)  # fmt: skip
PLAN = ScalingPlan(name="scaling", title="Scaling", parts=(BY_HAND, HPA))


def later(rows: list[EventRow], by_s: int) -> list[EventRow]:
    return [msgspec.structs.replace(row, at_ns=row.at_ns + by_s * NS) for row in rows]


def course() -> list[Row]:
    """By hand from 0 s to 120 s; under load from 1,000 s to 1,200 s."""
    wished = SampleRow(at_ns=1199 * NS, metric="metric_replicas", subject="cpu", value=4.0)
    cpu = "cpu resource utilization (percentage of request) above target"
    up = [endpoints(-1, 2), resize(30, 4, cpu), pod(30, "d", "Pending"), pod(40, "d", "Ready"), endpoints(40, 3)]
    up += [endpoints(41, 4)]
    down = [resize(500, 2, "All metrics below target"), endpoints(510, 2)]
    return [*by_hand(30, 112), *later([*up, *down], 1000), wished]


def details() -> ScalingDetails:
    return ScalingDetails(
        cpu_factor=0.5,
        runs={
            "manual": PartRun(start_ns=-10 * NS, end_ns=120 * NS),
            "hpa": PartRun(start_ns=990 * NS, end_ns=1600 * NS),
        },
        did={"manual": Manual(up_ns=0, down_ns=100 * NS), "hpa": Loaded(load_ns=1000 * NS, end_ns=1200 * NS)},
    )


def found(facts: ScalingDetails, rows: list[Row] | None = None) -> tuple[Judgement, ...]:
    return judged(REHEARSAL, PLAN, seen(facts, course() if rows is None else rows, rung=EnvironmentKind.LOCAL))


def test_every_claim_of_every_part_is_judged() -> None:
    assert {each.key: each.verdict for each in found(details())} == dict.fromkeys(
        [*((part.name, claim) for part in PLAN.parts for claim in part.claims), ("hpa", COLD_START)], Verdict.PASS
    )


def test_a_part_is_judged_by_what_was_seen_while_it_ran() -> None:
    """Pods that die in a later part make no scaling of an earlier one wrong."""
    died = later([pod(0, name, "Gone") for name in "cd"], 1300)
    assert by_id(found(details(), [*course(), *died]), "manual")["scaling.time.manual_down"].verdict is Verdict.PASS
    early = later([pod(0, name, "Gone") for name in "cd"], 119)
    assert by_id(found(details(), [*course(), *early]), "manual")["scaling.time.manual_down"].verdict is Verdict.FAIL


def test_a_part_that_broke_off_is_inconclusive_and_one_that_lacks_something_gates_nothing() -> None:
    facts = details()
    facts.runs["manual"].end_ns = None
    del facts.runs["hpa"]
    judgements = judged(REHEARSAL, PLAN, seen(facts, course(), capabilities=(Capability.REAL_PROCESSES,)))
    assert {each.verdict for each in judgements if each.part == "manual"} == {Verdict.INCONCLUSIVE}
    lacking = [each for each in judgements if each.part == "hpa"]
    assert len(lacking) == 5 and {(each.verdict, each.gates) for each in lacking} == {(Verdict.NOT_EXERCISED, False)}
    assert {each.reason for each in lacking} == {"the environment lacks autoscaling"}


def test_details_come_back_from_the_result_as_they_were() -> None:
    facts = details()
    facts.did["drain"] = Drained(since_ns=1, until_ns=2, least=1, granted=2, refused=3, took_s=4.5)
    assert msgspec.json.decode(msgspec.json.encode(facts), type=ScalingDetails) == facts


def test_the_page_shows_pods_over_time_with_the_load_and_the_decisions() -> None:
    left = seen(details(), course(), rung=EnvironmentKind.LOCAL)
    sections = list(REHEARSAL.sections(PLAN, left))
    [pairs] = [each for each in sections if isinstance(each, Pairs)]
    assert pairs.pairs[0][1] == "0.50"
    by_hand, loaded, moments = (each for each in sections if isinstance(each, Timeline))
    assert (by_hand.part, loaded.part, moments.part) == ("manual", "hpa", "")
    assert (loaded.begin, loaded.seconds) == (-10, 600)
    (manual,), (hpa,) = by_hand.charts, loaded.charts
    assert not manual.bands
    ready, decided = hpa.series
    assert [(point.x, point.y) for point in ready.points] == [(-10, 2), (-1, 2), (40, 3), (41, 4), (510, 2), (600, 2)]
    assert [(point.x, point.y) for point in decided.points] == [(30, 4), (500, 2)]
    assert "cpu resource" in str(decided.points[0].note)
    assert [(band.start, band.end) for band in hpa.bands] == [(0, 200)]
    assert [mark.subject for mark in moments.marks] == ["service"] and moments.seconds == 1510


def test_the_metrics_recommendations_are_read_from_the_samples_of_local() -> None:
    """Stabilisation counts from the last recommendation of the most, which the rung tells."""
    asked = SampleRow(at_ns=1150 * NS, metric="metric_replicas", subject="hpa", value=4.0)
    left = seen(details(), [*course()[:-1], asked], rung=EnvironmentKind.LOCAL)
    down = by_id(judged(REHEARSAL, PLAN, left), "hpa")["scaling.time.hpa_down"]
    assert down.value == 350 and "50 s before the end of load" in down.reason


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_page_has_every_claim_and_the_pods_over_time(tmp_path: Path, lang: str) -> None:
    page = drawn(REHEARSAL, PLAN, seen(details(), course(), rung=EnvironmentKind.LOCAL), tmp_path, lang)
    assert page.count("<svg") >= 2 and "<script" not in page
    assert all(claim.rpartition(".")[2] in page for part in PLAN.parts for claim in part.claims)


DRAIN = ScalingPart(
    name="drain", kind=ScalingPartKind.DRAIN, title="A drain", claims=("manifest.pdb",), rate_per_s=5, load_s=10
)
ZONE = ScalingPart(
    name="zone", kind=ScalingPartKind.ZONE, title="A zone", claims=("requirements.multi_zone",), rate_per_s=5, load_s=60
)
COSTLY = ScalingPlan(name="zone_loss", title="Costs", parts=(DRAIN, ZONE))


def costing() -> ScalingDetails:
    """A drain from 10 s to 40 s, a zone that was lost at 120 s, of a part that ended at 200 s."""
    return ScalingDetails(
        runs={"drain": PartRun(start_ns=0, end_ns=50 * NS), "zone": PartRun(start_ns=90 * NS, end_ns=210 * NS)},
        did={
            "drain": Drained(since_ns=10 * NS, until_ns=40 * NS, least=1, granted=2, refused=1, took_s=28.0),
            "zone": ZoneLost(zone="a", lost_ns=120 * NS, end_ns=200 * NS, spread=False),
        },
    )


def told(facts: ScalingDetails, rows: list[RequestRow]) -> dict[str, str]:
    """What each part cost, as the page says it."""
    sections = sections_of(REHEARSAL, COSTLY, seen(facts, rows))
    costs = [each for each in sections if isinstance(each, Lines) and "cost of the month" in str(each.title)]
    return {each.part: str(each.lines[0]) for each in costs}


def test_a_drain_and_the_loss_of_a_zone_say_what_they_cost_by_requests() -> None:
    """Of the requests that were due the while; those before and behind are another's."""
    bad = {5, *range(130, 142)}
    rows = [request(at_s, Outcome.TIMEOUT if at_s in bad else Outcome.OK) for at_s in (*range(40), *range(100, 160))]
    assert told(costing(), rows) == {
        "drain": "the drain: all of 30 requests of users were answered well: nothing of the month's 43.2 minutes",
        # 12 of the 40 from 120 s on, over the 39 s until the last.
        "zone": "the loss of the zone a: 12 of 40 requests of users failed, as an outage of 11.7 s: 0.45 % of the month's "
        "43.2 minutes; it may happen 221 times a month, and nothing else",
    }


def test_without_a_request_the_cost_is_not_known_and_of_a_part_that_broke_off_none_is_told() -> None:
    facts = costing()
    facts.runs["zone"].end_ns = None
    assert told(facts, []) == {
        "drain": "the drain: no request was made: what it cost of the month's availability is not known"
    }
