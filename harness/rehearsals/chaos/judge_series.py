"""A series of kills, held against the failures that were computed before it began. Pure."""

from __future__ import annotations

from harness.model.judgement import Judgement
from harness.model.message import message
from harness.model.verdict import Verdict
from harness.rehearsals.chaos.judge import adding
from harness.rehearsals.chaos.kill_series import Expected


def judged_against(computed: Expected, judged: Judgement, *, made: int, times: int) -> Judgement:
    """A verdict that stands otherwise falls when the failures are fewer than a quarter, or more than computed.

    With fewer kills ``made`` than the ``times`` that were computed with, nothing was held against anything.
    """
    if made != times:
        told = message("{made} of {times} were made", made=str(made), times=str(times))
        return adding(judged, told, verdict=Verdict.INCONCLUSIVE)
    failed = int(judged.value or 0)
    within = computed.least <= failed <= computed.most
    return adding(
        judged,
        message("{failed} failed of {computed}", failed=str(failed), computed=computed.told),
        message("allowed: {least} to {most}", least=str(computed.least), most=str(computed.most)),
        verdict=Verdict.FAIL if judged.verdict.good and not within else None,
    )
