"""Loads a scenario from YAML, strictly: whatever is unknown, unitless or impossible is refused by its line."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from harness.base import planfile, yamltext
from harness.base.errors import BadInput
from harness.base.message import message, nearest
from harness.base.planfile import RuleError
from harness.model.scenario import (
    MAX_S,
    MOST_WINDOW_S,
    Conditions,
    PopulationPlan,
    Scenario,
)
from scenarios import claims, claims_file
from scenarios.claims_kept import SCHEDULE, Document, conditions_kept, criterion_kept, shares_kept
from scenarios.criteria import CriterionFile, Keys, KindWord, Listed, criteria_of, criterion, kind_of
from scenarios.faults import FaultFile, fault_of, within

FOLDER = Path(__file__).parent


class ScenarioFile(Conditions, frozen=True, kw_only=True):
    """A scenario file. ``criteria`` say their kind each; ``success`` and ``rollback`` are lists of one kind.
    ``claims_file`` holds the claims of a team's own document, beside the scenario file.
    """

    criteria: tuple[CriterionFile, ...] = ()
    success: tuple[CriterionFile, ...] = ()
    rollback: tuple[CriterionFile, ...] = ()
    faults: tuple[FaultFile, ...] = ()
    claims_file: Annotated[
        str,
        msgspec.Meta(pattern=r"^[^\x00-\x1f]+\.ya?ml$", description="a .yaml file", examples=["claims.yaml"]),
    ] = ""


def names() -> tuple[str, ...]:
    """The bundled scenarios, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def load(name_or_path: str) -> Scenario:
    """A bundled scenario by name, or a scenario file by path (it has a slash or ends in .yaml or .yml).

    Raises ``BadInput`` with file, line, key path, and an example of the right form.
    """
    if name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path:
        path = Path(name_or_path)
    elif name_or_path in names():
        path = FOLDER / f"{name_or_path}.yaml"
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
            what = f"{option} {value:g} s is out of range, which ends at {most:g} s"
            raise BadInput(what, where=option, remedy=f"for example {option} 120s")
    if pace_s is not None and scenario.population.steps:
        raise BadInput(
            "the scenario's `steps` have paces of their own, and --pace says another",
            where="--pace",
            remedy="leave --pace out, or change `population.steps` in a copy of the file",
        )
    try:
        population = msgspec.structs.replace(
            scenario.population,
            pace_s=scenario.population.pace_s if pace_s is None else pace_s,
            fetch_interval_s=scenario.population.fetch_interval_s if fetch_interval_s is None else fetch_interval_s,
        )
    except RuleError as error:
        raise BadInput(f"--pace: {error}", where=f"scenario {scenario.name}", remedy=error.remedy) from error
    window_s = scenario.window_s if window_s is None else window_s
    if population.steps and population.steps[-1].at_s >= window_s:
        what = f"a step begins {population.steps[-1].at_s:g} s into a window of {window_s:g} s"
        raise BadInput(what, where="--window", remedy="make the window longer")
    return msgspec.structs.replace(scenario, population=population, window_s=window_s)


def _scenario(file: ScenarioFile, name: str, folder: Path) -> Scenario:
    """Raises ``RuleError``."""
    _population(file.population)
    _steps(file.population, file.window_s)
    faults = tuple(fault_of(each, "faults", index) for index, each in enumerate(file.faults))
    if (missed := within(faults, file.window_s)) is not None:
        index, why = missed
        raise RuleError(why, "faults", index, remedy="let it begin earlier, or make the window longer")
    own = claims_file.load(folder / file.claims_file) if file.claims_file else {}
    listed = [*_listed(file)]
    _claims(file, listed, own)
    listed += _of_claims(file, listed, own)
    criteria = criteria_of(listed)
    about = {*file.claims, *(each.claim for each in criteria)}
    document = _document() if about & claims.REGISTER.keys() else Document(rules={}, shares={})
    if document.rules:
        conditions_kept(file)
        shares_kept(file, document)
    for found, of in zip(criteria, listed, strict=True):
        criterion_kept(found, document.rules, of.at)
        _begins(found.step_s, file.population, of.at)
        if found.id in {*claims.REGISTER, *claims.ERRATA, *own, *about} - {found.claim}:
            raise RuleError(f"{found.id!r} is the id of a claim that the criterion is not about", *of.at, "id")
    return Scenario(
        name=name,
        criteria=criteria,
        faults=faults,
        own_claims=tuple(known.claim for claim, known in own.items() if claim in about),
        **{field: getattr(file, field) for field in Conditions.__struct_fields__},
    )


