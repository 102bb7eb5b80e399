"""A team's own criteria and claims in a week: judged as the document's are, and shown as the team's."""

from __future__ import annotations

import sqlite3
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from harness.evidence.store import EVIDENCE, Gathered
from harness.model.claim import OwnClaim, Statement
from harness.model.evidence import Operation
from harness.model.judgement import Decision, Judgement, Kind, Verdict
from harness.model.result import Result
from harness.model.scenario import Comparison, Criterion, Metric, Scenario
from harness.rehearsals.rollout.observed import WeekDetails
from harness.rehearsals.rollout.week import REHEARSAL
from harness.report.html import render
from harness.report.language import language
from harness.rules.judged import combine
from harness.run.rehearsal import RunRecord
from harness.run.result import Page, build_result, judged
from harness.stack.sim.world import PlantedFaults
from tests.register import REGISTER
from tests.rehearsal.again import judged_again
from tests.rehearsal.made import by_id
from tests.rollout.synthetic import Week, facts_of, generate
from tests.sim.week import few, table, week

CLAIM = OwnClaim(
    id="walks.availability",
    statement=Statement(en="The walks are there.", ja="散歩の記録はいつでも開ける。"),
    document="Service levels",
    section="2.1",
)


def rule(claim: str) -> Criterion:
    return Criterion(
        id="success.availability",
        claim=claim,
        kind=Kind.CRITERION,
        metric=Metric.AVAILABILITY,
        comparison=Comparison.ABOVE,
        threshold=0.995,
    )


def result(*promised: str, claim: str = "", own: tuple[OwnClaim, ...] = ()) -> Result:
    made = Week(users=40, criteria=(rule(claim),))
    gathered = Gathered()
    gathered.see(generate(made))
    plan = msgspec.structs.replace(made.scenario, claims=promised, own_claims=own)
    seen = RunRecord(facts=facts_of(made), details=WeekDetails(), evidence=gathered)
    return build_result(REHEARSAL, plan, seen, judged(REHEARSAL, plan, seen), Page(REHEARSAL.title(plan)), run_id="r")


def criterion_of(found: Result) -> Judgement:
    return by_id(found.judgements)["success.availability"]


OURS = msgspec.structs.replace(
    few(table(3), window_s=8.0),
    claims=(),
    criteria=(msgspec.structs.replace(rule(""), threshold=0.95),),  # carried by 59 probes
)


def test_a_criterion_without_a_claim_is_judged_under_its_own_id(tmp_path: Path) -> None:
    found = week(tmp_path, OURS)
    judgement = criterion_of(found.run)
    assert (judgement.verdict, judgement.claims) == (Verdict.PASS, ()), judgement.reason
    assert "the team's own" in str(judgement.notes[0])
    assert not [each for each in found.run.judgements if not each.id]
    judged_again(REHEARSAL, Scenario, found.folder)


def test_bad_evidence_fails_a_criterion_without_a_claim(tmp_path: Path) -> None:
    found = week(tmp_path, OURS, planted=PlantedFaults(unavailable=Fraction(1, 4)))
    assert criterion_of(found.run).verdict is Verdict.FAIL
    assert found.run.decision is Decision.HOLD


def test_a_claim_of_the_team_has_its_criterions_verdict() -> None:
    found = result(CLAIM.id, claim=CLAIM.id, own=(CLAIM,))
    assert criterion_of(found).claims == (CLAIM.id,)
    assert [each.id for each in found.judgements if CLAIM.id in each.claims] == ["success.availability"]
    assert not criterion_of(found).notes or "the team's own" not in str(criterion_of(found).notes[0])


def test_a_claim_of_the_team_that_nothing_judged_is_inconclusive_and_holds() -> None:
    found = result(CLAIM.id, own=(CLAIM,))
    judgement = by_id(found.judgements)[CLAIM.id]
    assert (judgement.verdict, judgement.gates) == (Verdict.INCONCLUSIVE, True)
    assert found.decision is Decision.HOLD


