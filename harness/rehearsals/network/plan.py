"""Loads the plan of the network rehearsal from YAML, strictly."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness import yamltext
from harness.model import units
from harness.model.errors import BadInput
from harness.rehearsals.network.types import Client, NetworkPath, NetworkPlan, Place
from harness.rehearsals.network.types_ingress import Host, IngressAsk, IngressPlan
from scenarios import claims
from scenarios.form import Form

PLAN = Path(claims.__file__).parent / "plans" / "network.yaml"
MOST_RATE_PER_S = 50.0


class PathForm(Form, rename={"client": "from", "place": "to"}):
    client: Client
    place: Place
    allowed: bool
    why: str


class AskForm(Form):
    ask: str
    host: Host
    token: bool
    status: int
    why: str


class IngressForm(Form):
    follows_within: str
    renewal: str
    rate: str
    asks: list[AskForm]


class PlanForm(Form):
    title: str
    enforced_within: str
    hold: str
    rate: str
    most_failed: str
    paths: list[PathForm]
    ingress: IngressForm


def load(path: Path = PLAN) -> NetworkPlan:
    """The plan in ``path``. Raises ``BadInput`` naming the file and the value."""
    found = yamltext.documents(yamltext.read(path), str(path))
    if len(found) != 1:
        raise BadInput("one plan is wanted", where=str(path), remedy=f"see {PLAN.name}")
    try:
        form = msgspec.convert(found[0][0], PlanForm)
        plan = NetworkPlan(
            name=path.stem,
            title=form.title,
            paths=tuple(
                NetworkPath(client=each.client, place=each.place, allowed=each.allowed, why=each.why)
                for each in form.paths
            ),
            enforced_within_s=units.seconds(form.enforced_within),
            hold_s=units.seconds(form.hold),
            rate_per_s=units.quantity(form.rate, units.Unit.PER_SECOND),
            most_failed=units.ratio(form.most_failed),
            ingress=_ingress(form.ingress),
        )
        _check(plan)
    except (msgspec.ValidationError, ValueError) as error:
        raise BadInput(str(error), where=str(path), remedy=f"see {PLAN.name} for the right form") from error
    return plan


def _check(plan: NetworkPlan) -> None:
    """What makes a plan that can fail: both kinds of paths, each once, and only places that a client can ask."""
    names = [path.name for path in plan.paths]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{min(twice)} is there twice")
    if {path.allowed for path in plan.paths} != {True, False}:
        raise ValueError("a plan has allowed paths and refused ones")
    for path in plan.paths:
        if path.place is Place.OTHER_POD and path.client is not Client.TARGET:
            raise ValueError(f"{path.name}: only the target's pods have others of their kind")
        if path.place.value == path.client.value:
            raise ValueError(f"{path.name}: a pod that asks itself asks no network")
    for rate in (plan.rate_per_s, plan.ingress.rate_per_s):
        if not 0 < rate <= MOST_RATE_PER_S:
            raise ValueError(f"rate {rate:g}/s is not within 0..{MOST_RATE_PER_S:g}/s")
    asks = [ask.name for ask in plan.ingress.asks]
    if twice := {name for name in asks if asks.count(name) > 1}:
        raise ValueError(f"{min(twice)} is there twice")
    if {bool(ask.status) for ask in plan.ingress.asks} != {True, False}:
        raise ValueError("an Ingress is asked for what a pod answers, and for what none may")


def _ingress(form: IngressForm) -> IngressPlan:
    words = [each.ask.split() for each in form.asks]
    if bad := [each for each in words if len(each) != 2]:
        raise ValueError(f"{' '.join(bad[0])!r} is no method and path")
    return IngressPlan(
        asks=tuple(
            IngressAsk(method=method, path=path, host=each.host, token=each.token, status=each.status, why=each.why)
            for (method, path), each in zip(words, form.asks, strict=True)
        ),
        follows_within_s=units.seconds(form.follows_within),
        renewal_s=units.seconds(form.renewal),
        rate_per_s=units.quantity(form.rate, units.Unit.PER_SECOND),
    )
