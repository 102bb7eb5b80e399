"""The checks of a run of experiments; where it had to lose acknowledged writes, that the loss was found. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.checks.agreement import DUAL_WRITE, PHOTOS
from harness.checks.walk_results import ACKNOWLEDGED, ONCE, READS
from harness.checks.whole_run import of_whole_run
from harness.evidence.gathered import Gathered
from harness.model.judgement import Judgement
from harness.model.message import Message, message
from harness.model.verdict import Verdict
from harness.rehearsals.chaos.types import ChaosPlan

#: Their stores differ once PostgreSQL has lost what Firestore and Storage have, and answers lack what was lost.
_SEE_THE_LOSS = (ONCE, READS, DUAL_WRITE, PHOTOS)


def checks(plan: ChaosPlan, evidence: Gathered) -> Sequence[Judgement]:
    """The checks of the whole run; where it had to lose acknowledged writes, that it was found."""
    found = of_whole_run(evidence.events)
    expectations = [each.experiment.expects for each in plan.experiments]
    if any(each.failover and not each.failover.synchronous for each in expectations):
        return as_counterexample(found, ACKNOWLEDGED, _SEE_THE_LOSS)
    return found


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
