"""What the page of the load stages shows: a rate that was tried twice is one point, every step is a row."""

from __future__ import annotations

import msgspec

from harness.base.units import Unit
from harness.model.message import message
from harness.model.section import Pairs, Point
from harness.model.step import Arrivals, Step
from harness.model.verdict import Verdict
from harness.rehearsals.load_stages.judge_claims import of_knee
from harness.rehearsals.load_stages.sections import chart, sections, table
from harness.rehearsals.load_stages.types import Knee, StepResult
from tests.stages.made import FIGURES, PLAN, flight, users


def tried(number: int, rate: float, p95: float, verdict: Verdict, name: str = "knee_2_") -> StepResult:
    step = Step(name=f"{name}{number}", arrivals=Arrivals.POISSON, rate_per_s=rate, users=1000, seconds=8)
    figures = msgspec.structs.replace(FIGURES, latency_p95_ms=p95)
    return StepResult(step=step, pods=2, figures=figures, verdict=verdict, told=(message("why"),), start_ns=number)


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
    capacity = tried(0, 20, 30, Verdict.PASS, name="capacity")
    capacity = msgspec.structs.replace(capacity, step=msgspec.structs.replace(capacity.step, name="capacity"))
    assert chart(PLAN, (capacity,)) is None
    assert len(points(capacity, tried(1, 20, 50, Verdict.PASS))) == 1
    [row] = table([capacity]).rows
    assert str(row.cells[0]) == "20/s, as the document says (capacity)"


def test_every_step_is_a_row_with_its_figures_and_its_reason() -> None:
    first, second = table([users(500), flight(20, Verdict.FAIL)]).rows
    assert list(map(str, first.cells)) == [
        "500 users (users_500)", "2", "10.0", "10.0", "5", "20", "30", "0 of 600", "0.20", "0.10", "50 %",
    ]  # fmt: skip
    assert (first.verdict, list(map(str, first.lines))) == (Verdict.PASS, ["why"])
    assert (second.verdict, str(second.cells[0])) == (Verdict.FAIL, "20 in flight (in_flight_20)")


def test_the_limits_stand_at_the_head_and_the_factor_with_what_differs_from_production() -> None:
    head, factor = (each for each in sections(PLAN, [], 0.25) if isinstance(each, Pairs))
    assert [str(value) for _, value in head.pairs] == ["p95 below 500 ms, errors below 1 %"]
    assert ([value for _, value in factor.pairs], head.differs, factor.differs) == (["0.250"], False, True)


def test_a_knee_is_told_and_gates_nothing() -> None:
    knee = Knee(pods=2, rate_per_s=80, broken_per_s=88, verdict=Verdict.FAIL, told=(message("so"),), photos_per_s=2)
    found = of_knee(knee)
    assert (found.id, found.value, found.bound, found.unit, found.gates, found.holds) == (
        "knee.2.photos", 80, 88, Unit.PER_SECOND, False, False,
    )  # fmt: skip
