"""The rule of each experiment, by what is expected of it; and the checks of the whole run. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from harness.checks.agreement import DUAL_WRITE, PHOTOS
from harness.checks.walk_results import ONCE, READS
from harness.model.judgement import Judgement, Verdict
from harness.model.message import Message, message
from harness.model.scenario import Metric
from harness.rehearsals.chaos.facts import is_of_mirror
from harness.rehearsals.chaos.types import ChaosPlan, Expectation, PlannedExperiment
from harness.rules.rule import Rule, Rules

#: What is judged beside an experiment of which it is asked: whether what it disturbs spreads.
SPREADS = "spreads"


def rule_of(rules: Rules, plan: ChaosPlan, planned: PlannedExperiment) -> Rule:
    """Of ``planned``, an experiment of somebody's own as well. An erratum of the document is shown by failures where
    all else is kept."""
    expects = planned.experiment.expects
    every, kinds = rules["experiment"], [rules[name] for name in _kinds(plan, expects)]
    lines = (*every.decided_by, *(line for each in kinds for line in each.decided_by))
    shows = next((each.shows for each in kinds if each.shows is not None), None)
    if shows is not None:
        kept = (*shows.provided, *lines, *every.when)
        shows = msgspec.structs.replace(shows, erratum=expects.erratum, provided=kept)
    return msgspec.structs.replace(
        every,
        decided_by=lines,
        shows=shows,
        provided=(*every.provided, *(line for each in kinds for line in each.provided)),
        when=(*every.when, *(line for each in kinds for line in each.when)),
        claims=tuple(expects.claims[1:]),
        says=planned.experiment.title,
    )


def _kinds(plan: ChaosPlan, expects: Expectation) -> Iterator[str]:
    of = {
        "quick": expects.unharmed and any(each.metric is Metric.LATENCY_P95 for each in plan.criteria),
        "unharmed": expects.unharmed,
        "only_way": expects.answers_none,
        "mirror": is_of_mirror(expects),
        "series": expects.repeated is not None,
        "failover": expects.failover is not None,
        "erratum": bool(expects.erratum) and not expects.unharmed,
    }
    yield from (name for name, is_of in of.items() if is_of)


#: Their stores differ once PostgreSQL has lost what Firestore and Storage have, and answers lack what was lost.
SEE_THE_LOSS = (ONCE, READS, DUAL_WRITE, PHOTOS)


def as_counterexample(checks: Sequence[Judgement], wanted: str, follow: Sequence[str]) -> list[Judgement]:
    """The checks of a run that had to lose acknowledged writes: the checker ``wanted`` passes when it found them, which
    is a word on the checker, and on no claim.

    Checkers in ``follow`` see the same loss elsewhere, so what they find is told and counts for nothing.
    """
    found = message("the counterexample's loss was found, as it has to be")
    missed = message("the counterexample has to lose acknowledged writes, and nothing was found")
    turned = []
    for check in checks:
        changed = check
        if check.id == wanted and check.verdict is Verdict.FAIL:
            changed = _of_checker(check, Verdict.PASS, found)
        elif check.id == wanted and check.verdict is Verdict.PASS:
            changed = _of_checker(check, Verdict.FAIL, missed)
        elif check.id in follow and check.verdict is Verdict.FAIL:
            after = message("after the counterexample's loss")
            told = (after, *check.told)
            changed = msgspec.structs.replace(check, verdict=Verdict.NOT_EXERCISED, told=told, gates=False)
        turned.append(changed)
    return turned


def _of_checker(check: Judgement, verdict: Verdict, why: Message) -> Judgement:
    return msgspec.structs.replace(check, verdict=verdict, told=(why, *check.told), claim="", also=())
