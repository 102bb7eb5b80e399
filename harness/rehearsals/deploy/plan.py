"""Loads the plan of the deploy rehearsal from YAML, strictly."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness import yamltext
from harness.model import units
from harness.model.errors import BadInput
from harness.model.judgement import Kind
from harness.model.scenario import Scenario
from harness.model.stack import Version
from harness.rehearsals.deploy.types import DeployPart, DeployPlan, PartKind
from scenarios import claims
from scenarios.form import Form, nearest
from scenarios.load import load as load_scenario

#: The scenario with everybody on the API.
_EVERYBODY = "rollout_week4"
PLAN = Path(claims.__file__).parent / "plans" / "deploy.yaml"


class VersionForm(Form):
    name: str
    never_ready: bool = False
    error_share: str = "0%"
    delay: str = "0ms"


class PartForm(Form):
    name: str
    kind: str
    title: str
    claims: list[str]
    version: VersionForm
    graceful: bool = True
    least_calls: int = 300
    status: str = "180s"
    watch: str = "120s"
    within: str = "60s"
    expand: str = ""
    breaking: str = ""
    back: str = ""
    written_by: str = ""


class PlanForm(Form):
    title: str
    limits: str
    parts: list[PartForm]


def load(path: Path = PLAN, *, scenario: Scenario | None = None) -> DeployPlan:
    """The plan in ``path``, with the users of ``scenario`` (week 4's where none is given).

    Raises ``BadInput`` naming the file and the value.
    """
    found = yamltext.documents(yamltext.read(path), str(path))
    if len(found) != 1:
        raise BadInput("one plan is wanted", where=str(path), remedy=f"see {PLAN.name}")
    try:
        form = msgspec.convert(found[0][0], PlanForm)
        parts = tuple(_part(each) for each in form.parts)
        if len({part.name for part in parts}) < len(parts) or len({part.version.name for part in parts}) < len(parts):
            raise ValueError("every part and every version has one name of its own")
    except (msgspec.ValidationError, ValueError) as error:
        raise BadInput(str(error), where=str(path), remedy=f"see {PLAN.name} for the right form") from error
    limits = tuple(each for each in load_scenario(form.limits).criteria if each.kind is Kind.ROLLBACK_LIMIT)
    users = load_scenario(_EVERYBODY) if scenario is None else scenario
    return DeployPlan(name=path.stem, title=form.title, limits=limits, parts=parts, scenario=users)


def _part(form: PartForm) -> DeployPart:
    known = [*claims.REGISTER, *claims.ERRATA]
    for claim in form.claims:
        if claim not in known:
            raise ValueError(f"{form.name}: unknown claim {claim!r}{nearest(claim, known)}")
    kind = PartKind(form.kind)
    if kind is PartKind.BREAKING_SCHEMA and not (form.breaking and form.back):
        raise ValueError(f"{form.name}: a breaking schema needs `breaking` and `back`")
    given = form.version
    version = Version(
        name=given.name,
        never_ready=given.never_ready,
        error_share=units.ratio(given.error_share),
        delay_ms=units.quantity(given.delay, units.Unit.MILLISECONDS),
    )
    return DeployPart(
        name=form.name,
        kind=kind,
        title=form.title,
        claims=tuple(form.claims),
        version=version,
        graceful=form.graceful,
        least_calls=form.least_calls,
        status_s=units.seconds(form.status),
        watch_s=units.seconds(form.watch),
        within_s=units.seconds(form.within),
        expand=form.expand,
        breaking=form.breaking,
        back=form.back,
        written_by=form.written_by,
    )
