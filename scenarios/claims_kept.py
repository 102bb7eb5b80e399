"""What a scenario of somebody's own may say of the document's claims: no less than the document says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from harness.base.planfile import RuleError
from harness.model.judgement import Kind
from harness.model.scenario import (
    BLACKOUT_S,
    GOOD_ANSWER_EVERY_S,
    SWITCH_OVER_LIMIT_S,
    Comparison,
    Conditions,
    Criterion,
    PopulationPlan,
)
from scenarios.criteria import Keys

#: Under which the document's claims are meant; the greater the easier.
_AT_MOST = {
    "switch_over_limit_s": SWITCH_OVER_LIMIT_S,
    "good_answer_every_s": GOOD_ANSWER_EVERY_S,
    "blackout_s": BLACKOUT_S,
}
#: Begins the claims about who has the flag on in each week.
SCHEDULE = "rollout.schedule."
_OWN = "leave `claim` out: then it is a criterion of your own, and no word on the document's claim"


@dataclass(frozen=True)
class Document:
    """By claim: the criterion that judges it, and the users of the week that it is about."""

    rules: Mapping[str, Criterion]
    shares: Mapping[str, PopulationPlan]


def shares_kept(conditions: Conditions, document: Document) -> None:
    """Raises ``RuleError`` where a week's schedule is claimed and other shares of the users have the flag on. Fewer
    users of each audience are as good."""
    for index, claim in enumerate(conditions.claims):
        plan = document.shares.get(claim)
        if plan is not None and _shares(conditions.population) != _shares(plan):
            said = ", ".join(f"{each.flag_on} of {each.users} {each.name}" for each in plan.audiences)
            what = f"the claim {claim!r} has the flag on for {said}, and the audiences have other shares"
            raise RuleError(what, "claims", index, remedy="leave the claim out, or give the audiences its shares")


def _shares(plan: PopulationPlan) -> dict[str, tuple[Fraction, Fraction]]:
    """Of each audience, its part of all users and the part of it that has the flag on."""
    return {
        each.name: (Fraction(each.users, plan.users), Fraction(each.flag_on, each.users))
        for each in plan.audiences
        if each.users
    }


def conditions_kept(conditions: Conditions) -> None:
    """Raises ``RuleError`` for conditions that ask for less than those of the document, in a scenario that names a
    claim of it."""
    for field, most in _AT_MOST.items():
        if getattr(conditions, field) > most:
            what = f"the document's claims are judged with at most {most:g} s"
            raise RuleError(what, field, remedy="ask for no more, or name claims of your own alone")


def criterion_kept(criterion: Criterion, rules: Mapping[str, Criterion], at: Keys) -> None:
    """Raises ``RuleError`` for a criterion about a claim of the document that asks for less than its rule does, or of
    other requests: its pass would be none of the claim. ``rules`` are the document's own, by claim.
    """
    rule = rules.get(criterion.claim)
    if rule is None:
        return
    said = f"the claim says `{rule.metric} {rule.comparison} {rule.threshold:g}` of all calls"
    if _about(criterion) != _about(rule):
        raise RuleError(f"{said}, and the criterion another thing", *at, remedy=_OWN)
    if _easier(criterion, rule):
        raise RuleError(f"{said}, and the criterion asks for less", *at, "threshold", remedy=_OWN)
    if criterion.kind is Kind.ROLLBACK_LIMIT and criterion.smallest_sample != rule.smallest_sample:
        raise RuleError(f"{said}, from a smallest sample of the judge's own", *at, "smallest_sample", remedy=_OWN)


def _about(criterion: Criterion) -> tuple[object, ...]:
    return criterion.kind, criterion.metric, criterion.operation, criterion.step_s, criterion.comparison


def _easier(criterion: Criterion, rule: Criterion) -> bool:
    """Whether more passes than by ``rule``: a success criterion passes on the side it names, where a limit fires."""
    below = criterion.comparison is Comparison.BELOW
    up = below if criterion.kind is Kind.CRITERION else not below
    return criterion.threshold > rule.threshold if up else criterion.threshold < rule.threshold
