"""Experiments judged by planted evidence: the facts of one that was made, and what the rules say of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec

from harness.model.evidence import DueList, Window
from harness.model.judgement import Expected, Judgement
from harness.model.scenario import Criterion
from harness.rehearsals.chaos import catalogue
from harness.rehearsals.chaos.facts import PHRASES, ExperimentView
from harness.rehearsals.chaos.rehearsal import REHEARSAL
from harness.rehearsals.chaos.rules import SPREADS, rule_of
from harness.rehearsals.chaos.types import ChaosDetails, ChaosPlan, Expectation, MadeExperiment, PlannedExperiment
from harness.rules import engine
from harness.rules.ledger import Ledger
from harness.rules.rule import Fact, FactsOf
from harness.run.scenarios.load import load

SCENARIO = load("rollout_week4")
FACT = FactsOf(PHRASES, "1")
#: Of an experiment in which all goes well: what its kind's facts are held beside.
WELL = (
    FACT("calls", 100), FACT("calls.needed", 1), FACT("calls.failed", 0, of=100, share="0.0"), FACT("calls.may_fail", 10),
    FACT("recovered_s", 5), FACT("allowed_s", 20), FACT("steady.failed", 0, seconds="5"), FACT("failed.unexplained", 0),
)  # fmt: skip


def planned(expects: Expectation, criteria: Sequence[Criterion] = ()) -> ChaosPlan:
    """One experiment of which that is expected."""
    experiment = msgspec.structs.replace(catalogue.load("pod_kill"), expects=expects)
    return ChaosPlan(
        experiments=(PlannedExperiment(experiment=experiment),), scenario=SCENARIO, criteria=tuple(criteria)
    )


def by_rules(facts: Iterable[Fact], expects: Expectation, criteria: Sequence[Criterion] = ()) -> Judgement:
    """What the rules say of the facts of an experiment."""
    plan = planned(expects, criteria)
    rules = {"experiment": rule_of(REHEARSAL.rules, plan, plan.experiments[0])}
    (found,) = engine.judged([Expected("1", "experiment")], rules, facts, plan, ())
    return found


def spreading(facts: Iterable[Fact], claim: str) -> Judgement:
    """What they say of how far it reached."""
    (found,) = engine.judged([Expected("1", claim, claim)], {claim: REHEARSAL.rules[SPREADS]}, facts, None, ())
    return found


class Planted(ExperimentView):
    """An experiment of which it is said what was ``due``."""

    def __init__(self, plan: ChaosPlan, made: MadeExperiment, ledger: Ledger, due: Callable[[Window], DueList]) -> None:
        evidence: Any = SimpleNamespace(ledger=ledger, requests=[], events=[])
        super().__init__(plan, ChaosDetails(made=[made]), made, evidence, 1)
        self._listed = due

    def _due(self, window: Window) -> DueList:
        return self._listed(window)


def judged(
    ledger: Ledger,
    made: MadeExperiment,
    expects: Expectation,
    criteria: Sequence[Criterion],
    due: Callable[[Window], DueList],
) -> Judgement:
    """By its facts and the rules."""
    return by_rules(Planted(planned(expects, criteria), made, ledger, due).facts(FACT), expects, criteria)
