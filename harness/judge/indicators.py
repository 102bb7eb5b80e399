"""The document's indicators (SLI) of a window: is each of them there, with what was measured? Pure.

They gate nothing: whether a value is good the criteria say, and one that breaks its criterion does not pass. One of
which a figure or share is lacking is inconclusive; where pods are not sampled at all, as in memory, theirs are not
exercised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from harness.base.message import as_message
from harness.base.units import Unit
from harness.judge.ledger import OPERATIONS, Ledger
from harness.judge.pod_resources import NoShare
from harness.judge.success import failure_limit
from harness.judge.summary import WindowSummary
from harness.judge.window import Window
from harness.judge.words import as_written, beside
from harness.model.evidence import Side
from harness.model.judgement import Judgement, Kind
from harness.model.message import Message, Told, enumerated, message, quantity, worded
from harness.model.scenario import METRIC_UNIT, RATIOS, Metric, Sample, Scenario
from harness.model.verdict import Verdict

#: What the rollout's table says is looked at in a week, by the claim on its schedule; in the last one all four are.
_CHECK = {
    "rollout.schedule.week1": "rollout.week1.check",
    "rollout.schedule.week2": "rollout.week2.check",
    "rollout.schedule.week3": "rollout.week3.check",
}
#: Those of every window.
INDICATORS = ("sli.latency", "sli.errors", "sli.request_rate", "sli.pod_resources", "sli.replicas")
#: The week whose check is a load test, as the document has it: users on the API, each with one request in so many s.
_LOAD_USERS, _LOAD_PACE_S, _MOST_MISSING = 250, 50.0, 0.05
_Shown = str | Message | NoShare | None
#: The figures that have a word; of the others the name is the same in any language.
_NAMES = {
    "error ratio": message("error ratio"),
    "memory": message("memory"),
    "min": message("min"),
    "max": message("max"),
}


#: What the objectives say of the users' requests (SLO定義), where a plan has no criterion on them.
_OBJECTIVES = {Metric.ERROR_RATIO: 0.01, Metric.LATENCY_P95: 500.0}


def week_checks(plan: Scenario) -> list[str]:
    """The claim on what is looked at in the week whose schedule the plan names."""
    return [_CHECK[claim] for claim in plan.claims if claim in _CHECK][:1]


def indicators(
    seen: WindowSummary, used: Mapping[str, _Shown], plan: Scenario, results: Sequence[Judgement]
) -> Iterator[Judgement]:
    """Each indicator of the document with its figures in the window; ``used``: shares of CPU and memory of a pod,
    ``results`` are the judgements on the criteria of ``plan``."""
    latency, errors = (_broken(metric, seen, plan, results) for metric in (Metric.LATENCY_P95, Metric.ERROR_RATIO))
    yield _measured("sli.latency", _latencies(seen), seen, latency)
    yield _measured("sli.errors", _errors(seen), seen, errors)
    rate = quantity(seen.requests_per_s, Unit.PER_SECOND) if seen.requests else None
    yield _measured("sli.request_rate", {"QPS": rate}, seen)
    sizes = {"min": seen.replicas_min, "max": seen.replicas_max}
    replicas = {name: None if size is None else str(size) for name, size in sizes.items()}
    sampled = (seen.cpu_cores_mean, seen.memory_bytes_max, *sizes.values())
    for claim, figures in (("sli.pod_resources", used), ("sli.replicas", replicas)):
        if all(each is None for each in sampled):
            yield _judgement(claim, Verdict.NOT_EXERCISED, (message("pods are not sampled here"),), seen.requests)
        else:
            yield _measured(claim, figures, seen)


def week_check(
    plan: Scenario,
    seen: WindowSummary,
    ledger: Ledger,
    window: Window,
    results: Sequence[Judgement],
    *,
    whole: bool = True,
    missing: int = 0,
) -> Iterator[Judgement]:
    """What the rollout's table says is looked at in the week whose schedule the plan names; nothing of the last week,
    which is looked at with the others. ``whole``: the window was judged to its end; ``missing`` requests were due in it
    and are not in evidence.
    """
    claim = next(iter(week_checks(plan)), "")
    if claim == "rollout.week1.check":
        yield _every_operation(claim, ledger, window, missing)
    elif claim == "rollout.week2.check":
        broken = [*(_broken(each, seen, plan, results) for each in (Metric.LATENCY_P95, Metric.ERROR_RATIO))]
        yield _measured(claim, {**_latencies(seen), **_errors(seen)}, seen, *broken)
    elif claim == "rollout.week3.check":
        yield _load_test(claim, plan, seen, whole=whole, missing=missing / window.seconds if missing else 0.0)


def _latencies(seen: WindowSummary) -> dict[str, _Shown]:
    values = {"p50": seen.latency_p50_ms, "p95": seen.latency_p95_ms, "p99": seen.latency_p99_ms}
    return {name: None if value is None else quantity(value, Unit.MILLISECONDS) for name, value in values.items()}


def _errors(seen: WindowSummary) -> dict[str, _Shown]:
    values = {"4xx": seen.ratio_4xx, "5xx": seen.ratio_5xx, "error ratio": seen.error_ratio}
    return {name: None if value is None else quantity(value, Unit.RATIO) for name, value in values.items()}


def _broken(
    metric: Metric, seen: WindowSummary, plan: Scenario, results: Sequence[Judgement]
) -> tuple[Verdict, Message] | None:
    """Says that the users' error ratio or p95 breaks the strictest criterion on it, or the objective where there is
    none; ``None`` where it is within. A criterion that could not be decided leaves the indicator open, too."""
    value = seen.latency_p95_ms if metric is Metric.LATENCY_P95 else seen.error_ratio
    alike = RATIOS if metric in RATIOS else {metric}
    asked = {
        each.id: failure_limit(each) if metric in RATIOS else each.threshold
        for each in plan.criteria
        if each.kind is Kind.CRITERION and each.metric in alike and each.asks is Sample.USERS
        and each.operation is None and each.step_s is None
    }  # fmt: skip
    name = min(asked, key=asked.__getitem__, default="")
    limit = asked.get(name, _OBJECTIVES[metric])
    if value is None or value < limit:
        return None
    is_open = any(each.id == name and each.verdict is Verdict.INCONCLUSIVE for each in results)
    unit = METRIC_UNIT[metric]
    given = {"value": worded(beside(value, limit, unit), unit), "limit": worded(as_written(limit, unit), unit)}
    return Verdict.INCONCLUSIVE if is_open else Verdict.FAIL, message("{value} breaks the limit {limit}", **given)


def _measured(
    claim: str, figures: Mapping[str, _Shown], seen: WindowSummary, *broken: tuple[Verdict, Message] | None
) -> Judgement:
    lacking = [as_message(name) for name, value in figures.items() if value is None]
    whys = [message("not measured: {names}", names=enumerated(lacking))] if lacking else []
    told: list[Message] = []
    for name, value in figures.items():
        if isinstance(value, NoShare):
            whys.append(value.why)
        elif value is not None:
            told.append(message("{name} {value}", name=_NAMES.get(name, name), value=value))
    verdicts = {Verdict.INCONCLUSIVE} if whys else {Verdict.PASS}
    for each in filter(None, broken):
        verdicts.add(each[0])
        whys.append(each[1])
    worst = next(each for each in (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS) if each in verdicts)
    return _judgement(claim, worst, (*whys, *told), seen.requests)


def _judgement(claim: str, verdict: Verdict, told: Told, samples: int) -> Judgement:
    return Judgement(id=claim, claim=claim, kind=Kind.CHECK, gates=False, verdict=verdict, told=told, samples=samples)


def _load_test(claim: str, plan: Scenario, seen: WindowSummary, *, whole: bool, missing: float) -> Judgement:
    """The week itself is the load test: its users at the document's pace, all of whose requests were answered well. One
    that was cut short was none, and ``missing`` requests a second may have been answered all the same."""
    population = plan.population
    rate = seen.requests_per_s * (1 - (seen.error_ratio or 0.0))
    told = message(
        "{users} users on the API, each with one request in {pace} s: {rate}/s came",
        users=str(population.flag_on),
        pace=f"{population.pace_s:g}",
        rate=f"{seen.requests_per_s:.3g}",
    )
    if seen.error_ratio:
        told = message("{came}, {rate}/s of them were answered well", came=told, rate=f"{rate:.3g}")
    if (population.flag_on, population.pace_s) != (_LOAD_USERS, _LOAD_PACE_S) or population.steps:
        return _judgement(claim, Verdict.NOT_EXERCISED, (told,), seen.requests)
    if not whole:
        return _judgement(claim, Verdict.INCONCLUSIVE, (told, message("the window was cut short")), seen.requests)
    least = _LOAD_USERS / _LOAD_PACE_S * (1 - _MOST_MISSING)
    fewer = Verdict.INCONCLUSIVE if rate + missing >= least else Verdict.FAIL
    return _judgement(claim, Verdict.PASS if rate >= least else fewer, (told,), seen.requests)


def _every_operation(claim: str, ledger: Ledger, window: Window, missing: int) -> Judgement:
    """Each operation of the contract answered well at least once in the window. It fails by one that was asked for and
    never answered so, unless a request that is ``missing`` may have been."""
    chosen = ledger.requests_due(window, Side.API)
    asked, good = chosen["operation"], chosen["operation"][chosen["ok"]]
    counts = {str(name): int(np.count_nonzero(good == number)) for name, number in OPERATIONS.items()}
    told: list[Message] = [message("{name} {value}", name=name, value=f"{count:,}") for name, count in counts.items()]
    refused = not missing and any(number in asked and not counts[name] for name, number in OPERATIONS.items())
    verdict = Verdict.PASS if all(counts.values()) else Verdict.FAIL if refused else Verdict.INCONCLUSIVE
    if verdict is not Verdict.PASS:
        lacking = ", ".join(name for name, count in counts.items() if not count)
        told.insert(0, message("not answered well even once: {names}", names=lacking))
    return _judgement(claim, verdict, tuple(told), len(chosen))
