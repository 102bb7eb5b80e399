"""A week judged: the rows through the ledger as of the moment at which the run judged. Pure.

The same code judges while the run is under way (``criteria``), at its end, and a stored run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from harness.base.clock import Anchor
from harness.base.units import Unit
from harness.checks.as_printed import PRINTED, as_printed
from harness.checks.invariants import CHECKS, CLAIM, OFF, judged_reads, switch_over_result
from harness.checks.isolation import wrong_answers
from harness.checks.off_in_time import not_whole_since
from harness.checks.stepwise import READ_ONLY, STEPWISE
from harness.checks.walk_results import READS, as_answered
from harness.judge import flag_log
from harness.judge.chance import chance_words, false_roll_backs
from harness.judge.figures import clears
from harness.judge.indicators import INDICATORS, indicators, week_check, week_checks
from harness.judge.judge import judge
from harness.judge.judged import CHECK_EVENT, FAULTS, of_event
from harness.judge.ledger import Ledger
from harness.judge.planned import planned_in
from harness.judge.pod_resources import asked, most_used
from harness.judge.success import crowded_words, failure_limit
from harness.judge.summary import summarise
from harness.judge.switch_over import SwitchOver, switch_over
from harness.judge.view import View
from harness.judge.window import NS, Window, of_step
from harness.judge.words import asked as asked_of
from harness.load.population.accounts import on_api
from harness.load.population.due import answered_by, due_list, requests_due
from harness.model.due import NOTHING_DUE, DueList
from harness.model.evidence import EventRow, ProbeRow, RequestRow, Row, Side
from harness.model.expected import Expected, expected_of
from harness.model.judgement import Judgement, Kind, observation
from harness.model.message import Message, Told, message, quantity
from harness.model.scenario import Criterion, Sample, Scenario
from harness.model.stack import Capability, Fault, lacks
from harness.model.verdict import Verdict
from harness.model.words import lacking_words
from harness.rehearsal.facts import patch_errata
from harness.rehearsal.rehearsal import Seen
from harness.rehearsals.rollout.details import WeekDetails
from harness.rehearsals.rollout.judge_beside import IN_ONE_PLACE, in_one_place, saved, without_the_flag
from harness.rehearsals.rollout.judge_objectives import PROMISED, objectives
from harness.rehearsals.rollout.observed import Moment, Observed, moment, observed
from harness.rehearsals.rollout.queries import as_counted, value_query

_ROLLBACK_STEPS = "rollout.rollback."
_ASKS_NO_USER = {"rollout.schedule.week3", "rollout.schedule.week4"}
_RATE_CLAIM = "rollout.week2.success.request_rate"
_CORRECTED_RATE = 0.9  # of what is offered: the erratum's correction asks for 3 of 3.3
_OWN = message("a criterion of the team's own, about no claim of the document")
_REHEARSALS_OWN = message("a criterion of the rehearsal's own, about no claim of the document")
_NOT_ROLLED_BACK: Told = (message("the run was not rolled back"),)


def judged_week(plan: Scenario, seen: Seen[WeekDetails]) -> Iterator[Judgement]:
    """Everything that a week's run says. Raises ``BadInput`` for evidence that another harness wrote."""
    rows = seen.evidence.rows
    week = observed(seen.evidence.events)
    found: list[Judgement] = []
    whole, due = False, NOTHING_DUE
    if week.planned is not None:
        due = due_list(plan, week.seed, week.planned.start_ns, week.planned.end_ns)
        at = moment(rows, seen.details, week.planned)
        whole = at.at_ns >= week.planned.end_ns
        lacking = not_exercised(plan, seen.facts.capabilities)
        ledger, flag = flag_log.of_rows(rows[: at.rows])
        results = judge(plan, ledger, week.planned, at.at_ns, due=due, not_exercised=lacking)
        view = View(plan, ledger, week.planned, at.at_ns, due)
        found += _criteria(view, week, at, results, seen.facts.replay)
        found += _users_left_out(plan, results)
        found += of_flag(plan, week.seed, flag, week.planned, at.at_ns, whole=whole and not week.rolled_back)
        found += objectives(plan, ledger, week.planned, at.at_ns, due)
        lost = _lost(plan, ledger, week, at)
        found += _window(plan, ledger, week.window, seen.details, results, whole=whole, missing=lost)
        found += without_the_flag(plan, seen.evidence.ledger, week.window, week.seed)
        if seen.details.logged is not None:
            found.append(in_one_place(seen.evidence.events, seen.evidence.samples, seen.details.logged))
    found += _checks(plan, week, rows, seen.facts.anchor, due if whole else NOTHING_DUE)
    if week.planned is not None and not week.rolled_back:
        found += unplanted(plan, seen.details.planted)
    found = _rate_without_margin(plan, found, whole=whole)
    yield from found
    yield from _steps(plan, week, seen, {claim for each in found for claim in each.claims})
    yield from patch_errata(seen.details)
    yield from () if seen.details.applied is None else as_printed(seen.details.applied, own=seen.facts.own_manifests)


