"""What chance alone does to a week: false roll backs of a good target, and false advances over repeated tries. Pure.

A rollback limit is read after every answer from its smallest sample on, so it has many occasions to fire: far more
often by chance than one reading at the window's end would. The probability is exact, for failures that come
independently of each other; failures that come in bursts fire it more often.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from harness.base.units import Unit
from harness.judge.bounds import CONFIDENCE
from harness.judge.power import offered, requirements
from harness.judge.rollback import smallest_sample
from harness.judge.success import failure_limit
from harness.judge.words import asked
from harness.model.judgement import Kind
from harness.model.message import Message, message, quantity
from harness.model.scenario import RATIOS, Criterion, Scenario
from harness.model.verdict import FalseRollBack

_LEAST_SHOWN = 0.0005  # of windows: what rounds to a tenth of a percent


@lru_cache(maxsize=64)
def fires(failure_ratio: float, limit: float, least: int, samples: int) -> float:
    """The probability (0..1) that ``k`` failures of the first ``n`` are more than ``limit`` of them for some ``n`` from
    ``least`` to ``samples``, where each answer fails with ``failure_ratio``.

    By recursion over n: the probability of each k that has not fired yet, which no k above the limit has.
    """
    alive = np.zeros(max(least, math.floor(limit * samples)) + 3)
    alive[0] = 1.0
    top = 0  # the most failures with which it may not have fired
    fired = 0.0
    for n in range(1, samples + 1):
        alive[1 : top + 2] = alive[1 : top + 2] * (1 - failure_ratio) + alive[: top + 1] * failure_ratio
        alive[0] *= 1 - failure_ratio
        top += 1
        if n >= least and top > (most := math.floor(round(limit * n, 9))):  # the most failures that do not fire
            fired += float(alive[most + 1 : top + 1].sum())
            alive[most + 1 : top + 1] = 0.0
            top = most
    return fired


def false_roll_backs(scenario: Scenario) -> tuple[FalseRollBack, ...]:
    """For each rollback limit on a ratio that the scenario has a success criterion for too: how often it fires in a
    window of a target whose true failure ratio is just that criterion's limit, the worst that may still advance. A
    limit on the users is held to the criterion on the users, one on the probes to that on the probes; where only one
    of the two streams has a criterion, both are held to it.

    A limit on latency is left out: how often it fires hangs on the whole distribution, of which a threshold says
    nothing.
    """
    found = []
    for each in scenario.criteria:
        if each.kind is Kind.ROLLBACK_LIMIT and each.metric in RATIOS:
            beside = [of for of in scenario.criteria if of.kind is Kind.CRITERION and _of_the_same(of, each)]
            same = [of for of in beside if of.asks is each.asks] or beside
            if same:  # of two that ask for the same, the stricter decides
                found.append(_false_roll_back(each, min(map(failure_limit, same)), offered(each, scenario)))
    return tuple(found)


def _of_the_same(one: Criterion, other: Criterion) -> bool:
    """Whether both are about a ratio of the same calls, of whichever stream."""
    return one.metric in RATIOS and (one.operation, one.step_s) == (other.operation, other.step_s)


def _false_roll_back(criterion: Criterion, ratio: float, samples: int) -> FalseRollBack:
    probability = fires(ratio, failure_limit(criterion), smallest_sample(criterion), samples)
    return FalseRollBack(id=criterion.id, failure_ratio=ratio, samples=samples, probability=round(probability, 6))


def either(chances: Sequence[FalseRollBack]) -> float:
    """The probability (0..1) that at least one of the limits fires, where users and probes fail independently."""
    return 1 - math.prod(1 - each.probability for each in chances)


def chance_words(chance: FalseRollBack) -> Message:
    """How often the limit fires by chance alone, for a report."""
    return message(
        "By chance alone it fires in {share} of windows of {samples} samples when the true failure ratio is "
        "{ratio}, the most that may still advance.",
        share=_share(chance.probability),
        samples=f"{chance.samples:,}",
        ratio=quantity(chance.failure_ratio, Unit.RATIO),
    )


def _share(probability: float) -> str | Message:
    """To a tenth of a percent; what rounds to none of them is not told as nothing."""
    if probability < _LEAST_SHOWN:
        return message("less than {share}", share=quantity(_LEAST_SHOWN, Unit.RATIO))
    return quantity(round(probability, 3), Unit.RATIO)


def advances(tries: int) -> float:
    """The most (0..1) by which a target that is just at its limit advances in one of ``tries``, each with a new window:
    a try alone has 1 - ``CONFIDENCE``.
    """
    return float(1 - CONFIDENCE**tries)


def preflight_sentences(scenario: Scenario, *, every: bool = True) -> Iterator[Message]:
    """What the window cannot prove and, of ``every`` criterion, what it can (see ``requirements``); what chance alone
    does to it."""
    needs = requirements(scenario)
    yield from (each.sentence for each in needs if every or not each.enough)
    if not every and all(each.enough for each in needs):
        yield message("the window gives each criterion enough samples")
    chances = [each for each in false_roll_backs(scenario) if each.probability >= _LEAST_SHOWN]
    rules = {each.id: asked(each) for each in scenario.criteria}
    for each in chances if every else ():
        yield message(
            "{limit}: a target only just good enough ({ratio} failures) is rolled back by chance in {share} of windows",
            limit=rules[each.id],
            ratio=quantity(each.failure_ratio, Unit.RATIO),
            share=_share(each.probability),
        )
    if (ended := round(100 * either(chances))) and (len(chances) > 1 or not every):
        yield message(
            "of 100 runs of a target that is only just good enough, about {ended} end in a roll back by chance",
            ended=str(ended),
        )
