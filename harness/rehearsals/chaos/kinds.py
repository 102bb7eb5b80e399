"""The rule of an experiment: what holds of each, and of each kind that it is of, by what is expected of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from harness.model.scenario import Metric
from harness.rehearsals.chaos.facts import is_of_mirror
from harness.rehearsals.chaos.types import ChaosPlan, Expectation, PlannedExperiment
from harness.rules.rule import Rule, Rules

#: What is judged beside an experiment of which it is asked: whether what it disturbs spreads.
SPREADS = "spreads"


def rule_of(rules: Rules, plan: ChaosPlan, planned: PlannedExperiment) -> Rule:
    """Of ``planned``, an experiment of somebody's own as well. An erratum of the document is shown by failures where
    all else is kept."""
    expects = planned.experiment.expects
    every, kinds = rules["experiment"], [rules[name] for name in _kinds(plan, expects)]
    lines = (*every.decided_by, *(line for each in kinds for line in each.decided_by))
    shows = next((each.shows for each in kinds if each.shows is not None), None)
    if shows is not None:
        kept = (*shows.provided, *lines, *every.when)
        shows = msgspec.structs.replace(shows, erratum=expects.erratum, provided=kept)
    return msgspec.structs.replace(
        every,
        decided_by=lines,
        shows=shows,
        provided=(*every.provided, *(line for each in kinds for line in each.provided)),
        when=(*every.when, *(line for each in kinds for line in each.when)),
        claims=tuple(expects.claims[1:]),
        says=planned.experiment.title,
    )


def _kinds(plan: ChaosPlan, expects: Expectation) -> Iterator[str]:
    of = {
        "quick": expects.unharmed and any(each.metric is Metric.LATENCY_P95 for each in plan.criteria),
        "unharmed": expects.unharmed,
        "only_way": expects.answers_none,
        "mirror": is_of_mirror(expects),
        "series": expects.repeated is not None,
        "failover": expects.failover is not None,
        "erratum": bool(expects.erratum) and not expects.unharmed,
    }
    yield from (name for name, is_of in of.items() if is_of)
