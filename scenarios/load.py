"""Loads a scenario from YAML, strictly: whatever is unknown, unitless or impossible is refused by its line."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.base import planfile, yamltext
from harness.base.errors import BadInput
from harness.base.planfile import RuleError
from harness.model.scenario import MAX_S, MAX_USERS, Conditions, PopulationPlan, ProbePlan, Scenario
from scenarios import claims
from scenarios.file import ScenarioFile, criteria_of

FOLDER = Path(__file__).parent

CANARY_LIMIT_PER_MIN = 100  # below docs/contract/walk-api.md#rate-limit: above it probes would meet 429


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
        near = planfile.nearest(name_or_path, list(names()))
        raise BadInput(
            f"no scenario is called {name_or_path!r}{near}",
            where="the scenario's name",
            remedy=f"the scenarios are: {', '.join(names())}; or give the path of a .yaml file",
        )
    return parse(yamltext.read(path), str(path), path.stem)


def parse(text: str, where: str, name: str) -> Scenario:
    """The scenario ``name`` written in ``text``; ``where`` is its file in errors. Raises ``BadInput``."""
    return planfile.made(text, where, ScenarioFile, lambda file: _scenario(file, name))


def with_options(
    scenario: Scenario,
    *,
    window_s: float | None = None,
    pace_s: float | None = None,
    fetch_interval_s: float | None = None,
) -> Scenario:
    """``scenario`` with the command line's overrides, in seconds; ``BadInput`` for one that makes no sense."""
    for option, value, least in (
        ("--window", window_s, 0.0),
        ("--pace", pace_s, 0.0),
        ("--fetch-interval", fetch_interval_s, -1.0),  # 0 is Firebase's "always fetch"
    ):
        if value is not None and not least < value <= MAX_S:
            raise BadInput(f"{option} {value:g} s is out of range", where=option, remedy=f"for example {option} 120s")
    population = msgspec.structs.replace(
        scenario.population,
        pace_s=scenario.population.pace_s if pace_s is None else pace_s,
        fetch_interval_s=scenario.population.fetch_interval_s if fetch_interval_s is None else fetch_interval_s,
    )
    window_s = scenario.window_s if window_s is None else window_s
    return msgspec.structs.replace(scenario, population=population, window_s=window_s)


def _scenario(file: ScenarioFile, name: str) -> Scenario:
    """Raises ``RuleError``."""
    _population(file.population)
    _probes(file.probes)
    criteria = criteria_of(file)
    _claims(file)
    return Scenario(
        name=name, criteria=criteria, **{field: getattr(file, field) for field in Conditions.__struct_fields__}
    )


def _claims(file: ScenarioFile) -> None:
    for index, claim in enumerate(file.claims):
        _claim(claim, "claims", index)
    for key in ("criteria", "success", "rollback"):
        for index, each in enumerate(getattr(file, key)):
            if each.claim:
                _claim(each.claim, key, index, "claim")


def _claim(claim: str, *keys: str | int) -> None:
    if claim not in claims.REGISTER:
        what = f"unknown claim {claim!r}{planfile.nearest(claim, list(claims.REGISTER))}"
        raise RuleError(what, *keys, remedy="the claims are those of scenarios/claims.py")


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
    if not 0 < plan.users <= MAX_USERS:
        raise RuleError(f"{plan.users} users in all, outside 1..{MAX_USERS}", "population", "audiences")


def _probes(plan: ProbePlan) -> None:
    each = plan.rate_per_s * 60 / plan.canary_users
    if each >= CANARY_LIMIT_PER_MIN:
        what = f"each canary user would probe {each:.0f} times a minute; the API answers 429 from 100"
        raise RuleError(what, "probes", "canary_users")
