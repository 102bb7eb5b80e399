"""A run of experiments, judged by its plan, its details and its evidence. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from harness.checks.agreement import DUAL_WRITE, PHOTOS
from harness.checks.walk_results import ACKNOWLEDGED, ONCE, READS
from harness.checks.whole_run import EXPECTED, of_whole_run
from harness.evidence.gathered import Gathered
from harness.judge.claimed import not_exercised
from harness.judge.leaving import NO_PRESTOP, NONE_MEANWHILE, failed_while_leaving
from harness.judge.window import Window
from harness.load.population.due import due_within
from harness.model.due import DueList
from harness.model.judgement import Judgement
from harness.model.message import Message, message, verbatim
from harness.model.stack import lacks
from harness.model.verdict import Verdict
from harness.rehearsal.conclude import accounted
from harness.rehearsals.chaos.judge import adding, judge, outright, span, stretch
from harness.rehearsals.chaos.judge_failover import as_counterexample, failover_of, judged_failover, on_server
from harness.rehearsals.chaos.judge_reach import cut_off, ended_ns, read_and_written, spread
from harness.rehearsals.chaos.judge_series import judged_against
from harness.rehearsals.chaos.kill_series import expected
from harness.rehearsals.chaos.types import ChaosDetails, ChaosPlan, Made, PlannedExperiment
from harness.report.words import lacking_words

#: Their stores differ once PostgreSQL has lost what Firestore and Storage have, and answers lack what was lost.
_SEE_THE_LOSS = (ONCE, READS, DUAL_WRITE, PHOTOS)

_OF_MIRROR = "dual_write."


def part_of(plan: ChaosPlan, number: int) -> str:
    """The part of the experiment ``number`` (from 1)."""
    return plan.experiments[number - 1].part or str(number)


def names(plan: ChaosPlan) -> list[str]:
    """The judgements' ids, in the order of the experiments: the experiment's name, and its number in its part where
    that has several of the name."""
    keys = [(part_of(plan, number), each.experiment.name) for number, each in enumerate(plan.experiments, 1)]
    return [
        f"{key[1]}.{keys[:place].count(key) + 1}" if keys.count(key) > 1 else key[1] for place, key in enumerate(keys)
    ]


def experiments(
    plan: ChaosPlan, details: ChaosDetails, evidence: Gathered, *, seed: int, capabilities: Iterable[str]
) -> Iterator[Judgement]:
    """The verdict on every experiment of the plan, whatever became of the run."""
    made, there = {each.number: each for each in details.made}, tuple(capabilities)
    for number, planned in enumerate(plan.experiments, 1):
        claim = planned.experiment.expects.spreads
        if missing := lacks(planned.experiment.expects.needs, there):
            found = not_exercised("", "", lacking_words(missing))
            beside = not_exercised("", claim, lacking_words(missing))
        elif number in made:
            found = of_experiment(plan, details, made[number], evidence, seed=seed)
            missing_ns = _missing_ns(_due_in_all(plan, details, seed), evidence)
            beside = spread(claim, evidence.ledger, made[number], details.made, missing_ns)
        else:
            continue
        yield _placed(plan, number, planned, found)
        if claim:
            yield msgspec.structs.replace(beside, part=part_of(plan, number))


def of_experiment(plan: ChaosPlan, details: ChaosDetails, made: Made, evidence: Gathered, *, seed: int) -> Judgement:
    """The verdict on one that was made; see ``experiments`` for its place."""
    expects = plan.experiments[made.number - 1].experiment.expects
    if expects.repeated is not None and made.tried == ():
        return _inconclusive(message("there was no steady state to try the detection from"))
    if expects.repeated is not None and made.series is None and not made.broken:
        return _inconclusive(message("the run left no word of the series of kills that was to be made"))
    due, steady = (_due(plan, details, window, seed) for window in (span(made), stretch(made)))
    missing_ns = _missing_ns(due, evidence)
    judged = judge(evidence.ledger, made, expects, plan.criteria, due=due, steady=steady)
    judged = _by_what_leaves(judged, made, evidence)
    lost = outright(evidence.requests, made.start_ns, made.undone_ns or made.end_ns)
    judged = judged if lost is None else adding(judged, lost)
    if expects.answers_none:
        only, way = cut_off(evidence.ledger.calls_due(span(made)), made, missing_ns)
        judged = adding(judged, way, verdict=only if judged.verdict is Verdict.PASS else None)
    if expects.unharmed:
        both, counted = read_and_written(evidence.ledger, made)
        judged = adding(judged, counted, verdict=both if judged.verdict is Verdict.PASS else None)
    if judged.verdict is Verdict.PASS and any(claim.startswith(_OF_MIRROR) for claim in expects.claims):
        judged = _as_mirrored(judged, accounted(EXPECTED, checks(plan, evidence)))
    if expects.repeated is not None and made.series is not None:
        times, missing = expects.repeated.times, len(missing_ns)
        judged = judged_against(expected(made.series), judged, made=made.repeated, times=times, missing=missing)
    if expects.failover is not None:
        found = failover_of(made, expects.failover, evidence, missing_ns)
        judged = on_server(judged_failover(expects.failover, found, judged), made.server)
    if not made.broken:
        return judged
    told = message("the experiment could not be made: {why}", why=verbatim(made.broken))
    return msgspec.structs.replace(judged, verdict=Verdict.INCONCLUSIVE, told=(told,), erratum="")


def _as_mirrored(judged: Judgement, found: Iterable[Judgement]) -> Judgement:
    """A target that wrote no documents shows nothing of when it writes them, and one that wrote wrong ones no more."""
    mirror = next(each for each in found if each.id == DUAL_WRITE)
    verdict = Verdict.NOT_EXERCISED if mirror.verdict is Verdict.NOT_EXERCISED else Verdict.INCONCLUSIVE
    return adding(judged, *mirror.told, verdict=verdict) if mirror.holds else judged


def _by_what_leaves(judged: Judgement, made: Made, evidence: Gathered) -> Judgement:
    """The erratum on pods that leave is shown by what failed as some did."""
    if judged.erratum != NO_PRESTOP or failed_while_leaving(evidence.ledger, evidence.events, span(made)):
        return judged
    return adding(judged, NONE_MEANWHILE, verdict=Verdict.INCONCLUSIVE)


def _due(plan: ChaosPlan, details: ChaosDetails, window: Window, seed: int) -> DueList:
    """What was due in ``window``."""
    return due_within(plan.scenario, seed, details.origin_ns, window.start_ns, window.end_ns)


def _due_in_all(plan: ChaosPlan, details: ChaosDetails, seed: int) -> DueList:
    """What users had due until the last experiment had ended: what one reaches is told from all that it did not."""
    due = due_within(plan.scenario, seed, details.origin_ns, 0, ended_ns(details.made))
    return msgspec.structs.replace(due, probes=())


def _missing_ns(due: DueList, evidence: Gathered) -> list[int]:
    """When each call of the list was due that is not in evidence."""
    return [each.due_ns for each in (*due.requests, *due.probes) if each.id not in evidence.ledger.calls]


def checks(plan: ChaosPlan, evidence: Gathered) -> Sequence[Judgement]:
    """The checks of the whole run; where it had to lose acknowledged writes, that it was found."""
    found = of_whole_run(evidence.events)
    expectations = [each.experiment.expects for each in plan.experiments]
    if any(each.failover and not each.failover.synchronous for each in expectations):
        return as_counterexample(found, ACKNOWLEDGED, _SEE_THE_LOSS)
    return found


def _placed(plan: ChaosPlan, number: int, planned: PlannedExperiment, found: Judgement) -> Judgement:
    claims = planned.experiment.expects.claims
    return msgspec.structs.replace(
        found,
        id=names(plan)[number - 1],
        part=part_of(plan, number),
        asked=(Message(text=planned.experiment.title),),
        claim=claims[0] if claims else "",
        also=tuple(claims[1:]),
    )


def _inconclusive(why: Message) -> Judgement:
    return Judgement(id="experiment", verdict=Verdict.INCONCLUSIVE, told=(why,))
