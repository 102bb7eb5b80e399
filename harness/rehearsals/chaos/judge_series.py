"""A series of kills, held against the failures that were computed before it began. Pure."""

from __future__ import annotations

from harness.model.judgement import Judgement
from harness.model.message import message
from harness.model.verdict import Verdict
from harness.rehearsals.chaos.judge import adding
from harness.rehearsals.chaos.kill_series import Expected


def judged_against(computed: Expected, judged: Judgement, *, made: int, times: int, missing: int) -> Judgement:
    """A verdict that stands otherwise falls when the failures are fewer than a quarter, or more than computed.

    With fewer kills ``made`` than the ``times`` that were computed with, nothing was held against anything. Of calls
    that were due and are ``missing`` in evidence as many may have failed as would change the verdict.
    """
    if made != times:
        told = message("{made} of {times} were made", made=str(made), times=str(times))
        return adding(judged, told, verdict=Verdict.INCONCLUSIVE)
    failed = int(judged.value or 0)
    within = computed.least <= failed and failed + missing <= computed.most
    beyond = failed + missing < computed.least or failed > computed.most
    fallen = Verdict.FAIL if beyond else None if within else Verdict.INCONCLUSIVE
    return adding(
        judged,
        message("{failed} failed of {computed}", failed=str(failed), computed=computed.told),
        message("allowed: {least} to {most}", least=str(computed.least), most=str(computed.most)),
        verdict=fallen if judged.verdict.good else None,
    )
