"""Loads a scenario from YAML, strictly: whatever is unknown, unitless or impossible is refused by its line."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from harness.base import planfile, yamltext
from harness.base.data import SCENARIOS
from harness.base.errors import BadInput
from harness.base.message import message, nearest
from harness.base.planfile import RuleError, typed
from harness.base.yamltext import dotted
from harness.model.scenario import MAX_S, MOST_WINDOW_S, Conditions, PopulationPlan, Scenario
from harness.rules.register import bundled
from harness.run.scenarios import claims_file, claims_kept
from harness.run.scenarios.criteria import CriterionFile, Keys, KindWord, Listed, criteria_of, ends
from harness.run.scenarios.faults import FaultFile, fault_of, within


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
    claims_kept.claims_known(file.claims, file.claims_file, listed, own)
    listed += claims_kept.claims_brought(file.claims, listed, own)
    criteria = criteria_of(listed)
    about = {*file.claims, *(each.claim for each in criteria)}
    document = _document()
    if about & bundled().claims.keys():
        claims_kept.conditions_kept(file)
        claims_kept.shares_kept(file, document)
    for found, of in zip(criteria, listed, strict=True):
        claims_kept.criterion_kept(found, document.rules, of.at)
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
        smaller=tuple(claims_kept.smaller(file, about, document)),
        **{field: getattr(file, field) for field in Conditions.__struct_fields__},
    )


@functools.cache
def _document() -> claims_kept.KeptClaims:
    """What the document's own scenarios say of its claims."""
    files = [planfile.load(SCENARIOS / f"{name}.yaml", ScenarioFile) for name in names()]
    return claims_kept.KeptClaims(
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
