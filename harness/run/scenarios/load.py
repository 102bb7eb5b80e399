"""Loads a scenario from YAML, strictly: whatever is unknown, unitless or impossible is refused by its line."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import msgspec

from harness.base import planfile, yamltext
from harness.base.data import SCENARIOS
from harness.base.errors import BadInput
from harness.base.message import message, nearest
from harness.base.planfile import RuleError, typed
from harness.base.yamltext import dotted
from harness.model.judgement import Kind
from harness.model.message import enumerated, gettext_noop
from harness.model.scenario import (
    BLACKOUT_S,
    GOOD_ANSWER_EVERY_S,
    MAX_S,
    MOST_WINDOW_S,
    PROBE_TIMEOUT_S,
    REQUEST_TIMEOUT_S,
    SWITCH_OVER_LIMIT_S,
    Comparison,
    Conditions,
    Criterion,
    PopulationPlan,
    Scenario,
)
from harness.rules.register import bundled
from harness.run.scenarios import claims_file
from harness.run.scenarios.criteria import CriterionFile, Keys, KindWord, Listed, criteria_of, criterion, ends, kind_of
from harness.run.scenarios.faults import FaultFile, fault_of, within

# What a scenario of somebody's own may say of claims: of the document's no less than it does, of a team's the same.

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


class ScenarioFile(Conditions, frozen=True, kw_only=True):
    """A scenario file. ``criteria`` say their kind each; ``success`` and ``rollback`` are lists of one kind.
    ``claims_file`` holds the claims of a team's own document, beside the scenario file."""

    criteria: tuple[CriterionFile, ...] = ()
    success: tuple[CriterionFile, ...] = ()
    rollback: tuple[CriterionFile, ...] = ()
    faults: tuple[FaultFile, ...] = ()
    claims_file: Annotated[
        str, msgspec.Meta(pattern=r"^[^\x00-\x1f]+\.ya?ml$", description="a .yaml file", examples=["claims.yaml"])
    ] = ""


def names() -> tuple[str, ...]:
    """The bundled scenarios, sorted."""
    return tuple(sorted(path.stem for path in SCENARIOS.glob("*.yaml")))


def load(name_or_path: str) -> Scenario:
    """A bundled scenario by name (hyphens do), or a scenario file by path (it has a slash or ends in .yaml or .yml).
    Raises ``BadInput`` with file, line, key path, and an example of the right form."""
    if name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path:
        path = Path(name_or_path)
    elif (name := name_or_path.replace("-", "_")) in names():
        path = SCENARIOS / f"{name}.yaml"
    else:
        near = nearest(name_or_path, list(names()))
        there = message("the scenarios are: {names}; or give the path of a .yaml file", names=", ".join(names()))
        told = message("no scenario is called {name}{near}", name=repr(name_or_path), near=near)
        raise BadInput(told, where=message("the scenario's name"), remedy=there)
    return parse(yamltext.read(path), str(path), path.stem)


def parse(text: str, where: str, name: str) -> Scenario:
    """The scenario ``name`` written in ``text``; ``where`` is its file in errors. Raises ``BadInput``."""
    folder = Path(where).parent
    return planfile.made(text, where, ScenarioFile, lambda file: _scenario(file, name, folder))


def with_options(
    scenario: Scenario,
    *,
    window_s: float | None = None,
    pace_s: float | None = None,
    fetch_interval_s: float | None = None,
) -> Scenario:
    """``scenario`` with the command line's overrides, in seconds; ``BadInput`` for one that makes no sense."""
    for option, value, least, most in (
        ("--window", window_s, 0.0, MOST_WINDOW_S),
        ("--fetch-interval", fetch_interval_s, -1.0, MAX_S),  # 0 is Firebase's "always fetch"
    ):
        if value is not None and not least < value <= most:
            given = {"option": option, "value": f"{value:g}", "most": f"{most:g}"}
            what = message("{option} {value} s is out of range, which ends at {most} s", **given)
            raise BadInput(what, where=option, remedy=message("for example {example}", example=f"{option} 120s"))
    population, changed = scenario.population, {"pace_s": pace_s, "fetch_interval_s": fetch_interval_s}
    if pace_s is not None and population.steps:
        what = message("the scenario's `steps` have paces of their own, and --pace says another")
        remedy = message("leave --pace out, or change `population.steps` in a copy of the file")
        raise BadInput(what, where="--pace", remedy=remedy)
    with typed("--pace", message("scenario {name}", name=scenario.name)):
        population = msgspec.structs.replace(population, **{key: s for key, s in changed.items() if s is not None})
    by_option = {"window": window_s, "population.pace": pace_s, "population.fetch_interval": fetch_interval_s}
    smaller = tuple(each for each in scenario.smaller if by_option.get(each.partition(" ")[0]) is None)
    window_s = scenario.window_s if window_s is None else window_s
    if population.steps and population.steps[-1].at_s >= window_s:
        at = {"at": f"{population.steps[-1].at_s:g}", "window": f"{window_s:g}"}
        what = message("a step begins {at} s into a window of {window} s", **at)
        raise BadInput(what, where="--window", remedy="make the window longer")
    return msgspec.structs.replace(scenario, population=population, window_s=window_s, smaller=smaller)


