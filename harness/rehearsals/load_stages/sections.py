"""What the page of the load stages shows besides its judgements: the knees as a picture."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from harness.base.units import Unit
from harness.model.message import Message, message, quantity
from harness.model.section import Axis, Chart, Limit, Pairs, Point, Section, Series, Style
from harness.model.verdict import Verdict
from harness.rehearsals.load_stages.types import LoadStagesPlan, StepResult


def sections(plan: LoadStagesPlan, steps: Sequence[StepResult], knee_cpu_factor: float) -> Iterator[Section]:
    """All of the page."""
    yield Pairs(pairs=((message("Limits"), limits_words(plan)),))
    if knee_cpu_factor != 1 and plan.knee.pods:
        factor = message("CPU limits for the knees were multiplied by")
        yield Pairs(pairs=((factor, f"{knee_cpu_factor:.3f}"),), differs=True)
    found = chart(plan, steps)
    if found is not None:
        yield found


def limits_words(plan: LoadStagesPlan) -> Message:
    """What a step has to keep."""
    latency, errors = quantity(plan.p95_limit_ms, Unit.MILLISECONDS), quantity(plan.error_limit, Unit.RATIO)
    return message("p95 below {latency}, errors below {errors}", latency=latency, errors=errors)


# -- the knees -----------------------------------------------------------------------------------------------------


def chart(plan: LoadStagesPlan, steps: Sequence[StepResult]) -> Chart | None:
    """p95 against the offered rate, one line a number of pods; ``None`` when no knee was searched."""
    searched = [s for s in steps if s.step.of_search and not s.step.photos_per_s and s.figures.latency_p95_ms]
    if not searched:
        return None
    pods = sorted({each.pods for each in searched})
    return Chart(
        title=message("p95 against the offered rate"),
        x=Axis(label=message("offered requests/s"), logarithmic=True),
        y=Axis(label=message("p95 latency"), unit=Unit.MILLISECONDS, logarithmic=True),
        series=tuple(_line(count, [each for each in searched if each.pods == count]) for count in pods),
        text=(
            message(
                "p95 from when each request was due, against the rate offered. Filled: within the limits. "
                "The dashed line is the limit."
            ),
        ),
        limits=(Limit(label=message("p95 limit"), at=plan.p95_limit_ms),),
    )


def _line(pods: int, tries: Sequence[StepResult]) -> Series:
    """The rates tried with one number of pods, ascending."""
    ascending = sorted(tries, key=_rate)
    return Series(
        name=message("{pods} pods", pods=str(pods)),
        points=tuple(_point(rate, list(its)) for rate, its in itertools.groupby(ascending, key=_rate)),
        style=Style.LINE,
    )


def _point(rate: float, tries: Sequence[StepResult]) -> Point:
    """A rate lies where it was kept, else where its last try was; its note tells of each try."""
    shown = next((each for each in tries if each.verdict is Verdict.PASS), tries[-1])
    told = "; ".join(f"p95 {each.figures.latency_p95_ms:.0f} ms, {each.verdict}" for each in tries)
    return Point(
        x=rate, y=shown.figures.latency_p95_ms, note=f"{rate:.1f}/s: {told}", hollow=shown.verdict is not Verdict.PASS
    )


def _rate(result: StepResult) -> float:
    return result.step.rate_per_s
