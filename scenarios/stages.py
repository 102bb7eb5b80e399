"""Loads the plan of the load stages from YAML, strictly."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness import yamltext
from harness.model import units
from harness.model.errors import BadInput
from harness.model.load_stages import Arrivals, KneePlan, LoadStagesPlan, Step
from harness.model.units import Unit
from scenarios import claims
from scenarios.form import Form, nearest

PLAN = Path(__file__).parent / "plans" / "load_stages.yaml"
MOST_PODS = 20


class UsersStage(Form):
    users: int
    window: str


class Users(Form):
    pace: str
    stages: list[UsersStage]


class InFlight(Form):
    window: str
    stages: list[int]


class PhotosForm(Form):
    rate: str
    bytes: int


class KneeForm(Form):
    pods: list[int]
    step: str
    first_rate: str
    most_rate: str
    precision: str
    photos: PhotosForm | None = None
    cpu: str | None = None


class PlanForm(Form):
    title: str
    claims: list[str]
    accounts: int
    pods: int
    p95_limit: str
    error_limit: str
    users: Users
    in_flight: InFlight
    knee: KneeForm


def load(path: Path = PLAN) -> LoadStagesPlan:
    """The plan in ``path``. Raises ``BadInput`` naming the file and the value."""
    found = yamltext.documents(yamltext.read(path), str(path))
    if len(found) != 1:
        raise BadInput("one plan is wanted", where=str(path), remedy=f"see {PLAN.name}")
    try:
        form = msgspec.convert(found[0][0], PlanForm)
        plan = _plan(path.stem, form)
    except (msgspec.ValidationError, ValueError) as error:
        raise BadInput(str(error), where=str(path), remedy=f"see {PLAN.name} for the right form") from error
    return plan


def _plan(name: str, form: PlanForm) -> LoadStagesPlan:
    for claim in form.claims:
        if claim not in claims.REGISTER:
            raise ValueError(f"unknown claim {claim!r}{nearest(claim, list(claims.REGISTER))}")
    pace_s = units.seconds(form.users.pace)
    for count in (form.pods, *form.knee.pods):
        if not 1 <= count <= MOST_PODS:
            raise ValueError(f"{count} pods, not within 1..{MOST_PODS}")
    for count in (*(stage.users for stage in form.users.stages), *form.in_flight.stages):
        if not 1 <= count <= form.accounts:
            raise ValueError(f"{count} at once need as many accounts; there are {form.accounts}")
    users = tuple(_users(stage, pace_s) for stage in form.users.stages)
    window_s = units.seconds(form.in_flight.window)
    in_flight = tuple(
        Step(
            name=f"in_flight_{count}",
            arrivals=Arrivals.CLOSED,
            in_flight=count,
            users=form.accounts,
            seconds=window_s,
        )
        for count in form.in_flight.stages
    )
    knee = KneePlan(
        pods=tuple(form.knee.pods),
        step_s=units.seconds(form.knee.step),
        first_rate_per_s=units.quantity(form.knee.first_rate, Unit.PER_SECOND),
        most_rate_per_s=units.quantity(form.knee.most_rate, Unit.PER_SECOND),
        precision=units.ratio(form.knee.precision),
        photos_per_s=units.quantity(form.knee.photos.rate, Unit.PER_SECOND) if form.knee.photos else 0.0,
        photo_bytes=form.knee.photos.bytes if form.knee.photos else 0,
        cpu_share=units.ratio(form.knee.cpu) if form.knee.cpu else 0.0,
    )
    if not 0 < knee.first_rate_per_s <= knee.most_rate_per_s or not knee.precision:
        raise ValueError("knee: first_rate is above most_rate, or nothing, or precision is 0%")
    return LoadStagesPlan(
        name=name,
        title=form.title,
        claims=tuple(form.claims),
        accounts=form.accounts,
        pods=form.pods,
        stages=users + in_flight,
        knee=knee,
        p95_limit_ms=units.quantity(form.p95_limit, Unit.MILLISECONDS),
        error_limit=units.ratio(form.error_limit),
    )


def _users(stage: UsersStage, pace_s: float) -> Step:
    return Step(
        name=f"users_{stage.users}",
        arrivals=Arrivals.EVEN,
        rate_per_s=stage.users / pace_s,
        users=stage.users,
        seconds=units.seconds(stage.window),
    )
