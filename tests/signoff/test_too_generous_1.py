"""What made a claim ready before, and does so no more: the findings 1 to 10 of "ready, and too generous"."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.model.claim import ShownOn
from harness.model.judgement import Expected, Judgement, Verdict
from harness.model.message import english
from harness.model.parts import Titled, listed
from harness.model.stack import EnvironmentKind
from harness.rehearsals.chaos import catalogue
from harness.rehearsals.deploy.facts import PHRASES
from harness.rehearsals.deploy.plan import load
from harness.rehearsals.deploy.rehearsal import REHEARSAL
from harness.rehearsals.scaling.command import ZoneLossCommand
from harness.report.signoff.states import standings
from harness.report.signoff.types import ClaimStanding, ClaimState, StoredResult
from harness.rules import engine
from harness.rules.rule import Fact, FactsOf
from tests.register import ERRATA, REGISTER
from tests.signoff.made import ASKED, judgement, stored

PASS, FAIL, SHOWN = Verdict.PASS, Verdict.FAIL, Verdict.ERRATUM_SHOWN
DOWNTIME, CICD, ZONES = "deploy.rolling.no_downtime", "phase2.cicd", "requirements.multi_zone"
UNDO = "checklist.availability.auto_rollback"
KIND = ShownOn.KIND


def standing(claim: str, *found: StoredResult, shown_on: ShownOn | None = None) -> ClaimStanding:
    """Where the register's claim stands, or the same claim that is proved by ``shown_on``."""
    of = REGISTER[claim]
    register = {**REGISTER, claim: msgspec.structs.replace(of, shown_on=shown_on or of.shown_on)}
    return next(each for each in standings(register, found, ASKED) if each.claim == claim)


def in_parts(rehearsal: str, parts: tuple[Titled, ...], *judgements: Judgement) -> StoredResult:
    """A run of the bundled plan's ``parts`` on kind."""
    found = stored("run", *judgements, rehearsal=rehearsal)
    return msgspec.structs.replace(found, result=msgspec.structs.replace(found.result, parts=tuple(listed(parts, {}))))


@pytest.mark.parametrize(
    ("experiment", "claim"),
    [
        ("pod_cpu", "strategy.risk.heavy_work"),  # at most 2 % failed: that is no harm to the whole
        ("pod_kill", "strategy.risk.redundancy"),  # one kill, and 10 % allowed
        ("pod_delete", "strategy.risk.redundancy"),
        ("database_failover", "iac.database.ha"),  # our standby, and no attribute
    ],
)
def test_an_experiment_is_not_the_verdict_on_what_it_does_not_prove(experiment: str, claim: str) -> None:
    assert claim not in catalogue.load(experiment).expects.claims


def test_heavy_work_is_judged_by_what_it_does_to_every_operation_and_redundancy_by_fifteen_kills() -> None:
    assert catalogue.load("pod_cpu").expects.spreads == "strategy.risk.heavy_work"
    series = catalogue.load("pod_kill_series").expects
    assert series.claims == ("strategy.risk.redundancy",) and series.repeated is not None
    assert series.repeated.times == 15


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [
        ({"good": PASS, "expand": PASS}, ClaimState.DOCUMENT_WRONG),
        ({"as_written": SHOWN, "good": PASS}, ClaimState.DOCUMENT_WRONG),
        ({"as_written": FAIL, "good": PASS}, ClaimState.DOCUMENT_WRONG),
        ({"as_written": PASS, "good": FAIL}, ClaimState.FAILED),
        ({"as_written": PASS, "good": PASS}, ClaimState.SHOWN),
    ],
)
def test_no_downtime_with_the_component_graceful_alone_is_the_correction(
    verdicts: dict[str, Verdict], state: ClaimState
) -> None:
    def of(part: str, verdict: Verdict) -> Judgement:
        erratum = "deploy.downtime_without_prestop" if verdict is SHOWN else ""
        return judgement(DOWNTIME, verdict, part=part, erratum=erratum)

    run = in_parts("deploy_rehearsal", load().parts, *(of(*each) for each in verdicts.items()))
    assert standing(DOWNTIME, run).state is state


@pytest.mark.parametrize(
    ("calls", "verdict"), [(872, Verdict.INCONCLUSIVE), (2999, Verdict.INCONCLUSIVE), (3000, PASS)]
)
def test_no_downtime_is_judged_by_the_three_thousand_calls_of_its_own_text(calls: int, verdict: Verdict) -> None:
    for part in (each for each in load().parts if DOWNTIME in each.claims):
        gives = FactsOf(PHRASES, part.name)
        met = (
            gives("calls.failed", 0, of=calls, counts=""),
            gives("pods.came", 2),
            gives("calls.noticed", 0, counts=""),
        )
        assert ruled([Expected(part.name, DOWNTIME, DOWNTIME)], *met)[0].verdict is verdict


