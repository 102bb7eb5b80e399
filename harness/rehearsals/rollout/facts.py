"""The facts of a week: its criteria, as of the moment at which the run judged, and what else it shows. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from harness.base.message import gettext_noop
from harness.base.ticks import NS
from harness.base.units import DAY_S, Unit
from harness.checks import answered
from harness.evidence.store import Gathered
from harness.load.population.schedule import due_list, stayers_due
from harness.model.evidence import DueList, Side, Window
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.message import Told, message, quantity
from harness.model.scenario import QUANTILE, Comparison, Criterion, Metric, Sample, Scenario
from harness.model.stack import PodState
from harness.rehearsals.rollout import facts_window
from harness.rehearsals.rollout.expected import IN_ONE_PLACE, OBJECTIVES, RATE_CLAIM, asks_objectives, not_exercised
from harness.rehearsals.rollout.observed import JudgedMoment, ObservedWindow, WeekDetails, moment, observed
from harness.rules import flag_log
from harness.rules.bounds import nearest_rank, ratio_lower, ratio_upper
from harness.rules.chance import chance_words, false_roll_backs
from harness.rules.criteria import judge
from harness.rules.difference import Rate
from harness.rules.figures import bad_calls, clears, counting, latencies_ms
from harness.rules.ledger import MOST_RETRIED, WRITING, Ledger, of_step
from harness.rules.objectives.budget import AVAILABILITY, MONTH_DAYS, burn_rate, line, spent
from harness.rules.planned import lost_words, planned_in
from harness.rules.pod_resources import asked, most_used
from harness.rules.rule import Fact, FactsOf
from harness.rules.sentences import asked as asked_of
from harness.rules.success import crowded_words, failure_limit
from harness.rules.summary import summarise
from harness.rules.view import WindowView
from harness.run.rehearsal import RunRecord

# The SQL that reproduces a criterion's value from ``evidence.sqlite``, to be read and run by whoever doubts it.
# Numbers are the judge's own: rows count by when they were due in the window, and only those that were known when the
# decision was made (``seq`` numbers the rows of the whole run in the order in which they arrived). A rollback limit
# that fired is read on the answers up to the one that broke it: the first ``samples`` in the order of the answers.

_SAMPLE = """\
WITH sample AS (
  SELECT outcome, latency_ms FROM {table}
  WHERE {only}due_ns >= {start} AND due_ns < {end}
    AND {known}
  ORDER BY done_ns, seq
  LIMIT {samples}
)
"""

_SHARE = "SELECT 1.0 * SUM(outcome {which} 'ok') / COUNT(*) AS value, COUNT(*) AS samples FROM sample;"

_QUANTILE = """\
SELECT latency_ms AS value, (SELECT COUNT(*) FROM sample) AS samples FROM sample
ORDER BY latency_ms LIMIT 1 OFFSET {rank};"""

_RATE = """\
SELECT COUNT(*) / {seconds} AS value, COUNT(*) AS samples FROM requests
WHERE side = 'api' AND outcome = 'ok' AND done_ns >= {start} AND done_ns < {end}
  AND {known};"""

_USERS = """\
WITH live AS (
  SELECT user FROM sessions AS began
  WHERE live AND at_ns <= {start}
    AND NOT EXISTS (
      SELECT 1 FROM sessions AS ended
      WHERE ended.user = began.user AND NOT ended.live AND ended.at_ns >= began.at_ns AND ended.at_ns < {end}
    )
), good AS (
  SELECT user, done_ns, LAG(done_ns) OVER (PARTITION BY user ORDER BY done_ns) AS before FROM requests
  WHERE side = 'api' AND outcome = 'ok' AND done_ns >= {start} AND done_ns < {end}
    AND {known}
), served AS (
  SELECT user FROM good WHERE user IN (SELECT user FROM live) GROUP BY user
  HAVING MIN(done_ns) - {start} < {stretch} AND {end} - MAX(done_ns) <= {stretch}
    AND COALESCE(MAX(done_ns - before), 0) <= {stretch}
)
SELECT COUNT(*) AS value FROM served;"""

_COUNTED = """\
WITH counted AS (
  SELECT seq, user, side, operation, due_ns, done_ns, latency_ms, CASE WHEN retried AND (
    SELECT SUM(retried) > {most} * MAX({of}, COUNT(*)) FROM requests WHERE side = 'api' AND {within}
  ) THEN 'retried' ELSE outcome END AS outcome FROM requests
)"""


def as_counted(query: str, window: Window, rows: int, of: int) -> str:
    """The query of a run that sent requests twice, which are failures where they are too many of the ``of`` that are
    due in the whole window."""
    within = f"due_ns >= {window.start_ns} AND due_ns < {window.end_ns} AND seq <= {rows}"
    joined = ", " if query.startswith("WITH ") else "\n"
    query = query.removeprefix("WITH ").replace("FROM requests", "FROM counted")
    return _COUNTED.format(most=MOST_RETRIED, of=of, within=within) + joined + query


def value_query(criterion: Criterion, judged: Judgement, window: Window, *, rows: int, stretch_s: float) -> str:
    """SQL whose first column is ``judged.value``; "" where there was nothing to measure.

    ``rows`` is how many rows there were when it was judged, ``stretch_s`` the scenario's ``good_answer_every_s``.
    """
    if judged.value is None:
        return ""
    span = {"start": window.start_ns, "end": window.end_ns, "known": f"seq <= {rows}"}
    if criterion.metric == Metric.REQUEST_RATE:
        return _RATE.format(seconds=repr((window.end_ns - window.start_ns) / NS), **span)
    if criterion.metric == Metric.CONCURRENT_USERS:
        return _USERS.format(stretch=round(stretch_s * NS), **span)
    probes = criterion.asks is Sample.PROBES
    only = "" if probes else "side = 'api' AND "
    only += f"operation = '{criterion.operation}' AND " if criterion.operation else ""
    if criterion.metric in QUANTILE:  # what failed sooner than the limit says nothing of how long an answer takes
        only += f"(outcome = 'ok' OR latency_ms > {criterion.threshold!r}) AND "
    sample = _SAMPLE.format(table="probes" if probes else "requests", only=only, samples=judged.samples, **span)
    if criterion.metric in QUANTILE:
        rank = nearest_rank(max(1, judged.samples), QUANTILE[criterion.metric]) - 1
        return sample + _QUANTILE.format(rank=rank)
    return sample + _SHARE.format(which="=" if criterion.metric is Metric.AVAILABILITY else "<>")


PHRASES = {
    **answered.PHRASES,
    **facts_window.PHRASES,
    "criterion": "",  # its sample says it
    "rate.came_qps": gettext_noop(
        "{users} users at one request in {pace} s offer {offered}/s, which is just what is asked for: {came}/s came"
    ),
    "rate.least_qps": gettext_noop("with a margin {seen} are asked for"),
    "rate.is_the_word": gettext_noop("the erratum is the word on {seen} claims"),
    "users.failed": gettext_noop("a criterion failed that the rehearsal asks of the users, and the document does not"),
    "document.kept": gettext_noop("{seen} criteria of the document were kept meanwhile"),
    "document.failed": gettext_noop("{seen} criteria of the document failed"),
    "window.of_its_days_ratio": gettext_noop("of the {days} days {seen} were measured"),
    "stayers.failed_ratio": gettext_noop("{failed} of {requests} requests of users who stay on Firestore failed"),
    "writes.direct": gettext_noop(
        "{direct} writes went straight to Firestore, and {mirrored} to the API, which mirrors them there"
    ),
    "writes.mirrored": gettext_noop("{seen} writes went to the API"),
    "pods.unlogged": gettext_noop("ready pods without a log: {seen} of {of} ({names})"),
    "pods.unrecorded": gettext_noop(
        "ready pods of which log or metrics are not in one place: {seen} of {of} ({names})"
    ),
    "roll_back.begun": gettext_noop("{seen} roll backs began"),
    "switched.last_s": gettext_noop("the last of {of} clients switched after {seen}"),
    "off_s": gettext_noop("the flag was published off {seen} after the decision"),
}
STEPS = tuple(f"rollout.rollback.step{number}" for number in (1, 2, 3))
_METRICS = ("cpu_cores", "memory_bytes")
_CORRECTED_RATE = 0.9  # of what is offered: the erratum's correction asks for 3 of 3.3
_OWN = message("a criterion of the team's own, about no claim of the document")
_REHEARSALS_OWN = message("a criterion of the rehearsal's own, about no claim of the document")
_NOT_ROLLED_BACK = (message("the run was not rolled back"),)
_fact = FactsOf(PHRASES)


class Promised(msgspec.Struct, frozen=True, kw_only=True):
    """An objective: at least ``target`` of the events are good over ``days``; ``criterion`` says it of a window."""

    target: float
    days: int
    criterion: Criterion


def _promised(claim: str, metric: Metric, comparison: Comparison, threshold: float, target: float) -> Promised:
    criterion = Criterion(
        id=claim, claim=claim, kind=Kind.CRITERION, metric=metric, comparison=comparison, threshold=threshold
    )  # fmt: skip
    return Promised(target=target, days=MONTH_DAYS if metric is Metric.AVAILABILITY else 7, criterion=criterion)


PROMISED = (
    _promised(OBJECTIVES[0], Metric.AVAILABILITY, Comparison.ABOVE, AVAILABILITY, AVAILABILITY),
    _promised(OBJECTIVES[1], Metric.LATENCY_P95, Comparison.BELOW, 500.0, 0.95),
    _promised(OBJECTIVES[2], Metric.ERROR_RATIO, Comparison.BELOW, 0.01, 0.99),
)


def facts(plan: Scenario, seen: RunRecord[WeekDetails]) -> Iterator[Fact]:
    """Everything that a week's run shows. Raises ``BadInput`` for evidence that another harness wrote."""
    week = observed(seen.evidence.events)
    if week.planned is not None:
        yield from _of_window(plan, seen, week, week.planned)
        if (keeps := seen.facts.keeps) is not None:
            requests, anchor = seen.evidence.requests, seen.facts.anchor
            yield from answered.facts(answered.ReadAnswers(requests, plan.population, week.seed, anchor, keeps))
        if seen.details.logged is not None:
            yield from _recorded(FactsOf(PHRASES, case=IN_ONE_PLACE), seen.evidence, seen.details.logged)
    yield from of_roll_back(week, seen.evidence, seen.details.logged)


