"""What an environment lacks of what a part needs: told of claims that nobody judged, and of no others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from harness.model.judgement import Verdict
from harness.model.stack import Capability
from harness.run.rehearsal import RunRecord
from harness.run.result import judged
from tests.rehearsal.made import seen
from tests.rehearsal.stand_in import StandIn, StandInDetails, StandInPlan

LACKS, HAS = (Capability.REAL_PROCESSES,), (Capability.EVICTION, Capability.REAL_PROCESSES)


class Needy(StandIn):
    """Cannot do without evictions; judges nothing where it counted no rows."""

    def needs(self, plan: StandInPlan) -> Mapping[str, Iterable[Capability]]:
        _ = plan
        return {"": (Capability.EVICTION,)}


class Elsewhere(Needy):
    """Another part needs them."""

    def needs(self, plan: StandInPlan) -> Mapping[str, Iterable[Capability]]:
        return {"other": super().needs(plan)[""]}


class Decides(Needy):
    """A week, which nothing unproved may advance."""

    decides = True


def verdict(stand_in: StandIn, left: RunRecord[StandInDetails]) -> tuple[Verdict, bool]:
    (found,) = judged(stand_in, StandInPlan(), left)
    return found.verdict, found.gates


def test_a_claim_that_the_environment_cannot_show_gates_nothing() -> None:
    assert verdict(Needy(), seen(StandInDetails(), capabilities=LACKS)) == (Verdict.NOT_EXERCISED, False)


@pytest.mark.parametrize(
    ("stand_in", "capabilities"),
    [(Needy(), HAS), (Elsewhere(), LACKS), (Decides(), LACKS)],
    ids=["it has it", "another part needs it", "a week"],
)
def test_else_a_claim_that_nobody_judged_holds(stand_in: StandIn, capabilities: tuple[Capability, ...]) -> None:
    assert verdict(stand_in, seen(StandInDetails(), capabilities=capabilities)) == (Verdict.INCONCLUSIVE, True)


def test_what_was_judged_is_judged_whatever_the_environment_lacks() -> None:
    assert verdict(Needy(), seen(StandInDetails(rows=0), capabilities=LACKS)) == (Verdict.FAIL, True)