def not_exercised(plan: Scenario, capabilities: Collection[str]) -> dict[str, Message]:
    """The criteria whose needs the environment lacks, each with the reason."""
    lacking = {each.id: lacks(each.needs, capabilities) for each in plan.criteria}
    return {criterion: lacking_words(needs) for criterion, needs in lacking.items() if needs}


def of_flag(
    plan: Scenario, seed: int, flag: flag_log.FlagLog, window: Window, at_ns: int, *, whole: bool
) -> tuple[Judgement, ...]:
    """The flag's checks at ``at_ns``, with what everybody had due in ``window`` and must be in evidence by then."""
    end_ns = answered_by(window, at_ns, plan.request_timeout_s, whole=whole)
    return flag.results(plan, at_ns, requests_due(plan.population, seed, window.start_ns, end_ns))


def unplanted(plan: Scenario, planted: Iterable[Fault]) -> Iterator[Judgement]:
    """Inconclusive where a fault of the plan was not injected in its window, which shows nothing of it then."""
    left = Counter(plan.faults) - Counter(planted)
    if left:
        told = tuple(
            message("the run left no word that it was injected in the window: {fault}", fault=fault.told)
            for fault in left.elements()
        )
        yield Judgement(id=FAULTS, kind=Kind.CHECK, verdict=Verdict.INCONCLUSIVE, told=told)


def promised(plan: Scenario) -> list[str]:
    """The claims that the scenario names, and those of its criteria."""
    return [*dict.fromkeys((*plan.claims, *(each.claim for each in plan.criteria if each.claim)))]


def deciding(plan: Scenario) -> Iterator[Expected]:
    """What a week is decided by: the criteria, the checks, and the claims that the scenario names. The steps of a roll
    back are none of a week that was not rolled back."""
    yield from (Expected("", each.id, each.claim, kind=each.kind) for each in plan.criteria)
    checks = {flag_log.SHARE: "", flag_log.STEADY: "", **{check: CLAIM[check] for check in CHECKS}}
    yield from expected_of(checks.items(), kind=Kind.CHECK)
    yield from (Expected("", claim, claim) for claim in promised(plan) if not claim.startswith(_ROLLBACK_STEPS))


def beside(plan: Scenario, capabilities: Collection[str]) -> Iterator[Expected]:
    """What else is told of a week, and what became of a roll back's steps."""
    claims = [*INDICATORS, *week_checks(plan), *promised(plan)]
    if plan.population.users != plan.population.flag_on:
        claims += [STEPWISE, READ_ONLY]
    elif not plan.faults:
        claims += [each.criterion.claim for each in PROMISED]
    if Capability.REAL_PROCESSES in capabilities:
        claims += [IN_ONE_PLACE, *PRINTED]
    yield from expected_of(((claim, claim) for claim in claims), kind=Kind.CHECK)


def switched(plan: Scenario, seed: int, ledger: Ledger, off: EventRow) -> SwitchOver:
    """How far the clients of a week are back on Firestore, by what ``ledger`` holds, after ``off``."""
    return switch_over(ledger, off.at_ns, on_api(plan.population, seed), plan.switch_over_limit_s)


def switched_of(plan: Scenario, rows: Sequence[Row], week: Observed) -> SwitchOver | None:
    """The same of a run that was rolled back, as it was judged; ``None`` of one that was not, or broke before."""
    for number, row in enumerate(rows):
        if week.off is not None and isinstance(row, EventRow) and (row.kind, row.subject) == (CHECK_EVENT, OFF):
            return switched(plan, week.seed, _ledger(rows[:number]), week.off)
    return None


def _lost(plan: Scenario, ledger: Ledger, week: Observed, at: Moment) -> int:
    """How many requests were due in the window until the judge was asked, and are not in evidence."""
    assert week.planned is not None
    start_ns = week.planned.start_ns
    window = Window(start_ns=start_ns, end_ns=max(start_ns, min(week.planned.end_ns, at.at_ns)))
    due = due_list(plan, week.seed, start_ns, window.end_ns)
    return planned_in(ledger, due, window)[0].missing


def _ledger(rows: Iterable[Row]) -> Ledger:
    ledger = Ledger()
    ledger.extend(rows)
    return ledger


def _criteria(view: View, week: Observed, at: Moment, results: Iterable[Judgement], replay: str) -> Iterator[Judgement]:
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
        yield msgspec.structs.replace(result, told=told, notes=notes, reproduce=query)


def _users_left_out(plan: Scenario, results: Sequence[Judgement]) -> Iterator[Judgement]:
    """The erratum of weeks whose criteria in the document ask no user: what the rehearsal asks of the users failed, and
    the document's availability was kept meanwhile, with no criterion of the document failed."""
    found = [*zip(plan.criteria, results, strict=True)]
    broken = [each for of, each in found if not of.claim and of.asks is Sample.USERS and each.verdict is Verdict.FAIL]
    of_document = [(of, each) for of, each in found if of.claim]
    kept = [each for of, each in of_document if of.kind is Kind.CRITERION and of.asks is Sample.PROBES
            and each.value is not None and clears(of.comparison, each.value, of.threshold)]  # fmt: skip
    failed = any(each.verdict is Verdict.FAIL for _, each in of_document)
    if _ASKS_NO_USER & {*plan.claims} and broken and kept and not failed:
        told = (message("the document's criteria of the week were kept meanwhile"), *broken[0].told)
        yield observation(f"users:{broken[0].id}", told, erratum="rollout.week3.errors_dropped")


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