def _of_window(plan: Scenario, seen: RunRecord[WeekDetails], week: ObservedWindow, window: Window) -> Iterator[Fact]:
    """As of the moment at which the run judged. Of users who stay on Firestore all evidence counts: what was under way
    when a roll back cut the window counts by its end."""
    rows, details = seen.evidence.rows, seen.details
    due = due_list(plan, week.seed, window.start_ns, window.end_ns)
    at = moment(rows, details, window)
    whole = at.at_ns >= window.end_ns
    ledger, _ = flag_log.of_rows(rows[: at.rows])
    view = WindowView(plan, ledger, window, at.at_ns, due)
    lacking = not_exercised(plan, seen.facts.capabilities)
    results = judge(plan, ledger, window, at.at_ns, due=due, not_exercised=lacking)
    yield from _criteria(view, week, at, results, seen.facts.replay)
    yield from _rates(plan, results, whole=whole)
    yield from _users_left_out(plan, results)
    yield from objectives(plan, ledger, window, at.at_ns, due)
    yield from of_summary(plan, ledger, week.window, details, results, whole=whole, missing=_lost(plan, view, week))
    yield from without_the_flag(plan, seen.evidence.ledger, week.window, week.seed)


def _lost(plan: Scenario, view: WindowView, week: ObservedWindow) -> int:
    """How many requests were due in the window until the judge was asked, and are not in evidence."""
    due = due_list(plan, week.seed, view.window.start_ns, view.window.end_ns)
    return planned_in(view.ledger, due, view.window)[0].missing


