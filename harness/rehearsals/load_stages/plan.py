"""Loads the plan of the load stages from YAML, strictly."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.base import units, yamltext
from harness.base.data import PLANS
from harness.base.errors import BadInput
from harness.base.units import Unit
from harness.model.step import CAPACITY, Arrivals, Step
from harness.rehearsals.load_stages.types import KneePlan, LoadStagesPlan
from scenarios import claims
from scenarios.form import Form, nearest
from scenarios.load import CANARY_LIMIT_PER_MIN as RATE_LIMIT_PER_MIN

PLAN = PLANS / "load_stages.yaml"
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


class CapacityForm(Form):
    rate: str
    window: str


class PhotosForm(Form):
    rate: str
    bytes: int


class KneeForm(Form):
    pods: list[int]
    warm_up: str
    step: str
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
    capacity: CapacityForm
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
    capacity = Step(
        name=CAPACITY,
        arrivals=Arrivals.POISSON,
        rate_per_s=units.quantity(form.capacity.rate, Unit.PER_SECOND),
        users=form.accounts,
        seconds=units.seconds(form.capacity.window),
    )
    knee = _knee(form.knee, capacity.rate_per_s)
    rates = [(step.name, step.rate_per_s, step.users) for step in (*users, capacity)]
    for what, rate_per_s, accounts in (*rates, ("knee: most_rate", knee.most_rate_per_s, form.accounts)):
        _below_the_limiter(what, rate_per_s, accounts)
    return LoadStagesPlan(
        name=name,
        title=form.title,
        claims=tuple(form.claims),
        accounts=form.accounts,
        pods=form.pods,
        stages=(*users, capacity, *_in_flight(form)),
        knee=knee,
        p95_limit_ms=units.quantity(form.p95_limit, Unit.MILLISECONDS),
        error_limit=units.ratio(form.error_limit),
    )


def _below_the_limiter(what: str, rate_per_s: float, accounts: int) -> None:
    """The API refuses each user beyond a rate (docs/contract/walk-api.md#rate-limit): that limit is not the pods'."""
    if rate_per_s * 60 >= RATE_LIMIT_PER_MIN * accounts:
        raise ValueError(
            f"{what}: {rate_per_s:g}/s from {accounts} accounts reach the API's rate limiter ({RATE_LIMIT_PER_MIN} "
            "requests a minute each); more accounts are needed, or a lower rate"
        )


def _users(stage: UsersStage, pace_s: float) -> Step:
    return Step(
        name=f"users_{stage.users}",
        arrivals=Arrivals.EVEN,
        rate_per_s=stage.users / pace_s,
        users=stage.users,
        seconds=units.seconds(stage.window),
    )


def _in_flight(form: PlanForm) -> tuple[Step, ...]:
    window_s = units.seconds(form.in_flight.window)
    return tuple(
        Step(
            name=f"in_flight_{count}",
            arrivals=Arrivals.CLOSED,
            in_flight=count,
            users=form.accounts,
            seconds=window_s,
        )
        for count in form.in_flight.stages
    )


def _knee(form: KneeForm, first_rate_per_s: float) -> KneePlan:
    """The search begins at what the document says the pods carry."""
    knee = KneePlan(
        pods=tuple(dict.fromkeys(form.pods)),
        warm_up_s=units.seconds(form.warm_up),
        step_s=units.seconds(form.step),
        first_rate_per_s=first_rate_per_s,
        most_rate_per_s=units.quantity(form.most_rate, Unit.PER_SECOND),
        precision=units.ratio(form.precision),
        photos_per_s=units.quantity(form.photos.rate, Unit.PER_SECOND) if form.photos else 0.0,
        photo_bytes=form.photos.bytes if form.photos else 0,
        cpu_share=units.ratio(form.cpu) if form.cpu else 0.0,
    )
    if not 0 < knee.first_rate_per_s <= knee.most_rate_per_s:
        raise ValueError("the capacity's rate, where the knee's search begins, is above most_rate, or nothing")
    if not knee.precision:
        raise ValueError("knee: precision is 0%")
    return knee
