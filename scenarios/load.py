"""Loads a scenario from YAML, strictly: whatever is unknown, unitless or impossible is refused by its line."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from harness.base import units, yamltext
from harness.base.errors import BadInput
from harness.base.units import Unit
from harness.model.judgement import Kind
from harness.model.scenario import (
    METRIC_UNIT,
    AudiencePlan,
    Comparison,
    Criterion,
    Metric,
    PopulationPlan,
    ProbePlan,
    Scenario,
)
from harness.model.stack import Capability
from scenarios import claims, form

FOLDER = Path(__file__).parent

MAX_USERS = 100_000
MAX_S = 30 * 86_400.0  # the longest window the document names
CANARY_LIMIT_PER_MIN = 100  # below docs/contract/walk-api.md#rate-limit: above it probes would meet 429

E = TypeVar("E", Metric, Comparison)

_KINDS = {"success": Kind.CRITERION, "rollback": Kind.ROLLBACK_LIMIT}

#: What each metric's success says; a rollback limit fires on the other side.
_SUCCESS = {
    Metric.ERROR_RATIO: Comparison.BELOW,
    Metric.AVAILABILITY: Comparison.ABOVE,
    Metric.LATENCY_P95: Comparison.BELOW,
    Metric.REQUEST_RATE: Comparison.AT_LEAST,
    Metric.CONCURRENT_USERS: Comparison.AT_LEAST,
}
_ROLLBACK = {
    Metric.ERROR_RATIO: Comparison.ABOVE,
    Metric.AVAILABILITY: Comparison.BELOW,
    Metric.LATENCY_P95: Comparison.ABOVE,
}


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
        near = form.nearest(name_or_path, list(names()))
        raise BadInput(
            f"no scenario is called {name_or_path!r}{near}",
            where="the scenario's name",
            remedy=f"the scenarios are: {', '.join(names())}; or give the path of a .yaml file",
        )
    return parse(yamltext.read(path), str(path), path.stem)


def parse(text: str, where: str, name: str) -> Scenario:
    """The scenario ``name`` written in ``text``; ``where`` is its file in errors. Raises ``BadInput``."""
    read, source = form.parse(text, where)
    _claims(read.claims, source)
    return Scenario(
        name=name,
        title=read.title,
        claims=tuple(read.claims),
        population=_population(read.population, source),
        criteria=_criteria(read.criteria, source),
        window_s=_seconds(read.window, ("window",), source),
        probes=_probes(read.probes, source),
        request_timeout_s=_seconds(read.request_timeout, ("request_timeout",), source),
        switch_over_limit_s=_seconds(read.switch_over_limit, ("switch_over_limit",), source),
        good_answer_every_s=_seconds(read.good_answer_every, ("good_answer_every",), source),
        blackout_s=_seconds(read.blackout, ("blackout",), source),
        offered_rate_per_s=_quantity(read.offered_rate, Unit.PER_SECOND, ("offered_rate",), source),
    )


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


def _claims(ids: list[str], source: form.Source) -> None:
    for index, claim_id in enumerate(ids):
        _claim(claim_id, ("claims", index), source)


def _claim(claim_id: str, path: yamltext.Path_, source: form.Source) -> None:
    if claim_id not in claims.REGISTER:
        near = form.nearest(claim_id, list(claims.REGISTER))
        raise source.bad(path, f"unknown claim {claim_id!r}{near}", "the claims are those of scenarios/claims.py")


def _population(read: form.PopulationForm, source: form.Source) -> PopulationPlan:
    top: yamltext.Path_ = ("population",)
    audiences = []
    for index, audience in enumerate(read.audiences):
        path = (*top, "audiences", index)
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", audience.name):
            raise source.bad((*path, "name"), f"{audience.name!r} is no audience's name (a-z, 0-9, _)")
        if not 0 <= audience.users <= MAX_USERS:
            raise source.bad((*path, "users"), f"users is {audience.users}, outside 0..{MAX_USERS}")
        if not 0 <= audience.flag_on <= audience.users:
            what = f"flag_on is {audience.flag_on}, outside 0..{audience.users}, the users of {audience.name!r}"
            raise source.bad((*path, "flag_on"), what)
        audiences.append(AudiencePlan(name=audience.name, users=audience.users, flag_on=audience.flag_on))
    _unique([audience.name for audience in audiences], (*top, "audiences"), "name", source)
    plan = PopulationPlan(
        audiences=tuple(audiences),
        pace_s=_seconds(read.pace, (*top, "pace"), source),
        fetch_interval_s=_seconds(read.fetch_interval, (*top, "fetch_interval"), source, zero=True),
    )
    if not 0 < plan.users <= MAX_USERS:
        raise source.bad((*top, "audiences"), f"{plan.users} users in all, outside 1..{MAX_USERS}")
    return plan


def _probes(read: form.ProbesForm, source: form.Source) -> ProbePlan:
    plan = ProbePlan(
        rate_per_s=_quantity(read.rate, Unit.PER_SECOND, ("probes", "rate"), source),
        canary_users=read.canary_users,
        timeout_s=_seconds(read.timeout, ("probes", "timeout"), source),
    )
    if not 1 <= plan.canary_users <= MAX_USERS:
        raise source.bad(("probes", "canary_users"), f"canary_users is {plan.canary_users}, below 1 or too many")
    each = plan.rate_per_s * 60 / plan.canary_users
    if each >= CANARY_LIMIT_PER_MIN:
        what = f"each canary user would probe {each:.0f} times a minute; the API answers 429 from 100"
        raise source.bad(("probes", "canary_users"), what)
    return plan


def _criteria(read: list[form.CriterionForm], source: form.Source) -> tuple[Criterion, ...]:
    if not read:
        raise source.bad(("criteria",), "no criteria: nothing would be judged")
    criteria = tuple(_criterion(each, ("criteria", index), source) for index, each in enumerate(read))
    _unique([criterion.id for criterion in criteria], ("criteria",), "id", source)
    return criteria


def _criterion(read: form.CriterionForm, path: yamltext.Path_, source: form.Source) -> Criterion:
    if not re.fullmatch(r"[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*", read.id):
        raise source.bad((*path, "id"), f"{read.id!r} is no criterion's id (words joined by dots)")
    _claim(read.claim, (*path, "claim"), source)
    kind = _kind(read.kind, (*path, "kind"), source)
    metric = _word(Metric, read.metric, (*path, "metric"), source)
    comparison = _word(Comparison, read.comparison, (*path, "comparison"), source)
    says = _SUCCESS if kind is Kind.CRITERION else _ROLLBACK
    if metric not in says:
        raise source.bad((*path, "metric"), f"{metric} has no rollback limit", f"use one of {_list(_ROLLBACK)}")
    if comparison is not says[metric]:
        what = f"a {read.kind} criterion on {metric} says {says[metric].value!r}, not {comparison.value!r}"
        raise source.bad((*path, "comparison"), what, f'write `comparison: "{says[metric].value}"`')
    for index, need in enumerate(read.needs):
        if need not in list(Capability):
            near = form.nearest(need, [str(each) for each in Capability])
            what = f"unknown capability {need!r}{near}"
            raise source.bad((*path, "needs", index), what, f"use one of {_list(Capability)}")
    if read.smallest_sample < 0:
        raise source.bad((*path, "smallest_sample"), f"smallest_sample is {read.smallest_sample}")
    return Criterion(
        id=read.id,
        claim=read.claim,
        kind=kind,
        metric=metric,
        comparison=comparison,
        threshold=_threshold(read.threshold, metric, (*path, "threshold"), source),
        smallest_sample=read.smallest_sample,
        needs=tuple(read.needs),
    )


def _threshold(text: str, metric: Metric, path: yamltext.Path_, source: form.Source) -> float:
    value = _quantity(text, METRIC_UNIT[metric], path, source)
    if METRIC_UNIT[metric] is Unit.RATIO and value >= 1:
        raise source.bad(path, f"{text!r} can be neither met nor broken; it must be between 0% and 100%")
    if metric is Metric.CONCURRENT_USERS and value != round(value):
        raise source.bad(path, f"{text!r} is no whole number of users", "for example `threshold: 250users`")
    return value


def _kind(text: str, path: yamltext.Path_, source: form.Source) -> Kind:
    if text not in _KINDS:
        near = form.nearest(text, list(_KINDS))
        raise source.bad(path, f"{text!r} is none of {_list(_KINDS)}{near}")
    return _KINDS[text]


def _word(words: type[E], text: str, path: yamltext.Path_, source: form.Source) -> E:
    try:
        return words(text)
    except ValueError:
        near = form.nearest(text, [str(word) for word in words])
        raise source.bad(path, f"{text!r} is none of {_list(words)}{near}") from None


def _list(words: Iterable[str]) -> str:
    return ", ".join(str(word) for word in words)


def _unique(values: list[str], path: yamltext.Path_, key: str, source: form.Source) -> None:
    for index, value in enumerate(values):
        if value in values[:index]:
            first = values.index(value)
            what = f"{key} {value!r} is given twice, first in {yamltext.dotted((*path, first))}"
            raise source.bad((*path, index, key), what, f"give each its own {key}")


def _seconds(text: str, path: yamltext.Path_, source: form.Source, *, zero: bool = False) -> float:
    value = _number(units.seconds, text, path, source)
    if value > MAX_S or value < 0 or (value == 0 and not zero):
        raise source.bad(path, f"{text!r} is out of range (above 0, at most 30d)")
    return value


def _quantity(text: str, unit: Unit, path: yamltext.Path_, source: form.Source) -> float:
    value = _number(lambda each: units.quantity(each, unit), text, path, source)
    if value <= 0:
        raise source.bad(path, f"{text!r} is not above 0")
    return value


def _number(read: Callable[[str], float], text: str, path: yamltext.Path_, source: form.Source) -> float:
    try:
        value = read(text)
    except ValueError as error:
        what, _, example = str(error).partition("; write for example ")
        raise source.bad(
            path, what, f"for example `{path[-1]}: {example.strip(chr(39))}`" if example else ""
        ) from error
    if not math.isfinite(value):
        raise source.bad(path, f"{text[:20]!r}... is too large")
    return value
