"""What an environment lacks of what a part needs: told of claims that nobody judged, and of no others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from harness.model.stack import Capability
from harness.model.verdict import Verdict
from harness.rehearsal.conclude import judged
from harness.rehearsal.rehearsal import Seen
from tests.rehearsal.made import seen
from tests.rehearsal.toy import Toy, ToyDetails, ToyPlan

LACKS, HAS = (Capability.REAL_PROCESSES,), (Capability.EVICTION, Capability.REAL_PROCESSES)


class Needy(Toy):
    """Cannot do without evictions; judges nothing where it counted no rows."""

    def needs(self, plan: ToyPlan) -> Mapping[str, Iterable[Capability]]:
        _ = plan
        return {"": (Capability.EVICTION,)}


class Elsewhere(Needy):
    """Another part needs them."""

    def needs(self, plan: ToyPlan) -> Mapping[str, Iterable[Capability]]:
        return {"other": super().needs(plan)[""]}


class Decides(Needy):
    """A week, which nothing unproved may advance."""

    decides = True


def verdict(toy: Toy, left: Seen[ToyDetails]) -> tuple[Verdict, bool]:
    (found,) = judged(toy, ToyPlan(), left)
    return found.verdict, found.gates


def test_a_claim_that_the_environment_cannot_show_gates_nothing() -> None:
    assert verdict(Needy(), seen(ToyDetails(), capabilities=LACKS)) == (Verdict.NOT_EXERCISED, False)


@pytest.mark.parametrize(
    ("toy", "capabilities"),
    [(Needy(), HAS), (Elsewhere(), LACKS), (Decides(), LACKS)],
    ids=["it has it", "another part needs it", "a week"],
)
def test_else_a_claim_that_nobody_judged_holds(toy: Toy, capabilities: tuple[Capability, ...]) -> None:
    assert verdict(toy, seen(ToyDetails(), capabilities=capabilities)) == (Verdict.INCONCLUSIVE, True)


def test_what_was_judged_is_judged_whatever_the_environment_lacks() -> None:
    assert verdict(Needy(), seen(ToyDetails(rows=0), capabilities=LACKS)) == (Verdict.FAIL, True)
