"""What a scenario of somebody's own may say of claims: of the document's no less than it does, of a team's the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import msgspec

from harness.base.message import nearest
from harness.base.planfile import RuleError
from harness.model.judgement import Kind
from harness.model.message import enumerated, gettext_noop, message
from harness.model.scenario import (
    BLACKOUT_S,
    GOOD_ANSWER_EVERY_S,
    PROBE_TIMEOUT_S,
    REQUEST_TIMEOUT_S,
    SWITCH_OVER_LIMIT_S,
    Comparison,
    Conditions,
    Criterion,
    PopulationPlan,
)
from harness.rules.register import bundled
from harness.run.scenarios import claims_file
from harness.run.scenarios.criteria import CriterionFile, Keys, KindWord, Listed, criterion, kind_of

#: Under which the document's claims are meant; the greater the easier.
_AT_MOST = {
    "switch_over_limit_s": SWITCH_OVER_LIMIT_S,
    "good_answer_every_s": GOOD_ANSWER_EVERY_S,
    "blackout_s": BLACKOUT_S,
    "request_timeout_s": REQUEST_TIMEOUT_S,
}
#: Begins the claims about who has the flag on in each week.
SCHEDULE = "rollout.schedule."
_NO_MORE = gettext_noop("ask for no more, or name claims of your own alone")
_OWN = gettext_noop("leave `claim` out: then it is a criterion of your own, and no word on the document's claim")


@dataclass(frozen=True)
class KeptClaims:
    """By claim the criterion that judges it; the weeks, each with the claims that it is about."""

    rules: Mapping[str, Criterion]
    weeks: Sequence[tuple[frozenset[str], Conditions]]

    def about(self, claim: str) -> list[Conditions]:
        """The weeks that are about a claim."""
        return [week for claims, week in self.weeks if claim in claims]


def claims_known(
    named: Sequence[str], file: str, listed: Sequence[Listed], own: Mapping[str, claims_file.ClaimOfFile]
) -> None:
    """Raises ``RuleError`` for a claim that nobody knows, and a criterion that says another thing than its claim.
    ``named`` are those that the scenario is about, ``own`` those of its ``file``, "" where it has none."""
    known = [*bundled().claims, *own]
    all_named: list[tuple[str, Keys]] = [(claim, ("claims", index)) for index, claim in enumerate(named)]
    all_named += [(each.criterion.claim, (*each.at, "claim")) for each in listed if each.criterion.claim]
    for claim, at in all_named:
        if claim not in known:
            what = message("unknown claim {claim}{near}", claim=repr(claim), near=nearest(claim, known))
            of = file or message("a `claims_file:`")
            there = message("the claims are those of scenarios/claims, and of {file}", file=of)
            raise RuleError(what, *at, remedy=there)
    for each in listed:
        rule = own[each.criterion.claim].criterion if each.criterion.claim in own else None
        if rule is not None and _rule(rule, None, each) != _rule(each.criterion, each.kind, each):
            said = repr(own[each.criterion.claim].claim.criterion)
            what = message("the claim says {rule}, and the criterion another thing", rule=said)
            remedy = "leave the criterion out and name the claim under `claims:`, or let both say the same"
            raise RuleError(what, *each.at, remedy=remedy)


def _rule(rule: CriterionFile, kind: KindWord | None, each: Listed) -> tuple[object, ...]:
    found = criterion(rule, "", kind_of(rule, kind, each.at), each.at)
    judged_by = found.comparison, found.threshold, found.smallest_sample, found.needs
    return found.kind, found.metric, found.operation, found.step_s, *judged_by


def claims_brought(
    named: Sequence[str], listed: Sequence[Listed], own: Mapping[str, claims_file.ClaimOfFile]
) -> Iterator[Listed]:
    """The criteria that the team's own claims bring: of those that the scenario names, and is about by no criterion of
    its own.
    """
    about = {each.criterion.claim for each in listed}
    for index, claim in enumerate(named):
        rule = own[claim].criterion if claim in own else None
        if rule is not None and claim not in about:
            about.add(claim)
            yield Listed(at=("claims", index), criterion=msgspec.structs.replace(rule, claim=claim))


def shares_kept(conditions: Conditions, document: KeptClaims) -> None:
    """Raises ``RuleError`` where a week's schedule is claimed and other shares of the users have the flag on. Fewer
    users of each audience are as good."""
    for index, claim in enumerate(conditions.claims):
        weeks = document.about(claim) if claim.startswith(SCHEDULE) else []
        plan = weeks[0].population if weeks else conditions.population
        if _shares(conditions.population) != _shares(plan):
            said = [
                message("{on} of {users} {audience}", on=str(each.flag_on), users=str(each.users), audience=each.name)
                for each in plan.audiences
            ]
            what = message(
                "the claim {claim} has the flag on for {users}, and the audiences have other shares",
                claim=repr(claim),
                users=enumerated(said),
            )
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
            what = message("the document's claims are judged with at most {most} s", most=f"{most:g}")
            raise RuleError(what, field, remedy=_NO_MORE)
    if conditions.probes.timeout_s > PROBE_TIMEOUT_S:
        what = message("the document's claims are judged with at most {most} s", most=f"{PROBE_TIMEOUT_S:g}")
        raise RuleError(what, "probes", "timeout_s", remedy=_NO_MORE)


def smaller(conditions: Conditions, about: Iterable[str], document: KeptClaims) -> Iterator[str]:
    """By which keys, "key value" each, a scenario about the claims ``about`` is smaller or faster than the document's
    weeks, none of which is, or asks for less. By a window shorter, or fewer users on the API, than those by which they
    judge one of its claims, and by users of a pace or fetch interval that none of them has there, or of several. Of a
    claim about shares fewer users are as good; a file about no claim is held to any week: checks of every week judge
    claims, too."""
    population, weeks = conditions.population, [week for _, week in document.weeks]
    known = {claim: of for claim in about if (of := document.about(claim))} or {"": weeks}
    loaded = [of for claim, of in known.items() if not claim.startswith(SCHEDULE)]
    if conditions.window_s < max(min(each.window_s for each in of) for of in known.values()):
        yield f"window {conditions.window_s:g}s"
    if population.flag_on < max((min(each.population.flag_on for each in of) for of in loaded), default=0):
        yield f"population.audiences.flag_on {population.flag_on}"
    for key in ("pace", "fetch_interval"):
        value = getattr(population, f"{key}_s")
        if any(value not in {getattr(each.population, f"{key}_s") for each in of} for of in known.values()):
            yield f"population.{key} {value:g}s"
    if population.steps:
        yield f"population.steps {len(population.steps)}"
    for field, most in _AT_MOST.items():
        if (value := getattr(conditions, field)) > most:
            yield f"{field.removesuffix('_s')} {value:g}s"
    if conditions.probes.timeout_s > PROBE_TIMEOUT_S:
        yield f"probes.timeout {conditions.probes.timeout_s:g}s"


def criterion_kept(criterion: Criterion, rules: Mapping[str, Criterion], at: Keys) -> None:
    """Raises ``RuleError`` for a criterion about a claim of the document that asks for less than its rule does, or of
    other requests: its pass would be none of the claim. ``rules`` are the document's own, by claim.
    """
    rule = rules.get(criterion.claim)
    if rule is None:
        return
    said = f"`{rule.metric} {rule.comparison} {rule.threshold:g}`"
    if _about(criterion) != _about(rule):
        what = message("the claim says {rule} of all calls, and the criterion another thing", rule=said)
        raise RuleError(what, *at, remedy=_OWN)
    if _easier(criterion, rule):
        what = message("the claim says {rule} of all calls, and the criterion asks for less", rule=said)
        raise RuleError(what, *at, "threshold", remedy=_OWN)
    if criterion.kind is Kind.ROLLBACK_LIMIT and criterion.smallest_sample != rule.smallest_sample:
        what = message("the claim says {rule} of all calls, from a smallest sample of the judge's own", rule=said)
        raise RuleError(what, *at, "smallest_sample", remedy=_OWN)


def _about(criterion: Criterion) -> tuple[object, ...]:
    of = criterion.asks, criterion.by, criterion.crowded_limit_ms
    return criterion.kind, criterion.metric, criterion.operation, criterion.step_s, criterion.comparison, *of


def _easier(criterion: Criterion, rule: Criterion) -> bool:
    """Whether more passes than by ``rule``: a success criterion passes on the side it names, where a limit fires."""
    below = criterion.comparison is Comparison.BELOW
    up = below if criterion.kind is Kind.CRITERION else not below
    return criterion.threshold > rule.threshold if up else criterion.threshold < rule.threshold
