"""What a run of the load stages says: its steps, its knees and the document's claims, from its facts and rows. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import msgspec

from harness.judge.ledger import Ledger
from harness.model.judgement import Judgement
from harness.model.message import Told, message
from harness.model.result import Facts
from harness.model.stack import Capability
from harness.model.verdict import Verdict
from harness.rehearsals.load_stages.judge_claims import judged as claims_judged
from harness.rehearsals.load_stages.judge_claims import of_knee
from harness.rehearsals.load_stages.judge_knee import Tried, knee, next_rate
from harness.rehearsals.load_stages.judge_steps import (
    Limits,
    generator_words,
    limiter_words,
    photo_words,
    result_of,
    spread_words,
)
from harness.rehearsals.load_stages.types import Knee, LoadStagesDetails, LoadStagesPlan, StepResult


def judged(plan: LoadStagesPlan, details: LoadStagesDetails, ledger: Ledger, facts: Facts) -> Iterator[Judgement]:
    """The plan's claims, and every knee that was searched to its end."""
    if details.sized is None:
        return
    steps = steps_of(plan, details, ledger, facts.seed)
    knees = knees_of(plan, steps, details.knee_cpu_factor)
    yield from claims_judged(
        plan,
        steps,
        knees,
        asked=details.sized,
        bundled=facts.target_bundled,
        limits_enforced=Capability.CPU_LIMITS in facts.capabilities,
    )
    yield from map(of_knee, knees)


def limits_of(plan: LoadStagesPlan) -> Limits:
    """What every step has to keep."""
    return Limits(p95_ms=plan.p95_limit_ms, error_ratio=plan.error_limit)


def steps_of(plan: LoadStagesPlan, details: LoadStagesDetails, ledger: Ledger, seed: int) -> list[StepResult]:
    """Every step that was made, judged, in its order; ``seed`` is the run's."""
    return [result_of(made, ledger, limits_of(plan), seed) for made in details.made]


def knees_of(plan: LoadStagesPlan, steps: Sequence[StepResult], cpu_factor: float) -> list[Knee]:
    """The knee of every search that was made to its end, in the order of the searches."""
    searched = [each for each in steps if each.step.of_search]
    found = []
    for (pods, photos_per_s), its in itertools.groupby(searched, key=lambda each: (each.pods, each.step.photos_per_s)):
        tried = [tried_of(each) for each in its]
        if next_rate(plan.knee, plan.capacity.rate_per_s, tried) is None:
            found.append(knee_of(plan, pods, photos_per_s, tried, cpu_factor))
    return found


def knee_of(plan: LoadStagesPlan, pods: int, photos_per_s: float, tried: Sequence[Tried], cpu_factor: float) -> Knee:
    """What a finished search found, and under what it was found."""
    found = knee(plan.knee, pods, tried)
    told = (*found.told, *_conditions(photos_per_s, cpu_factor))
    return msgspec.structs.replace(found, told=told, photos_per_s=photos_per_s)


def tried_of(result: StepResult) -> Tried:
    """A step of the search as the search sees it."""
    return Tried(
        rate_per_s=result.step.rate_per_s,
        verdict=result.verdict,
        generator_limited=generator_words(result.figures) is not None,
        unspread=spread_words(result.figures, result.pods) is not None,
        rate_limited=limiter_words(result.figures) is not None,
        without_photos=photo_words(result.figures) is not None,
        incomplete=bool(result.figures.missing) and result.verdict is Verdict.INCONCLUSIVE,
    )


def _conditions(photos_per_s: float, cpu_factor: float) -> Told:
    uploads = message("while {rate} photos/s are uploaded", rate=f"{photos_per_s:g}")
    scaled = message("CPU limits were multiplied by {factor}", factor=f"{cpu_factor:.3f}")
    return (*((uploads,) if photos_per_s else ()), *((scaled,) if cpu_factor != 1 else ()))
