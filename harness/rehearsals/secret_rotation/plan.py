"""Loads the plan of the rehearsal of secrets from YAML, strictly."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.base import units, yamltext
from harness.base.data import PLANS
from harness.base.errors import BadInput
from harness.model.stack import Capability
from harness.rehearsals.secret_rotation.types import PartKind, RotationPart, RotationPlan
from scenarios import claims
from scenarios.form import Form, nearest

PLAN = PLANS / "secret_rotation.yaml"
MOST_RATE_PER_S = 50.0  # this is no load test
MOST_LOAD_S = 600.0
_PODS = 6  # two, the surge, and the three that are tried


class PartForm(Form):
    name: str
    kind: str
    title: str
    claims: list[str]
    needs: tuple[str, ...] = ("real_kubernetes",)
    rate: str = "10/s"
    load: str = "0s"
    wait: str = "120s"
    watch: str = "30s"
    least_requests: int = 0


class PlanForm(Form):
    title: str
    poll: str
    parts: list[PartForm]


def load(path: Path = PLAN) -> RotationPlan:
    """The plan in ``path``. Raises ``BadInput`` naming the file and the value."""
    found = yamltext.documents(yamltext.read(path), str(path))
    if len(found) != 1:
        raise BadInput("one plan is wanted", where=str(path), remedy=f"see {PLAN.name}")
    try:
        form = msgspec.convert(found[0][0], PlanForm)
        parts = tuple(_part(each) for each in form.parts)
        if len({part.name for part in parts}) != len(parts):
            raise ValueError("two parts have one name")
    except (msgspec.ValidationError, ValueError) as error:
        raise BadInput(str(error), where=str(path), remedy=f"see {PLAN.name} for the right form") from error
    return RotationPlan(name=path.stem, title=form.title, poll_s=units.seconds(form.poll), parts=parts)


def _part(form: PartForm) -> RotationPart:
    known = [*claims.REGISTER, *claims.ERRATA]
    for claim in form.claims:
        if claim not in known:
            raise ValueError(f"{form.name}: unknown claim {claim!r}{nearest(claim, known)}")
    kind = PartKind(form.kind)
    rate_per_s, load_s = units.quantity(form.rate, units.Unit.PER_SECOND), units.seconds(form.load)
    loaded = kind in (PartKind.NAIVE, PartKind.TWO_ROLES)
    if loaded and not (0 < rate_per_s <= MOST_RATE_PER_S and 0 < load_s <= MOST_LOAD_S):
        raise ValueError(f"{form.name}: a rotation needs a load of at most {MOST_RATE_PER_S:g}/s for {MOST_LOAD_S:g} s")
    return RotationPart(
        name=form.name,
        kind=kind,
        title=form.title,
        claims=tuple(form.claims),
        needs=tuple(Capability(need) for need in form.needs),
        pods=_PODS,
        rate_per_s=rate_per_s,
        load_s=load_s,
        wait_s=units.seconds(form.wait),
        watch_s=units.seconds(form.watch),
        least_requests=form.least_requests,
    )