# -- the criteria ------------------------------------------------------------------------------------------------


def _criteria(
    view: WindowView, week: ObservedWindow, at: JudgedMoment, results: Iterable[Judgement], replay: str
) -> Iterator[Fact]:
    """The criteria with what chance alone does to them, and the query that reproduces each: a rate is one of the time
    until the judge was asked, which is before a roll back's decision was written down. One that a crowded machine may
    have broken says the command that tries again.
    """
    plan, retried = view.scenario, bool(view.ledger.requests["retried"].any())
    chances = {each.id: chance_words(each) for each in false_roll_backs(plan)}
    window = week.window
    window = Window(start_ns=window.start_ns, end_ns=max(window.start_ns, min(window.end_ns, at.at_ns)))
    for criterion, result in zip(plan.criteria, results, strict=True):
        step = of_step(window, plan.population, criterion.step_s)
        query = value_query(criterion, result, step, rows=at.rows, stretch_s=plan.good_answer_every_s)
        query = as_counted(query, window, at.rows, view.due_in_all) if query and retried else query
        notes = _whose(criterion, plan)
        notes += (chances[result.id],) if result.id in chances else ()
        again = message("try again when the machine is quiet: {command}", command=replay)
        told = (*result.told, again) if crowded_words(criterion, result, view) else result.told
        sample = msgspec.structs.replace(result, told=told, notes=notes, reproduce=query)
        yield _with_interval(view, criterion, FactsOf(PHRASES, case=criterion.id).of_sample("criterion", sample))


