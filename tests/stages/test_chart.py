"""The knee as a picture: a rate that was tried twice is one point."""

from __future__ import annotations

import msgspec
from harness.rehearsals.load_stages.chart import Point, chart
from harness.rehearsals.load_stages.report import html

from harness.model.step import Arrivals, Step
from harness.model.verdict import Verdict
from harness.rehearsals.load_stages.types import StepResult
from scenarios import claims
from tests.report.others import load_report
from tests.stages.test_claims import FIGURES


def tried(number: int, rate: float, p95: float, verdict: Verdict, name: str = "knee_2_") -> StepResult:
    step = Step(name=f"{name}{number}", arrivals=Arrivals.POISSON, rate_per_s=rate, users=1000, seconds=8)
    figures = msgspec.structs.replace(FIGURES, latency_p95_ms=p95)
    return StepResult(step=step, pods=2, figures=figures, verdict=verdict, reason="", start_ns=number)


def points(*steps: StepResult) -> tuple[Point, ...]:
    drawn = chart(msgspec.structs.replace(load_report(), steps=steps))
    assert drawn is not None
    (line,) = drawn.lines
    return line.points


def test_a_rate_tried_twice_is_one_point_where_it_was_kept() -> None:
    low, twice, broken = points(
        tried(1, 20, 50, Verdict.PASS),
        tried(2, 80, 598, Verdict.FAIL),
        tried(3, 80, 231, Verdict.PASS),
        tried(4, 160, 3000, Verdict.FAIL),
        tried(5, 160, 2000, Verdict.INCONCLUSIVE),
    )
    assert twice.title == "80.0/s: p95 598 ms, fail; p95 231 ms, pass"
    assert (low.kept, twice.kept, broken.kept) == (True, True, False)
    assert low.x < twice.x < broken.x
    assert broken.title == "160.0/s: p95 3000 ms, fail; p95 2000 ms, inconclusive"
    (alone,) = points(tried(1, 80, 231, Verdict.PASS))
    assert alone.title == "80.0/s: p95 231 ms, pass"


def test_the_documents_rate_is_no_part_of_the_search() -> None:
    capacity = tried(0, 20, 30, Verdict.PASS, name="capacity")
    capacity = msgspec.structs.replace(capacity, step=msgspec.structs.replace(capacity.step, name="capacity"))
    assert chart(msgspec.structs.replace(load_report(), steps=(capacity,))) is None
    assert len(points(capacity, tried(1, 20, 50, Verdict.PASS))) == 1


def test_the_page_tells_the_claim_from_what_it_says_of_this_target() -> None:
    report = load_report()
    of_go = msgspec.structs.replace(report.claims[0], claim="load.pod_capacity", verdict=Verdict.NOT_EXERCISED)
    target = msgspec.structs.replace(of_go, verdict=Verdict.PASS, of_target=True)
    capacity = tried(0, 20, 30, Verdict.PASS, name="capacity")
    step = msgspec.structs.replace(capacity.step, name="capacity")
    steps = (msgspec.structs.replace(capacity, step=step), *report.steps)
    page = html(msgspec.structs.replace(report, claims=(of_go, target), steps=steps), claims.REGISTER)
    assert "load.<wbr>pod_capacity, of this target" in page
    assert "20/s, as the document says (capacity)" in page
