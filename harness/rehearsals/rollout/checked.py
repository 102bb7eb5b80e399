"""The checkers' word on a week, as its run told it and as its rows say it again. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from harness.base.clock import Anchor
from harness.checks.as_printed import as_printed
from harness.checks.invariants import OFF, switch_over_result
from harness.checks.isolation import wrong_answers
from harness.checks.off_in_time import not_whole_since
from harness.checks.read_facts import judged_reads
from harness.checks.walk_results import READS, as_answered
from harness.load.population.accounts import on_api
from harness.load.population.due import answered_by, due_list, requests_due
from harness.model.due import NOTHING_DUE, DueList
from harness.model.evidence import EventRow, ProbeRow, RequestRow, Row
from harness.model.judgement import Judgement, Kind
from harness.model.message import message
from harness.model.scenario import Scenario
from harness.model.stack import Fault
from harness.model.verdict import Verdict
from harness.rehearsals.rollout.observed import ObservedWindow, WeekDetails, moment, observed
from harness.rules import flag_log
from harness.rules.judged import CHECK_EVENT, FAULTS, of_event
from harness.rules.ledger import Ledger
from harness.rules.switch_over import SwitchOver, switch_over
from harness.rules.window import Window
from harness.run.facts import patch_errata
from harness.run.rehearsal import RunRecord


def checks(plan: Scenario, seen: RunRecord[WeekDetails]) -> Iterator[Judgement]:
    """The checks of the flag, of the faults, of the stores and of the manifests. Raises ``BadInput`` for evidence that
    another harness wrote."""
    rows, week, due = seen.evidence.rows, observed(seen.evidence.events), NOTHING_DUE
    if (window := week.planned) is not None:
        at = moment(rows, seen.details, window)
        whole = at.at_ns >= window.end_ns
        due = due_list(plan, week.seed, window.start_ns, window.end_ns) if whole else NOTHING_DUE
        _, flag = flag_log.of_rows(rows[: at.rows])
        whole = whole and not week.rolled_back
        yield from of_flag(plan, week.seed, flag, window, at.at_ns, whole=whole)
        yield from () if week.rolled_back else unplanted(plan, seen.details.planted)
    yield from _told(plan, week, rows, seen.facts.anchor, due)
    yield from patch_errata(seen.details)
    if seen.details.applied is not None:
        yield from as_printed(seen.details.applied, own=seen.facts.own_manifests)


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


def switched_of(plan: Scenario, rows: Sequence[Row], week: ObservedWindow) -> SwitchOver | None:
    """How far the clients of a week that was rolled back are on Firestore again, as it was judged; ``None`` of one that
    was not rolled back, or broke before."""
    for number, row in enumerate(rows):
        if week.off is not None and isinstance(row, EventRow) and (row.kind, row.subject) == (CHECK_EVENT, OFF):
            return _switched(plan, week.seed, rows[:number], week.off)
    return None


def _switched(plan: Scenario, seed: int, rows: Iterable[Row], off: EventRow) -> SwitchOver:
    ledger = Ledger()
    ledger.extend(rows)
    return switch_over(ledger, off.at_ns, on_api(plan.population, seed), plan.switch_over_limit_s)


def _told(
    plan: Scenario, week: ObservedWindow, rows: Sequence[Row], anchor: Anchor, due: DueList
) -> Iterator[Judgement]:
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
            yield switch_over_result(_switched(plan, week.seed, before, week.off), unseen)
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