def _with_interval(view: WindowView, criterion: Criterion, fact: Fact) -> Fact:
    """A quantile or a rate with its two-sided interval, by which two runs are compared."""
    calls, seconds = view.calls(criterion), view.window.seconds
    if criterion.metric in QUANTILE:
        interval = facts_window.in_time(latencies_ms, calls[counting(criterion, calls)], QUANTILE[criterion.metric])
    elif criterion.metric is Metric.REQUEST_RATE and fact.seen is not None:
        interval = Rate(round(fact.seen * seconds), seconds).measured()
    else:
        return fact
    high = math.inf if interval.upper is None else interval.upper
    return msgspec.structs.replace(fact, low=interval.lower or 0.0, high=high, sampled=True)


def _whose(criterion: Criterion, plan: Scenario) -> Told:
    """Whose criterion it is that is about no claim, and where its limit comes from."""
    if criterion.claim:
        return ()
    if not criterion.limit_from:
        return (_OWN,)
    source = next((each for each in plan.criteria if each.id == criterion.limit_from), None)
    said = message("its limit is that of the claim {claim}", claim=criterion.limit_from)
    if source is not None:
        allowed = quantity(failure_limit(source), Unit.RATIO)
        said = message(
            "its limit is that of {source}, which allows {ratio} to fail", source=asked_of(source), ratio=allowed
        )
    return _REHEARSALS_OWN, said


def _rates(plan: Scenario, results: Iterable[Judgement], *, whole: bool) -> Iterator[Fact]:
    """What a week's window showed of a rate without a margin, where just as many requests are offered as it asks for
    (``--pace 50s``), so that one late request fails it. Where the criterion cannot be judged for that, the erratum is
    the word on its claim; unless fewer came than its correction asks for, or the window was not judged ``whole``.
    """
    population = plan.population
    offered = round(population.flag_on / population.pace_s, 9)
    least = _CORRECTED_RATE * offered
    words: dict[str, Any] = {
        "users": str(population.flag_on),
        "pace": f"{population.pace_s:g}",
        "offered": f"{offered:g}",
    }
    yield _fact("rate.least_qps", least)
    for each in results:
        fact, is_open = FactsOf(PHRASES, case=each.id), False
        # with steps what is offered changes, and is not the document's
        if each.value is not None and not population.steps and each.claim == RATE_CLAIM and each.limit == offered:
            yield fact("rate.came_qps", each.value, came=f"{each.value:.4g}", **words)
            is_open = each.verdict is Verdict.INCONCLUSIVE and each.value >= least
        yield fact("rate.is_the_word", int(is_open and whole))


def _users_left_out(plan: Scenario, results: Sequence[Judgement]) -> Iterator[Fact]:
    """What the rehearsal asks of the users and the document does not: the first that failed; and what became of the
    document's availability meanwhile."""
    found = [*zip(plan.criteria, results, strict=True)]
    broken = [each for of, each in found if not of.claim and of.asks is Sample.USERS and each.verdict is Verdict.FAIL]
    of_document = [(of, each) for of, each in found if of.claim]
    kept = [each for of, each in of_document if of.kind is Kind.CRITERION and of.asks is Sample.PROBES
            and each.value is not None and clears(of.comparison, each.value, of.threshold)]  # fmt: skip
    for each in broken[:1]:
        yield FactsOf(PHRASES, case=each.id)("users.failed", 1, besides=each.told)
    yield _fact("document.kept", len(kept))
    yield _fact("document.failed", sum(each.verdict is Verdict.FAIL for _, each in of_document))


def objectives(plan: Scenario, ledger: Ledger, window: Window, at_ns: int, due: DueList) -> Iterator[Fact]:
    """Each objective (SLO定義) of a week that can show them, by the part of ``window`` that had passed at ``at_ns``: a
    roll back ends it early. A window is minutes, and an objective is of days: beside it stands how fast the window
    burns the budget."""
    if not asks_objectives(plan):
        return
    asking = msgspec.structs.replace(plan, criteria=tuple(each.criterion for each in PROMISED))
    view = WindowView(asking, ledger, window, at_ns, due)
    seconds = view.window.seconds
    for promised, found in zip(PROMISED, judge(asking, ledger, window, at_ns, due=due), strict=True):
        fact, calls = FactsOf(PHRASES, case=found.id), view.calls(promised.criterion)
        rows = calls[counting(promised.criterion, calls)]
        bad = int(np.count_nonzero(bad_calls(promised.criterion, rows)))
        words: dict[str, Any] = {"minutes": f"{seconds / 60:.1f}", "days": str(promised.days)}
        notes: Told = (message("of {minutes} minutes, not of {days} days", **words),)
        if len(rows):
            notes = (
                message(
                    "of {minutes} minutes, not of {days} days: the budget burned {burn} times as fast as it may",
                    burn=f"{burn_rate(bad / len(rows), promised.target):.2g}",
                    **words,
                ),
            )
        told = found.told
        if found.verdict is not Verdict.PASS:
            told, notes = (*notes, *told), ()
        if promised.criterion.metric is Metric.AVAILABILITY:
            notes += (line(spent(bad, len(rows), seconds)),)
        yield fact.of_sample("criterion", msgspec.structs.replace(found, kind=Kind.CHECK, told=told, notes=notes))
        yield fact("window.of_its_days_ratio", seconds / (promised.days * DAY_S), **words)