def test_it_holds_the_week_from_the_decision_on(tmp_path: Path) -> None:
    found = week(tmp_path, msgspec.structs.replace(OURS, claims=(CLAIM.id,), own_claims=(CLAIM,)))
    assert found.run.decision is Decision.HOLD, "and not by what was added after it"
    assert found.observed.decision is not None and found.observed.decision.subject == Decision.HOLD
    assert "not in evidence" in found.observed.decision.message
    (judgement,) = [each for each in found.run.judgements if CLAIM.id in each.claims]
    assert judgement.verdict is Verdict.INCONCLUSIVE
    others = [each for each in found.run.judgements if each.key != judgement.key]
    assert combine(tuple(others)) is Decision.ADVANCE, found.why
    judged_again(REHEARSAL, Scenario, found.folder)


@pytest.mark.parametrize(("code", "words"), [("en", CLAIM.statement.en), ("ja", CLAIM.statement.ja)])
def test_the_page_states_the_claim_in_its_language(tmp_path: Path, code: str, words: str) -> None:
    page = render(tmp_path, result(CLAIM.id, claim=CLAIM.id, own=(CLAIM,)), REGISTER, language(code))
    assert words in page
    assert "Service levels, 2.1" in page
    assert "The register of claims does not know it." not in page


def test_the_claim_is_in_the_stored_result() -> None:
    found = result(CLAIM.id, claim=CLAIM.id, own=(CLAIM,))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Result).own_claims == (CLAIM,)


def asked(
    kind: Kind, metric: Metric, comparison: Comparison, threshold: float, operation: Operation | None
) -> Criterion:
    return Criterion(
        id=f"{kind}.{metric}.{operation}",
        kind=kind,
        metric=metric,
        comparison=comparison,
        threshold=threshold,
        operation=operation,
    )


LIMITS = (
    asked(Kind.CRITERION, Metric.LATENCY_P50, Comparison.BELOW, 100.0, None),
    asked(Kind.CRITERION, Metric.LATENCY_P99, Comparison.BELOW, 900.0, None),
    asked(Kind.CRITERION, Metric.ERROR_RATIO, Comparison.BELOW, 0.01, Operation.PUT_WALK),
    asked(Kind.CRITERION, Metric.LATENCY_P95, Comparison.BELOW, 500.0, Operation.LIST_WALKS),
    asked(Kind.ROLLBACK_LIMIT, Metric.LATENCY_P50, Comparison.ABOVE, 9_000.0, Operation.PUT_WALK),
)


def test_the_query_beside_a_quantile_and_beside_one_operation_gives_the_value(tmp_path: Path) -> None:
    plan = msgspec.structs.replace(OURS, criteria=LIMITS)
    found = week(tmp_path, plan, planted=PlantedFaults(errors=Fraction(1, 3)))
    assert "of put_walk < 1 %" in found.printed
    judgements = by_id(found.run.judgements)
    with sqlite3.connect(found.folder / EVIDENCE) as connection:
        for each in LIMITS:
            value, samples = connection.execute(judgements[each.id].reproduce).fetchone()
            assert (value, samples) == (pytest.approx(judgements[each.id].value), judgements[each.id].samples), each.id
    puts = judgements[LIMITS[2].id]
    assert puts.verdict is Verdict.FAIL and 0 < puts.samples < len(found.rows)
    judged_again(REHEARSAL, Scenario, found.folder)


def test_a_claim_of_the_document_that_nothing_judged_is_inconclusive_and_holds(tmp_path: Path) -> None:
    """The scenario names what it does not judge: an easier criterion of one's own is no answer to it."""
    named = "rollout.week3.success.availability"
    found = week(tmp_path, msgspec.structs.replace(OURS, claims=(named, "rollout.rollback.step1")))
    assert found.run.decision is Decision.HOLD, found.why
    assert found.observed.decision is not None and found.observed.decision.subject == Decision.HOLD
    (judgement,) = [each for each in found.run.judgements if named in each.claims]
    assert (judgement.verdict, judgement.gates) == (Verdict.INCONCLUSIVE, True)
    others = [each for each in found.run.judgements if each.key != judgement.key]
    assert combine(tuple(others)) is Decision.ADVANCE, "a step of a roll back that was not needed holds nothing"
    judged_again(REHEARSAL, Scenario, found.folder)