def ruled(expected: list[Expected], *facts: Fact) -> list[Judgement]:
    """By the rules of a deploy, of its bundled plan."""
    return [*engine.judged(expected, REHEARSAL.rules, facts, load(), ())]


def test_an_undo_by_our_harness_is_no_automatic_roll_back() -> None:
    gives = FactsOf(PHRASES, "never_ready")
    facts = (
        gives("put.failed", 0, of=1), gives("status.code", 1, command="kubectl", said="error"),
        gives("undo.failed", 0, of=2), gives("pods.replicas", 1), gives("pods.fewest_ready", 1),
        gives("pods.never_ready", 1), gives("pods.waiting", 1, names="new"), gives("pods.new_ready", 0),
        gives("pods.ready_at_the_end", 1, names="old"), gives("calls.failed", 0, of=1000, counts=""),
    )  # fmt: skip
    expected = [Expected("never_ready", claim, claim) for claim in ("cicd.no_undo", CICD)]
    found = ruled(expected, *facts)
    assert {each.id: each.verdict for each in found if CICD in each.claims} == {"cicd.no_undo": SHOWN, CICD: PASS}
    stood = standing(CICD, in_parts("deploy_rehearsal", load().parts, *found))
    assert stood.state is ClaimState.DOCUMENT_WRONG
    assert ERRATA["cicd.no_undo"][1].correction in english(stood.told)
    alone = in_parts("deploy_rehearsal", load().parts, *(each for each in found if each.id == CICD))
    assert standing(CICD, alone, shown_on=KIND).state is ClaimState.DOCUMENT_WRONG


@pytest.mark.parametrize("part", ["errors", "slow"])
def test_an_undo_that_our_judge_asked_for_is_none_on_their_cluster_either(part: str) -> None:
    run = in_parts("deploy_rehearsal", load().parts, judgement(UNDO, PASS, part=part))
    facts = msgspec.structs.replace(run.result.facts, rung=EnvironmentKind.KUBE)
    theirs = msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, facts=facts))
    stood = standing(UNDO, theirs)
    assert stood.state is ClaimState.DOCUMENT_WRONG and "what the rehearsal added: undo" in english(stood.told)


@pytest.mark.parametrize(
    ("part", "shown_on", "state"),
    [
        ("spread", KIND, ClaimState.DOCUMENT_WRONG),
        ("as_written", KIND, ClaimState.SHOWN),
        ("as_written", None, ClaimState.NOT_SHOWN),  # the region's zones are not ours
    ],
)
def test_zones_with_our_spread_are_the_correction(part: str, shown_on: ShownOn | None, state: ClaimState) -> None:
    run = in_parts("zone_loss", ZoneLossCommand().planned().parts, judgement(ZONES, PASS, part=part))
    assert standing(ZONES, run, shown_on=shown_on).state is state


@pytest.mark.parametrize(
    ("claim", "rung", "bundled"),
    [
        *(
            (claim, EnvironmentKind.LOCAL, False)
            for claim in (
                "decision.replicas_2_10", "strategy.versus.scaling", "strategy.merit.autopilot", "manifest.hpa.cpu",
                "scaling.hpa.cpu", "scaling.time.manual_up", "scaling.time.manual_down", "scaling.time.hpa_up",
                "manifest.pdb", DOWNTIME, "deploy.rolling.one_up", "deploy.rolling.one_down",
                "deploy.rolling.complete", "strategy.risk.redundancy",
            )
        ),  # our own controllers
        ("iac.database.ha", EnvironmentKind.KIND, False),
        ("dr.rto", EnvironmentKind.KIND, False),  # 17 s, and a line carried 160 times as far
        ("manifest.hpa.max", EnvironmentKind.KIND, True),  # the bundled pool was set so that it fits
        ("manifest.service", EnvironmentKind.KIND, False),  # our harness writes the type and the address
        ("manifest.service", EnvironmentKind.KUBE, False),  # where the run's Service has no address of its own
    ],
)  # fmt: skip
def test_a_pass_where_less_is_proved_shows_nothing_and_a_fail_counts(
    claim: str, rung: EnvironmentKind, bundled: bool
) -> None:
    more: dict[str, Any] = {"rung": rung, "target_bundled": bundled}
    assert standing(claim, stored("run", judgement(claim, PASS), **more)).state is ClaimState.NOT_SHOWN
    failed = standing(claim, stored("run", judgement(claim, FAIL), **more)).state
    assert failed is (ClaimState.NOT_SHOWN if bundled else ClaimState.FAILED)
