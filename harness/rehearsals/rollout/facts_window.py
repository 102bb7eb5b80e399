"""The facts of a week's window: the document's indicators (SLI), and what the rollout's table has looked at. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.base.message import gettext_noop
from harness.model.evidence import Side, Window
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.message import Message, message
from harness.model.scenario import RATIOS, Metric, Sample, Scenario
from harness.rules.difference import Measured, SeriesQuantile
from harness.rules.figures import MS, latencies_ms
from harness.rules.ledger import OPERATIONS, Calls, Ledger, lag_ns, of_step
from harness.rules.pod_resources import NoShare, Used
from harness.rules.rule import Fact, FactsOf
from harness.rules.success import failure_limit
from harness.rules.summary import WindowSummary, summarise

PHRASES = {
    "latency.p50_ms": gettext_noop("p50 {seen}"),
    "latency.p95_ms": gettext_noop("p95 {seen}"),
    "latency.p99_ms": gettext_noop("p99 {seen}"),
    "latency.limit_ms": gettext_noop("the users' limit on p95 is {seen}"),
    "errors.of_4xx_ratio": gettext_noop("4xx {seen}"),
    "errors.of_5xx_ratio": gettext_noop("5xx {seen}"),
    "errors.all_ratio": gettext_noop("error ratio {seen}"),
    "errors.limit_ratio": gettext_noop("the users' limit on errors is {seen}"),
    "requests_qps": gettext_noop("QPS {seen}"),
    "pods.cpu_ratio": gettext_noop("CPU {used}"),
    "pods.memory_ratio": gettext_noop("memory {used}"),
    "replicas.fewest": gettext_noop("min {seen}"),
    "replicas.most": gettext_noop("max {seen}"),
    "probes.bad_seconds_ratio": gettext_noop("a probe failed in {seen} of the {of} seconds"),
    "firestore.p95_ms": gettext_noop("p95 of {of} requests to Firestore {seen}"),
    "generator.lag_p99_ms": gettext_noop("the load generator sent requests at most {seen} late (p99)"),
    "pods.cores": gettext_noop("the pods used {seen} cores on average"),
    "pods.memory_mib": gettext_noop("the pods' memory was at most {seen} MiB"),
    "step.requests_qps": gettext_noop("in the step from {at} s each user sent one every {pace} s: {seen} came"),
    "step.p95_ms": gettext_noop("in the step from {at} s: p95 {seen}"),
    "step.errors_ratio": gettext_noop("in the step from {at} s: error ratio {seen}"),
    "operations.refused": gettext_noop("operations that were asked for and never answered well: {seen} ({names})"),
    "operations.never_good": gettext_noop("operations that were not answered well even once: {seen} ({names})"),
    "load.good_qps": gettext_noop(
        "{users} users on the API, each with one request in {pace} s: {came}/s came, {seen} of them answered well"
    ),
}
#: The users' figures that have a limit, and what the objectives say of them (SLO定義), where a plan has no criterion.
_LIMITED = {
    Metric.LATENCY_P95: ("latency.p95_ms", "latency.limit_ms", 500.0),
    Metric.ERROR_RATIO: ("errors.all_ratio", "errors.limit_ratio", 0.01),
}
#: The week whose check is a load test, as the document has it: users on the API, each with one request in so many s.
_LOAD_USERS, _LOAD_PACE_S = 250, 50.0
#: What stands for a figure that was not measured, where a word does; else its name is the same in any language.
_WORDS = {each.text: each for each in (message("error ratio"), message("memory"), message("min"), message("max"))}
_fact = FactsOf(PHRASES)


def indicators(
    seen: WindowSummary, used: dict[str, Used | NoShare | None], plan: Scenario, results: Sequence[Judgement]
) -> Iterator[Fact]:
    """Of each figure of an indicator what was measured, or why it was not; ``used``: shares of CPU and memory of a pod,
    ``results`` are the judgements on the criteria of ``plan``."""
    figures = {
        "latency.p50_ms": seen.latency_p50_ms,
        "latency.p99_ms": seen.latency_p99_ms,
        "errors.of_4xx_ratio": seen.ratio_4xx,
        "errors.of_5xx_ratio": seen.ratio_5xx,
        "requests_qps": seen.requests_per_s if seen.requests else None,
    }
    yield from (_figure(name, value, seen.requests) for name, value in figures.items())
    for metric in _LIMITED:
        yield from _limited(metric, seen, plan, results)
    yield from _pods(seen, used)


def besides(ledger: Ledger, window: Window, seen: WindowSummary) -> Iterator[Fact]:
    """What the document has no indicator for."""
    if seen.bad_seconds is not None:
        seconds = math.ceil(window.seconds)
        yield _fact("probes.bad_seconds_ratio", seen.bad_seconds / seconds, of=seconds)
    rows = ledger.requests
    due = rows[(rows["due_ns"] >= window.start_ns) & (rows["due_ns"] < window.end_ns)]
    firestore = in_time(latencies_ms, ledger.requests_due(window, Side.FIRESTORE), 0.95)
    lag = in_time(lambda calls: lag_ns(calls) / MS, due, 0.99)
    for name, of in (("firestore.p95_ms", firestore), ("generator.lag_p99_ms", lag)):
        if of.value is not None:
            high = math.inf if of.upper is None else of.upper
            yield _fact(name, of.value, low=of.lower or 0.0, high=high, sampled=True, of=of.samples)
    if seen.cpu_cores_mean is not None:
        yield _fact("pods.cores", seen.cpu_cores_mean)
    if seen.memory_bytes_max is not None:
        yield _fact("pods.memory_mib", seen.memory_bytes_max / 2**20)


def steps(plan: Scenario, ledger: Ledger, window: Window) -> Iterator[Fact]:
    """Of each step of the load that ``window`` reached, by the requests to the API."""
    for step in plan.population.stretches if plan.population.steps else ():
        part = of_step(window, plan.population, step.at_s)
        if part.start_ns < part.end_ns:
            seen, at = summarise(ledger, part, Side.API), f"{step.at_s:g}"
            fact = FactsOf(PHRASES, case=f"{at}s")
            yield fact("step.requests_qps", seen.requests_per_s, of=seen.requests, at=at, pace=f"{step.pace_s:g}")
            if seen.latency_p95_ms is not None and seen.error_ratio is not None:
                yield fact("step.p95_ms", seen.latency_p95_ms, of=seen.requests, at=at)
                yield fact("step.errors_ratio", seen.error_ratio, of=seen.requests, at=at)


def in_time(values: Callable[[Calls], NDArray[np.float64]], calls: Calls, quantile: float) -> Measured:
    """The quantile of the calls' values in the order in which they were due: those of one busy second hang together."""
    return SeriesQuantile(values(calls)[np.argsort(calls["due_ns"], kind="stable")], quantile).measured()


