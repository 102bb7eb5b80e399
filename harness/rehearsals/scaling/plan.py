"""Loads the plan of the scaling rehearsal from YAML, strictly."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.base import units, yamltext
from harness.base.data import PLANS
from harness.base.errors import BadInput
from harness.model.stack import Capability
from harness.rehearsals.scaling.types import PLAIN, Part, PartKind, ScalingPlan
from scenarios import claims
from scenarios.form import Form, nearest

PLAN = PLANS / "scaling.yaml"
ZONE_LOSS = PLAN.with_name("zone_loss.yaml")
MOST_PODS = 40
MOST_HOLD = 0.9  # of the memory limit, beside what the target itself needs


class PartForm(Form):
    name: str
    kind: str
    title: str
    claims: list[str]
    needs: tuple[str, ...] = ()
    low: int = 2
    high: int = 2
    pods: int = 3
    up_within: str = "300s"
    down_after: str = "0s"
    down_within: str = "300s"
    wait: str = "300s"
    load: str = "0s"
    in_flight: int = 0
    hold: str = "0%"
    held: int = 0
    rate: str = "0/s"
    component: str = ""


class PlanForm(Form):
    title: str
    parts: list[PartForm]


def load(path: Path = PLAN) -> ScalingPlan:
    """The plan in ``path``. Raises ``BadInput`` naming the file and the value."""
    found = yamltext.documents(yamltext.read(path), str(path))
    if len(found) != 1:
        raise BadInput("one plan is wanted", where=str(path), remedy=f"see {PLAN.name}")
    try:
        form = msgspec.convert(found[0][0], PlanForm)
        parts = tuple(_part(each) for each in form.parts)
        _check_order(parts)
    except (msgspec.ValidationError, ValueError) as error:
        raise BadInput(str(error), where=str(path), remedy=f"see {PLAN.name} for the right form") from error
    return ScalingPlan(name=path.stem, title=form.title, parts=parts)


def _part(form: PartForm) -> Part:
    known = [*claims.REGISTER, *claims.ERRATA]
    for claim in form.claims:
        if claim not in known:
            raise ValueError(f"{form.name}: unknown claim {claim!r}{nearest(claim, known)}")
    for count in (form.low, form.high, form.pods):
        if not 1 <= count <= MOST_PODS:
            raise ValueError(f"{form.name}: {count} pods, not within 1..{MOST_PODS}")
    if not 0 <= units.ratio(form.hold) <= MOST_HOLD:
        raise ValueError(f"{form.name}: hold {form.hold}, not within 0..{MOST_HOLD:.0%}")
    if form.low > form.high:
        raise ValueError(f"{form.name}: low {form.low} is above high {form.high}")
    return Part(
        name=form.name,
        kind=PartKind(form.kind),
        title=form.title,
        claims=tuple(form.claims),
        needs=tuple(Capability(need) for need in form.needs),
        low=form.low,
        high=form.high,
        pods=form.pods,
        up_within_s=units.seconds(form.up_within),
        down_after_s=units.seconds(form.down_after),
        down_within_s=units.seconds(form.down_within),
        wait_s=units.seconds(form.wait),
        load_s=units.seconds(form.load),
        in_flight=form.in_flight,
        hold=units.ratio(form.hold),
        held=form.held,
        rate_per_s=units.quantity(form.rate, units.Unit.PER_SECOND),
        component=form.component,
    )


def _check_order(parts: tuple[Part, ...]) -> None:
    """What runs without the autoscaler comes first: nothing takes it away again."""
    kinds = [part.kind for part in parts]
    with_it = [kind not in PLAIN for kind in kinds]
    if with_it != sorted(with_it) or PartKind.COMMANDS in kinds[:-1]:
        raise ValueError("the order is: manual, apply, drain, zone; then takes_back, hpa; commands last, once")
    if len({part.name for part in parts}) != len(parts):
        raise ValueError("two parts have one name")
