"""Reads the plan of the flag's proof, strictly."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.base import units, yamltext
from harness.base.data import PLANS
from harness.base.errors import BadInput
from harness.rehearsals.flag_proof.types import FetchCase, FlagPlan, Kind, RealPlan
from scenarios import claims

PATH = PLANS / "flag_proof.yaml"


class _Form(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A mapping of the file; every duration is text with its unit."""


class _Case(_Form):
    fetch_interval: str
    real: bool = False
    late: str = ""


class _Kind(_Form):
    name: str
    session: str = "0s"
    offline: str = "0s"
    late: str = ""


class _Real(_Form):
    scale: float
    clients: int
    offline: int


class _Plan(_Form):
    title: str
    claim: str
    limit: str
    pace: str
    clients: int
    cases: list[_Case]
    kinds: list[_Kind]
    real: _Real


def load(path: Path = PATH) -> FlagPlan:
    """The plan. Raises ``BadInput`` for what is unknown, unitless or impossible."""
    where = str(path)
    found = yamltext.documents(yamltext.read(path), where)
    try:
        (read,) = (msgspec.convert(data, _Plan) for data, _ in found)
        plan = _plan(read)
    except (ValueError, msgspec.ValidationError) as error:
        raise BadInput(f"not a plan of the flag's proof: {error}", where=where, remedy=f"see {PATH.name}") from error
    _check(plan, where)
    return plan


def _plan(read: _Plan) -> FlagPlan:
    return FlagPlan(
        title=read.title,
        claim=read.claim,
        limit_s=units.seconds(read.limit),
        pace_s=units.seconds(read.pace),
        clients=read.clients,
        cases=tuple(
            FetchCase(fetch_interval_s=units.seconds(each.fetch_interval), real=each.real, late=each.late)
            for each in read.cases
        ),
        kinds=tuple(
            Kind(
                name=each.name,
                session_s=units.seconds(each.session),
                offline_s=units.seconds(each.offline),
                late=each.late,
            )
            for each in read.kinds
        ),
        real=RealPlan(scale=read.real.scale, clients=read.real.clients, offline=read.real.offline),
    )


def _check(plan: FlagPlan, where: str) -> None:
    errata = [*(each.late for each in plan.cases if each.late), *(each.late for each in plan.kinds if each.late)]
    unknown = [each for each in errata if each not in claims.ERRATA]
    if plan.claim not in claims.REGISTER or unknown:
        what = f"not in the register of claims: {', '.join(unknown) or plan.claim}"
        raise BadInput(what, where=where, remedy="the claims and errata are those of scenarios/claims.py")
    real = plan.real
    if not (plan.cases and plan.kinds and plan.pace_s > 0 and 1 <= plan.clients <= 2000):
        raise BadInput("cases, kinds, a pace and 1..2000 clients are needed", where=where)
    if not (1 <= real.scale <= 100 and 2 <= real.clients <= 100 and 0 <= real.offline < real.clients):
        raise BadInput("real: scale 1..100, clients 2..100, fewer offline than clients", where=where)