def _scenario(file: ScenarioFile, name: str, folder: Path) -> Scenario:
    """Raises ``RuleError``."""
    _population(file.population)
    if file.population.lifelike != file.probes.lifelike:
        what = message("`lifelike` of `population` and of `probes` are not the same")
        remedy = message("say it of both, so that nothing tells probes from users")
        raise RuleError(what, "probes", "lifelike", remedy=remedy)
    _steps(file.population, file.window_s)
    faults = tuple(fault_of(each, "faults", index) for index, each in enumerate(file.faults))
    if (missed := within(faults, file.window_s)) is not None:
        index, why = missed
        raise RuleError(why, "faults", index, remedy="let it begin earlier, or make the window longer")
    own = claims_file.load(folder / file.claims_file) if file.claims_file else {}
    listed = [*_listed(file)]
    claims_known(file.claims, file.claims_file, listed, own)
    listed += claims_brought(file.claims, listed, own)
    criteria = criteria_of(listed)
    about = {*file.claims, *(each.claim for each in criteria)}
    document = _document()
    if about & bundled().claims.keys():
        conditions_kept(file)
        shares_kept(file, document)
    for found, of in zip(criteria, listed, strict=True):
        criterion_kept(found, document.rules, of.at)
        _begins(found.step_s, file.population, of.at)
        ends(found, file.population, file.window_s, file.request_timeout_s, of.at)
        if found.limit_from and found.limit_from not in {*bundled().claims, *own, *(each.id for each in criteria)}:
            what = message("{id} is no criterion of the scenario, and no claim", id=repr(found.limit_from))
            remedy = message("name the criterion or the claim that the limit is taken from, or leave `limit_from` out")
            raise RuleError(what, *of.at, "limit_from", remedy=remedy)
        if found.id in {*bundled().claims, *bundled().errata, *own, *about} - {found.claim}:
            what = message("{id} is the id of a claim that the criterion is not about", id=repr(found.id))
            raise RuleError(what, *of.at, "id")
    return Scenario(
        name=name,
        criteria=criteria,
        faults=faults,
        own_claims=tuple(known.claim for claim, known in own.items() if claim in about),
        smaller=tuple(smaller(file, about, document)),
        **{field: getattr(file, field) for field in Conditions.__struct_fields__},
    )


@functools.cache
def _document() -> KeptClaims:
    """What the document's own scenarios say of its claims."""
    files = [planfile.load(SCENARIOS / f"{name}.yaml", ScenarioFile) for name in names()]
    return KeptClaims(
        rules={each.claim: each for file in files for each in criteria_of([*_listed(file)]) if each.claim},
        weeks=[(frozenset((*file.claims, *(each.criterion.claim for each in _listed(file)))), file) for file in files],
    )


def _begins(step_s: float | None, plan: PopulationPlan, at: Keys) -> None:
    """Raises ``RuleError`` where a criterion names a step that is none."""
    known = [each.at_s for each in plan.stretches]
    if step_s is not None and step_s not in known:
        what = message("no step of the load begins at {at} s", at=f"{step_s:g}")
        times = ", ".join(f"{each:g}s" for each in known)
        raise RuleError(what, *at, remedy=message("the steps begin at: {times}", times=times))


def _listed(file: ScenarioFile) -> Iterator[Listed]:
    for key, kind in (("criteria", None), ("success", KindWord.SUCCESS), ("rollback", KindWord.ROLLBACK)):
        for index, each in enumerate(getattr(file, key)):
            yield Listed(at=(key, index), criterion=each, kind=kind)


def _population(plan: PopulationPlan) -> None:
    seen: dict[str, int] = {}
    for index, audience in enumerate(plan.audiences):
        at = ("population", "audiences", index)
        if audience.flag_on > audience.users:
            given = {"on": str(audience.flag_on), "users": str(audience.users), "name": repr(audience.name)}
            what = message("flag_on is {on}, outside 0..{users}, the users of {name}", **given)
            raise RuleError(what, *at, "flag_on")
        if audience.name in seen:
            first = dotted(("population", "audiences", seen[audience.name]))
            what = message("name {name} is given twice, first in {first}", name=repr(audience.name), first=first)
            raise RuleError(what, *at, "name", remedy="give each its own name")
        seen[audience.name] = index
    if not plan.users:
        raise RuleError("there are no users", "population", "audiences", remedy="give an audience some")


def _steps(plan: PopulationPlan, window_s: float) -> None:
    """Raises ``RuleError`` for a step that is not after the one before it, or outside the window."""
    before_s = 0.0
    for index, step in enumerate(plan.steps):
        at = ("population", "steps", index)
        if step.at_s <= before_s:
            when = {"at": f"{step.at_s:g}", "before": f"{before_s:g}"}
            what = message("it begins {at} s into the window, not after {before} s", **when)
            remedy = "the window begins with the population's `pace`; give the steps in the order of time after it"
            raise RuleError(what, *at, "at_s", remedy=remedy)
        if step.at_s >= window_s:
            when = {"at": f"{step.at_s:g}", "window": f"{window_s:g}"}
            what = message("it begins {at} s into a window of {window} s", **when)
            raise RuleError(what, *at, "at_s", remedy="let it begin earlier, or make the window longer")
        before_s = step.at_s
