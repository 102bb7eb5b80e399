"""Before a run: for each criterion the sample it needs, and the sample the scenario's window will give. Pure."""

from __future__ import annotations

import math

import msgspec

from harness.base.errors import BadInput
from harness.base.units import Unit, show
from harness.judge.bounds import quantile_samples_needed, samples_needed
from harness.judge.rollback import smallest_sample
from harness.judge.success import failure_limit, least_sample
from harness.judge.words import SUBJECT, as_written, asked, beside, count, rule
from harness.model.evidence import Operation
from harness.model.judgement import Kind
from harness.model.message import Message, message, worded
from harness.model.scenario import QUANTILE, By, Criterion, Metric, Sample, Scenario

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
    slowest_s = max(each.pace_s for each in within)
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
