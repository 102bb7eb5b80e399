"""Apache Bench, judged: one token meets the rate limiter, as the register says, or it does not. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.judge.claimed import shown_or_not, unknown
from harness.model.judgement import Judgement
from harness.model.message import message
from harness.model.scenario import RATE_LIMIT_PER_MIN
from harness.rehearsals.load_stages.types import Benched, LoadStagesPlan

ERRATUM = "load.ab_meets_rate_limit"
AB = "ab"


def benched(plan: LoadStagesPlan, found: Benched | None) -> Iterator[Judgement]:
    """Of a plan that has it. Refused were all but a minute's worth of requests, more or less what a burst allows; what
    the limiter was not seen to refuse, or where nothing was let through, another trouble may have refused. ``ab`` tells
    no status, so that the limiter is asked behind it; of any other program each refusal has to be the limiter's.
    """
    if plan.apache_bench is None:
        return
    if found is None or not found.answered:
        yield unknown("", ERRATUM, message("Apache Bench was not carried out, or got no answer"))
        return
    by_limiter = bool(found.limited) if found.program == AB else found.limited == found.not_2xx
    if found.not_2xx and not (by_limiter and found.not_2xx < found.answered):
        told = message(
            "{program}: {refused} of {answered} answers to one token were not 2xx; that the rate limiter refused "
            "them by 429, and let others through, was not seen",
            program=found.program,
            refused=str(found.not_2xx),
            answered=str(found.answered),
        )
        yield unknown("", ERRATUM, told)
        return
    allowed = plan.pods * RATE_LIMIT_PER_MIN
    if not found.not_2xx and found.answered <= allowed:
        told = message(
            "{program}: {answered} of {requests} requests with one token were answered, which {pods} pods may take of "
            "a user in a minute: what the rate limiter does with more was not seen",
            program=found.program,
            answered=str(found.answered),
            requests=str(found.requests),
            pods=str(plan.pods),
        )
        yield unknown("", ERRATUM, told)
        return
    told = message(
        "{program}: {answered} of {requests} requests with one token were answered, {at_once} at once; {refused} not "
        "by 2xx, for each of {pods} pods takes {limit} a minute of a user",
        program=found.program,
        answered=str(found.answered),
        requests=str(found.requests),
        at_once=str(found.at_once),
        refused=str(found.not_2xx),
        pods=str(plan.pods),
        limit=str(RATE_LIMIT_PER_MIN),
    )
    yield shown_or_not("", ERRATUM, found.not_2xx > 0, told, value=float(found.not_2xx), samples=found.answered)