@functools.cache
def _document() -> Document:
    """What the document's own scenarios say of its claims."""
    files = [planfile.load(FOLDER / f"{name}.yaml", ScenarioFile) for name in names()]
    return Document(
        rules={each.claim: each for file in files for each in criteria_of([*_listed(file)]) if each.claim},
        shares={claim: file.population for file in files for claim in file.claims if claim.startswith(SCHEDULE)},
    )


def _begins(step_s: float | None, plan: PopulationPlan, at: Keys) -> None:
    """Raises ``RuleError`` where a criterion names a step that is none."""
    known = [each.at_s for each in plan.stretches]
    if step_s is not None and step_s not in known:
        what = f"no step of the load begins at {step_s:g} s"
        raise RuleError(what, *at, remedy=f"the steps begin at: {', '.join(f'{each:g}s' for each in known)}")


def _listed(file: ScenarioFile) -> Iterator[Listed]:
    for key, kind in (("criteria", None), ("success", KindWord.SUCCESS), ("rollback", KindWord.ROLLBACK)):
        for index, each in enumerate(getattr(file, key)):
            yield Listed(at=(key, index), criterion=each, kind=kind)


def _of_claims(file: ScenarioFile, listed: list[Listed], own: Mapping[str, claims_file.Known]) -> Iterator[Listed]:
    """The criteria that the team's own claims bring: of those that the scenario names, and is about by no criterion of
    its own.
    """
    named = {each.criterion.claim for each in listed}
    for index, claim in enumerate(file.claims):
        rule = own[claim].criterion if claim in own else None
        if rule is not None and claim not in named:
            named.add(claim)
            yield Listed(at=("claims", index), criterion=msgspec.structs.replace(rule, claim=claim))


def _claims(file: ScenarioFile, listed: list[Listed], own: Mapping[str, claims_file.Known]) -> None:
    """Raises ``RuleError`` for a claim that nobody knows, and a criterion that says another thing than its claim."""
    known = [*claims.REGISTER, *own]
    named: list[tuple[str, Keys]] = [(claim, ("claims", index)) for index, claim in enumerate(file.claims)]
    named += [(each.criterion.claim, (*each.at, "claim")) for each in listed if each.criterion.claim]
    for claim, at in named:
        if claim not in known:
            remedy = f"the claims are those of scenarios/claims.py, and of {file.claims_file or 'a `claims_file:`'}"
            near = nearest(claim, known)
            raise RuleError(message("unknown claim {claim}{near}", claim=repr(claim), near=near), *at, remedy=remedy)
    for each in listed:
        rule = own[each.criterion.claim].criterion if each.criterion.claim in own else None
        if rule is not None and _rule(rule, None, each) != _rule(each.criterion, each.kind, each):
            said = own[each.criterion.claim].claim.criterion
            remedy = "leave the criterion out and name the claim under `claims:`, or let both say the same"
            raise RuleError(f"the claim says {said!r}, and the criterion another thing", *each.at, remedy=remedy)


def _rule(rule: CriterionFile, kind: KindWord | None, each: Listed) -> tuple[object, ...]:
    found = criterion(rule, "", kind_of(rule, kind, each.at), each.at)
    judged_by = found.comparison, found.threshold, found.smallest_sample, found.needs
    return found.kind, found.metric, found.operation, found.step_s, *judged_by


def _population(plan: PopulationPlan) -> None:
    seen: dict[str, int] = {}
    for index, audience in enumerate(plan.audiences):
        at = ("population", "audiences", index)
        if audience.flag_on > audience.users:
            what = f"flag_on is {audience.flag_on}, outside 0..{audience.users}, the users of {audience.name!r}"
            raise RuleError(what, *at, "flag_on")
        if audience.name in seen:
            what = f"name {audience.name!r} is given twice, first in population.audiences[{seen[audience.name]}]"
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
            what = f"it begins {step.at_s:g} s into the window, not after {before_s:g} s"
            remedy = "the window begins with the population's `pace`; give the steps in the order of time after it"
            raise RuleError(what, *at, "at_s", remedy=remedy)
        if step.at_s >= window_s:
            what = f"it begins {step.at_s:g} s into a window of {window_s:g} s"
            raise RuleError(what, *at, "at_s", remedy="let it begin earlier, or make the window longer")
        before_s = step.at_s