# -- beside the criteria -----------------------------------------------------------------------------------------


def of_summary(
    plan: Scenario,
    ledger: Ledger,
    window: Window,
    details: WeekDetails,
    results: Sequence[Judgement],
    *,
    whole: bool = True,
    missing: int = 0,
) -> Iterator[Fact]:
    """What the document wants to see of a window, and of this week's. ``whole``: it was judged to its end; ``missing``
    requests were due in it and are not in evidence."""
    seen = summarise(ledger, window, Side.API)
    of = details.applied
    asks = None if of is None else asked(of.deployment.template.containers, details.cpu_factor)
    yield from facts_window.indicators(seen, most_used(ledger, window, asks), plan, results)
    yield from facts_window.besides(ledger, window, seen)
    yield from facts_window.steps(plan, ledger, window)
    yield from facts_window.operations(ledger, window, missing)
    yield facts_window.load_test(plan, seen, whole=whole, missing=missing / window.seconds if missing else 0.0)


def without_the_flag(plan: Scenario, ledger: Ledger, window: Window, seed: int) -> Iterator[Fact]:
    """Of a week in which some users have the flag off: whether Firestore serves them throughout, and is written. Their
    schedule began with ``window``."""
    rows = ledger.requests_due(window, None)
    api, writes = rows["api"], rows["ok"] & np.isin(rows["operation"], WRITING)
    stayed = rows[~api]
    requests, failed = len(stayed), int(np.count_nonzero(~stayed["ok"]))
    due = stayers_due(plan.population, plan.population, seed, window.start_ns, window)
    missing = sum(each.id not in ledger.calls for each in due)
    yield _fact(
        "stayers.failed_ratio", failed / requests if requests else None, sampled=True, of=requests,
        low=ratio_lower(failed, requests + missing) if requests else None,
        high=ratio_upper(failed + missing, requests + missing) if requests else None,
        besides=lost_words(missing, requests), failed=f"{failed:,}", requests=f"{requests:,}",
    )  # fmt: skip
    direct, mirrored = int(np.count_nonzero(writes & ~api)), int(np.count_nonzero(writes & api))
    yield _fact("writes.direct", direct, of=direct, direct=f"{direct:,}", mirrored=f"{mirrored:,}")
    yield _fact("writes.mirrored", mirrored)


def of_roll_back(week: ObservedWindow, evidence: Gathered, logged: Collection[str] | None) -> Iterator[Fact]:
    """Of the steps of the roll back: carried out exactly when the run was rolled back. That the clients went back is
    the checkers' to say."""
    first, second, third = (FactsOf(PHRASES, case=step) for step in STEPS)
    if not week.rolled_back or week.decision is None:
        yield from (each.every(lacks=_NOT_ROLLED_BACK) for each in (first, second, third))
        return
    if week.off is not None:
        yield first("off_s", (week.off.at_ns - week.decision.at_ns) / NS)
    if logged is not None:
        yield from _recorded(third, evidence, logged)
        return
    why = (message("no pod's log was looked for"),)
    yield third.every(lacks=why) if evidence.samples else third.every(void=why)


def _recorded(fact: FactsOf, evidence: Gathered, logged: Collection[str]) -> Iterator[Fact]:
    """Whether of every pod that became ready the run's folder has a log, and the evidence CPU and memory. ``logged``
    are the pods whose log has records. A metric that was never above 0 was not measured."""
    ready = {row.subject for row in evidence.events if row.kind == "pod" and row.data.get("state") == PodState.READY}
    measured = [{row.subject for row in evidence.samples if row.metric == name and row.value > 0} for name in _METRICS]
    unlogged = [pod for pod in sorted(ready) if pod not in logged]
    lacking = [pod for pod in sorted(ready) if pod in unlogged or any(f"pod/{pod}" not in of for of in measured)]
    for name, pods in (("pods.unlogged", unlogged), ("pods.unrecorded", lacking)):
        yield fact(name, len(pods), of=len(ready), names=", ".join(pods) or "–")
