"""What the page of the load stages shows: a rate that was tried twice is one point."""

from __future__ import annotations

from harness.model.judgement import Verdict
from harness.model.section import Pairs, Point
from harness.rehearsals.load_stages.rehearsal import chart, sections_of
from harness.rehearsals.load_stages.types import StepResult
from tests.stages.made import PLAN, capacity
from tests.stages.made import tried as step


def tried(number: int, rate: float, p95: float, verdict: Verdict) -> StepResult:
    return step(rate, verdict, number=number, latency_p95_ms=p95)


def points(*steps: StepResult) -> tuple[Point, ...]:
    drawn = chart(PLAN, steps)
    assert drawn is not None
    assert drawn.x.logarithmic and drawn.y.logarithmic and [limit.at for limit in drawn.limits] == [500]
    (line,) = drawn.series
    return line.points


def test_a_rate_tried_twice_is_one_point_where_it_was_kept() -> None:
    low, twice, broken = points(
        tried(1, 20, 50, Verdict.PASS),
        tried(2, 80, 598, Verdict.FAIL),
        tried(3, 80, 231, Verdict.PASS),
        tried(4, 160, 3000, Verdict.FAIL),
        tried(5, 160, 2000, Verdict.INCONCLUSIVE),
    )
    assert twice.note == "80.0/s: p95 598 ms, fail; p95 231 ms, pass"
    assert (low.hollow, twice.hollow, broken.hollow) == (False, False, True)
    assert (low.x, twice.x, broken.x) == (20, 80, 160) and twice.y == 231
    assert broken.note == "160.0/s: p95 3000 ms, fail; p95 2000 ms, inconclusive"
    (alone,) = points(tried(1, 80, 231, Verdict.PASS))
    assert alone.note == "80.0/s: p95 231 ms, pass"


def test_the_documents_rate_is_no_part_of_the_search() -> None:
    assert chart(PLAN, (capacity(),)) is None
    assert len(points(capacity(), tried(1, 20, 50, Verdict.PASS))) == 1


def test_the_limits_stand_at_the_head_and_the_factor_with_what_differs_from_production() -> None:
    head, factor = (each for each in sections_of(PLAN, [], 0.25) if isinstance(each, Pairs))
    assert [str(value) for _, value in head.pairs] == ["p95 below 500 ms, errors below 1 %"]
    assert ([value for _, value in factor.pairs], head.differs, factor.differs) == (["0.250"], False, True)
