"""What chance alone does to a week: false roll backs of a good target, and false advances over repeated tries. Pure.

A rollback limit is read after every answer from its smallest sample on, so it has many occasions to fire: far more
often by chance than one reading at the window's end would. The probability is exact, for failures that come
independently of each other; failures that come in bursts fire it more often.

Before a run: for each criterion the sample it needs, and the sample the scenario's window will give. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec
import numpy as np

from harness.base.errors import BadInput
from harness.base.units import Unit, show
from harness.model.evidence import Operation
from harness.model.judgement import FalseRollBack, Kind
from harness.model.message import Message, message, quantity, worded
from harness.model.scenario import QUANTILE, RATIOS, By, Criterion, Metric, Sample, Scenario
from harness.rules.bounds import CONFIDENCE, quantile_samples_needed, samples_needed
from harness.rules.rollback import smallest_sample
from harness.rules.sentences import SUBJECT, as_written, asked, beside, count, rule
from harness.rules.success import failure_limit, least_sample

#: Of a phone's twenty requests (docs/contract/walk-api.md#real-use); one that has no walk yet puts one where it would
#: get or delete it.
IN_TWENTY = {
    Operation.PUT_WALK: 12,
    Operation.LIST_WALKS: 4,
    Operation.GET_WALK: 2,
    Operation.CREATE_WALK: 1,
    Operation.DELETE_WALK: 1,
}
_OF_A_WALK = frozenset({Operation.GET_WALK, Operation.DELETE_WALK})


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """``needed`` and ``offered`` are samples, requests or users, as the metric has it."""

    id: str
    needed: int
    offered: int
    enough: bool
    sentence: Message


def requirements(scenario: Scenario) -> tuple[Requirement, ...]:
    """One for each criterion, in the scenario's order. Raises ``BadInput`` for a criterion no sample can carry."""
    return tuple(_requirement(criterion, scenario) for criterion in scenario.criteria)


def _requirement(criterion: Criterion, scenario: Scenario) -> Requirement:
    if criterion.kind is Kind.ROLLBACK_LIMIT:
        needed = smallest_sample(criterion)
        return _compared(criterion, needed, scenario, message("it is read from {count} on", count=count(needed)))
    if criterion.metric is Metric.REQUEST_RATE:
        return _rate(criterion, scenario)
    if criterion.metric is Metric.CONCURRENT_USERS:
        return _users(criterion, scenario)
    if criterion.metric in QUANTILE:
        quantile = QUANTILE[criterion.metric]
        needed = max(quantile_samples_needed(quantile=quantile), criterion.smallest_sample)
        more = count(quantile_samples_needed(1, quantile))
        wanted = message("{count} suffice, {more} if one is above the limit", count=count(needed), more=more)
    else:
        limit = failure_limit(criterion)
        if not 0 < limit < 1:
            raise BadInput(
                f"no sample can show {rule(criterion)}",
                where=f"criterion {criterion.id}",
                remedy="give a threshold that leaves room for some failures, e.g. 99.9%",
            )
        if criterion.by is By.VALUE:
            needed = least_sample(criterion)
            return _compared(criterion, needed, scenario, message("{count} suffice", count=count(needed)))
        needed = max(samples_needed(limit), criterion.smallest_sample)
        more = count(samples_needed(limit, 1))
        wanted = message("{count} suffice if none fails, {more} if one does", count=count(needed), more=more)
    return _compared(criterion, needed, scenario, wanted)


def offered(criterion: Criterion, scenario: Scenario) -> int:
    """Samples in the window, or in the criterion's step; every user and the probes act on an even schedule. Of one
    operation about as many: users enter the cycle anywhere.
    """
    if criterion.asks is Sample.PROBES:
        return _floor(scenario.probes.rate_per_s * scenario.window_s)
    users = scenario.population.flag_on
    first_s, last_s = scenario.population.stretch(criterion.step_s or 0.0)
    last_s = scenario.window_s if criterion.step_s is None else min(last_s, scenario.window_s)
    requests = users * (scenario.population.requests_in(last_s) - scenario.population.requests_in(first_s))
    if criterion.operation is not None:
        if criterion.operation in _OF_A_WALK:
            requests = max(0.0, requests - users)
        requests *= IN_TWENTY[criterion.operation] / 20
    return _floor(requests)


def _floor(samples: float) -> int:
    return math.floor(round(samples, 6))


def _samples(criterion: Criterion) -> Message:
    subject = Message(text=SUBJECT[criterion.asks])
    if criterion.operation is None:
        return subject
    return message("{samples} for {operation}", samples=subject, operation=criterion.operation)


def _compared(criterion: Criterion, needed: int, scenario: Scenario, wanted: Message) -> Requirement:
    planned = offered(criterion, scenario)
    given = message("{count} {samples} planned", count=count(planned), samples=_samples(criterion))
    enough = planned >= needed
    sentence = _sentence(criterion, enough, wanted, given)
    return Requirement(id=criterion.id, needed=needed, offered=planned, enough=enough, sentence=sentence)


def _rate(criterion: Criterion, scenario: Scenario) -> Requirement:
    least = scenario.offered_rate_per_s
    requests = scenario.population.flag_on * scenario.population.requests_in(scenario.window_s)
    offered = requests / scenario.window_s if scenario.window_s else 0.0
    enough = round(offered, 9) >= least
    shown, rate = show(offered, Unit.PER_SECOND), as_written(least, Unit.PER_SECOND)
    if not enough:
        shown = beside(offered, least, Unit.PER_SECOND)
    wanted = message("{rate} suffices", rate=worded(rate, Unit.PER_SECOND))
    given = message("{rate} planned", rate=worded(shown, Unit.PER_SECOND))
    return Requirement(
        id=criterion.id,
        needed=math.ceil(round(least * scenario.window_s, 6)),
        offered=_floor(requests),
        enough=enough,
        sentence=_sentence(criterion, enough, wanted, given),
    )


def _users(criterion: Criterion, scenario: Scenario) -> Requirement:
    needed = math.ceil(criterion.threshold)
    population, every = scenario.population, scenario.good_answer_every_s
    offered = min(population.flag_on, _floor(population.flag_on * population.requests_in(scenario.window_s)))
    within = [each for each in population.stretches if each.at_s < scenario.window_s or not each.at_s]
    slowest_s = max(each.pace_s for each in within) * (2 if population.read_again else 1)  # after one within a second
    seldom = slowest_s > every
    enough = offered >= needed and not seldom
    given = message("{count} users planned", count=count(offered))
    if seldom:
        of_all = message("{count} users planned", count=count(population.flag_on))
        given = message("{users}, each only every {seconds} s", users=of_all, seconds=f"{slowest_s:g}")
    wanted = message(
        "{count} suffice, each with a good answer every {seconds} s", count=count(needed), seconds=f"{every:g}"
    )
    return Requirement(
        id=criterion.id,
        needed=needed,
        offered=offered,
        enough=enough,
        sentence=_sentence(criterion, enough, wanted, given),
    )


def _sentence(criterion: Criterion, enough: bool, wanted: Message, given: Message) -> Message:
    asks = asked(criterion)
    if criterion.kind is Kind.ROLLBACK_LIMIT:
        asks = message("rollback limit {limit}", limit=asks)
    if enough:
        return message("{rule}: {given}; {wanted}", rule=asks, given=given, wanted=wanted)
    return message("{rule} will be inconclusive: only {given}; {wanted}", rule=asks, given=given, wanted=wanted)


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