def _window(
    plan: Scenario,
    ledger: Ledger,
    window: Window,
    details: WeekDetails,
    results: Sequence[Judgement],
    *,
    whole: bool = True,
    missing: int = 0,
) -> Iterator[Judgement]:
    """What the document wants to see of a window, and of this week's."""
    seen = summarise(ledger, window, Side.API)
    of = details.applied
    asks = None if of is None else asked(of.deployment.template.containers, details.cpu_factor)
    yield from indicators(seen, most_used(ledger, window, asks), plan, results)
    yield from week_check(plan, seen, ledger, window, results, whole=whole, missing=missing)


def _checks(plan: Scenario, week: Observed, rows: Sequence[Row], anchor: Anchor, due: DueList) -> Iterator[Judgement]:
    """The checks that the run told of, in their order: judged again where the rows say it, with what was ``due`` in a
    window that was judged whole; those of the stores as they were told, for the stores are gone.
    """
    answers = wrong_answers(rows)
    for number, row in enumerate(rows):
        if not isinstance(row, EventRow) or row.kind != CHECK_EVENT:
            continue
        before = rows[:number]
        requests = [each for each in before if isinstance(each, RequestRow)]
        if row.subject == OFF and week.off is not None:
            unseen = not_whole_since(requests, on_api(plan.population, week.seed), week.off.at_ns)
            yield switch_over_result(switched(plan, week.seed, _ledger(before), week.off), unseen)
        elif row.subject == READS and week.planned is not None:
            yield judged_reads(
                requests,
                [each for each in before if isinstance(each, ProbeRow)],
                plan,
                seed=week.seed,
                anchor_unix_ns=anchor.unix_ns,
                bucket=week.bucket,
                due=due,
            )
        else:
            yield as_answered(of_event(row), answers)


def _steps(plan: Scenario, week: Observed, seen: Seen[WeekDetails], known: set[str]) -> Iterator[Judgement]:
    """The steps of the roll back that the scenario names and nothing else told of: carried out exactly when the run was
    rolled back.
    """
    for claim in promised(plan):
        if claim in known or not claim.startswith(_ROLLBACK_STEPS):
            continue
        never = (Verdict.NOT_EXERCISED, _NOT_ROLLED_BACK)
        verdict, told = step_of_roll_back(claim, plan, week, seen) if week.rolled_back else never
        if told:  # a step that was not reached is told by whoever asks what the plan promised
            yield Judgement(id=claim, claim=claim, verdict=verdict, told=told, kind=Kind.CHECK, gates=False)


def step_of_roll_back(claim: str, plan: Scenario, week: Observed, seen: Seen[WeekDetails]) -> tuple[Verdict, Told]:
    """What became of a step of the roll back; () of one that was not reached."""
    assert week.decision is not None
    if claim.endswith(".step1") and week.off is not None:
        seconds = (week.off.at_ns - week.decision.at_ns) / NS
        told = message("the flag was published off {seconds} s after the decision", seconds=f"{seconds:.1f}")
        return (Verdict.PASS if seconds <= plan.switch_over_limit_s else Verdict.FAIL), (told,)
    if claim.endswith(".step3"):
        if lacking := lacks([Capability.REAL_PROCESSES], seen.facts.capabilities):
            return Verdict.NOT_EXERCISED, (lacking_words(lacking),)
        return saved(seen.evidence, seen.details.logged)
    return Verdict.INCONCLUSIVE, ()


def _rate_without_margin(plan: Scenario, found: Sequence[Judgement], *, whole: bool) -> list[Judgement]:
    """The judgements, with what a week's window showed of a rate without a margin, where just as many requests are
    offered as it asks for (``--pace 50s``), so that one late request fails it. Where the criterion cannot be judged
    for that, the erratum is the word on the claim; unless fewer came than its correction asks for, or the window was
    not judged ``whole``.
    """
    population = plan.population
    offered = round(population.flag_on / population.pace_s, 9)
    all_of = [*found]
    for number, each in enumerate(found):
        if population.steps or each.claim != _RATE_CLAIM or each.limit != offered:
            continue  # with steps what is offered changes, and is not the document's
        if each.value is None or each.value < _CORRECTED_RATE * offered:
            continue
        told = message(
            "{users} users at one request in {pace} s offer {offered}/s, which is just what is asked for: "
            "{came}/s came",
            users=str(population.flag_on),
            pace=f"{population.pace_s:g}",
            offered=f"{offered:g}",
            came=f"{each.value:.4g}",
        )
        seen = observation(f"rate:{each.id}", (told,), erratum="rollout.week2.rate_without_margin")
        if each.verdict is Verdict.INCONCLUSIVE and whole:
            all_of[number] = msgspec.structs.replace(each, claim="")
            seen = msgspec.structs.replace(seen, claim=_RATE_CLAIM)
        all_of.append(seen)
    return all_of
