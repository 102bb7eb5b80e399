"""Whole runs over one population in virtual time: what advances, what holds, what is rolled back, and judged again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from harness.base.errors import Exit
from harness.load.population.schedule import accounts
from harness.model.judgement import Decision, Judgement, Verdict, errata_of
from harness.model.result import Result
from harness.rehearsals.one_stack.rehearsal import REHEARSAL
from harness.stack.sim.world import PlantedFaults
from tests.one_stack.small import plan, ran
from tests.one_stack.test_judge import MOVED, OLD_WALKS
from tests.rehearsal.made import by_id, judged_again

pytestmark = pytest.mark.sim
LEGS = ["week1", "week2", "week3", "week2_again", "week3_again", "week4"]


@pytest.fixture(scope="module")
def rolled_back_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """A healthy target; the plan puts everybody back after week 3. Nobody changes it. Week 1 alone has so few users
    that its error ratio needs 20 s to be known.
    """
    first, *others = plan().weeks
    weeks = (first, *(msgspec.structs.replace(week, window_s=10.0) for week in others))
    return ran(tmp_path_factory.mktemp("healthy"), plan(weeks=weeks, before_s=10.0, roll_back_after=3))


def why(result: Result) -> str:
    return "\n".join(f"{each.part} {each.id}: {each.verdict}; {each.reason}" for each in result.judgements)


def of(result: Result, id_: str) -> dict[str, Judgement]:
    return {each.part: each for each in result.judgements if each.id == id_}


def test_a_healthy_target_advances_through_a_roll_back_and_every_week(rolled_back_once: tuple[Result, Path]) -> None:
    result, _ = rolled_back_once
    assert (result.decision, result.exit_status) == (Decision.ADVANCE, Exit.OK), why(result)
    assert [part.name for part in result.parts] == [*LEGS, "mirror_stop"]
    assert {each.verdict for each in of(result, "success.error_ratio").values()} == {Verdict.PASS}
    share = of(result, "flag.share")
    assert [share[leg].value for leg in LEGS] == pytest.approx([0.1, 0.3, 0.5, 0.3, 0.5, 1.0])
    assert by_id(result.judgements)["migration.stepwise"].verdict is Verdict.PASS
    back = of(result, "flag.off_in_time")["week3"]
    assert (back.verdict, back.samples) == (Verdict.PASS, 25)


def test_where_nothing_is_migrated_the_erratum_is_shown_and_nobody_says_that_walks_moved(
    rolled_back_once: tuple[Result, Path],
) -> None:
    result, _ = rolled_back_once
    shown = of(result, OLD_WALKS)
    assert {shown[leg].verdict for leg in LEGS} == {Verdict.ERRATUM_SHOWN}, why(result)
    assert "5 lack locations" in shown["week2_again"].reason  # what Firestore was told while they were back
    assert {"dual_write.one_way", "migration.firestore_is_written"} <= set(errata_of(result.judgements))


def test_what_a_simulation_lacks_is_told_and_holds_nothing(rolled_back_once: tuple[Result, Path]) -> None:
    result, _ = rolled_back_once
    for lacking in (of(result, "dual_write.stop")["mirror_stop"], of(result, "account.ended")[""]):
        assert (lacking.verdict, lacking.gates) == (Verdict.NOT_EXERCISED, False)


def test_a_stored_run_is_judged_again_to_the_same(rolled_back_once: tuple[Result, Path]) -> None:
    result, folder = rolled_back_once
    assert judged_again(REHEARSAL, folder) == result.judgements


def test_a_lost_write_holds_and_the_claim_is_not_kept(tmp_path: Path) -> None:
    result, _ = ran(tmp_path, plan(weeks=plan().weeks[2:], before_s=10.0), PlantedFaults(puts_lost=50))
    assert result.decision is Decision.HOLD
    told = by_id(result.judgements)
    assert told["writes.acknowledged"].verdict is told["migration.stepwise"].verdict is Verdict.FAIL


def test_a_limit_that_fires_ends_the_course_and_puts_everybody_back(tmp_path: Path) -> None:
    result, _ = ran(tmp_path, plan(before_s=10.0), PlantedFaults(errors=Fraction(1, 2)))
    assert (result.decision, result.exit_status) == (Decision.ROLL_BACK, Exit.ROLLED_BACK), why(result)
    assert of(result, "rollback.error_ratio")["week1"].fired
    assert of(result, "flag.off_in_time")["week1"].verdict is Verdict.PASS
    later = {part: each.verdict for part, each in of(result, MOVED).items() if part != "week1"}
    assert later == dict.fromkeys(("week2", "week3", "week4"), Verdict.INCONCLUSIVE)
    assert by_id(result.judgements)["migration.stepwise"].verdict is Verdict.INCONCLUSIVE


def test_a_client_that_hears_of_nothing_never_moves_and_holds(tmp_path: Path) -> None:
    deaf = frozenset(each.instance_id for each in accounts(plan().population, 1)[:1])
    result, _ = ran(tmp_path, plan(weeks=plan().weeks[:1], before_s=10.0), PlantedFaults(deaf=deaf))
    assert of(result, MOVED)["week1"].verdict is of(result, "flag.share")["week1"].verdict is Verdict.FAIL, why(result)
    assert result.decision is Decision.HOLD