def operations(ledger: Ledger, window: Window, missing: int) -> Iterator[Fact]:
    """Each operation of the contract in the window; one that was never answered well may have been by a request that is
    ``missing``."""
    chosen = ledger.requests_due(window, Side.API)
    good = chosen["operation"][chosen["ok"]]
    counts = {str(name): int(np.count_nonzero(good == number)) for name, number in OPERATIONS.items()}
    never = [name for name, count in counts.items() if not count]
    refused = [str(name) for name, number in OPERATIONS.items() if number in chosen["operation"] and str(name) in never]
    told = tuple(message("{name} {value}", name=name, value=f"{count:,}") for name, count in counts.items())
    low = 0 if missing else None
    yield _fact("operations.refused", len(refused), low=low, of=len(chosen), names=", ".join(refused) or "–")
    yield _fact("operations.never_good", len(never), of=len(chosen), names=", ".join(never) or "–", besides=told)


def load_test(plan: Scenario, seen: WindowSummary, *, whole: bool, missing: float) -> Fact:
    """The week itself is the load test: its users at the document's pace, all of whose requests were answered well. One
    that was cut short was none, and ``missing`` requests a second may have been answered all the same."""
    population = plan.population
    rate = seen.requests_per_s * (1 - (seen.error_ratio or 0.0))
    came = f"{seen.requests_per_s:.3g}"
    words: dict[str, Any] = {"users": str(population.flag_on), "pace": f"{population.pace_s:g}", "came": came}
    void = () if whole else (message("the window was cut short"),)
    found = _fact("load.good_qps", rate, high=rate + missing, of=seen.requests, void=void, **words)
    if (population.flag_on, population.pace_s) != (_LOAD_USERS, _LOAD_PACE_S) or population.steps:
        return msgspec.structs.replace(found, lacks=found.told)
    return found


def _figure(name: str, value: float | None, requests: int, *void: Message, **words: Any) -> Fact:
    if value is None:
        word = PHRASES[name].rpartition(" ")[0]
        lacking = message("not measured: {names}", names=_WORDS.get(word, word))
        return Fact(name=name, void=void or (lacking,), of=requests)
    return _fact(name, value, void=void, of=requests, **words)


def _limited(metric: Metric, seen: WindowSummary, plan: Scenario, results: Sequence[Judgement]) -> Iterator[Fact]:
    """The users' error ratio or p95, and the limit of the strictest criterion on it, or the objective's where there is
    none. What breaks the limit of a criterion that could not be decided proves nothing."""
    name, limit_name, usual = _LIMITED[metric]
    value = seen.latency_p95_ms if metric is Metric.LATENCY_P95 else seen.error_ratio
    alike = RATIOS if metric in RATIOS else {metric}
    asked = {
        each.id: failure_limit(each) if metric in RATIOS else each.threshold
        for each in plan.criteria
        if each.kind is Kind.CRITERION and each.metric in alike and each.asks is Sample.USERS
        and each.operation is None and each.step_s is None
    }  # fmt: skip
    strictest = min(asked, key=asked.__getitem__, default="")
    limit = asked.get(strictest, usual)
    undecided = any(each.id == strictest and each.verdict is Verdict.INCONCLUSIVE for each in results)
    void = (message("the criterion {name} on it is not decided", name=strictest),)
    yield _fact(limit_name, limit)
    yield _figure(name, value, seen.requests, *(void if undecided and value is not None and value >= limit else ()))


def _pods(seen: WindowSummary, used: dict[str, Used | NoShare | None]) -> Iterator[Fact]:
    """Of the pods, where they are sampled at all."""
    sizes = {"replicas.fewest": seen.replicas_min, "replicas.most": seen.replicas_max}
    if all(each is None for each in (seen.cpu_cores_mean, seen.memory_bytes_max, *sizes.values())):
        yield from _fact.none(
            "pods.cpu_ratio", "pods.memory_ratio", *sizes, lacks=(message("pods are not sampled here"),)
        )
        return
    yield from (_figure(name, size, seen.requests) for name, size in sizes.items())
    for name, share in (("pods.cpu_ratio", used["CPU"]), ("pods.memory_ratio", used["memory"])):
        if isinstance(share, Used):
            yield _figure(name, share.ratio, seen.requests, used=share.told)
        else:
            yield _figure(name, None, seen.requests, *(() if share is None else (share.why,)))
