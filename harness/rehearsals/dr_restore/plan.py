"""Loads the plan of a recovery rehearsal, strictly: unknown keys, wrong units and impossible values are refused."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from harness.base import units, yamltext
from harness.base.data import PLANS
from harness.base.errors import BadInput
from harness.base.units import Unit
from harness.model.scenario import AudiencePlan, PopulationPlan, ProbePlan
from harness.rehearsals.dr_restore.types import APPLY_LIMIT_S, Disaster, RecoveryPlan, SizesPlan, StallPlan, TrafficPlan
from scenarios import claims
from scenarios.form import Form

T = TypeVar("T")
PATH = PLANS / "dr_restore.yaml"
_SIZES = {"MiB": 1024**2, "GiB": 1024**3}
_SIZE = re.compile(r"^\s*([0-9]+(?:\.[0-9]+)?)\s*(MiB|GiB)\s*$")
SMALLEST_BYTES, LARGEST_BYTES = 4 * 1024**2, 2 * 1024**3
MOST_POINTS = 200


class _Limits(Form):
    rto: str
    rpo: str
    restart: str
    streaming_rpo: str
    overhead: str


class _Backup(Form):
    at: str
    zone: str
    terraform_start_time: str
    retention: str
    days: int


class _Stall(Form):
    archive_timeout: str
    healthy: str
    stall: str
    commit_every: str


class _Sizes(Form):
    sizes: list[str]
    wal_share: str
    production_name: str
    production_size: str


class _Traffic(Form):
    users: int
    pace: str
    probe_rate: str
    before: str
    after: str
    available_above: str
    errors_below: str
    written_limit: str


class _Plan(Form):
    title: str
    claims: list[str]
    limits: _Limits
    sentinel_every: str
    backup: _Backup
    disasters: list[Disaster]
    points: int
    stall: _Stall
    sizes: _Sizes
    traffic: _Traffic


def size_bytes(text: str) -> int:
    """``"64MiB"``, ``"1GiB"`` in bytes. Raises ``ValueError``."""
    match = _SIZE.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no size; write for example '64MiB' or '1GiB'")
    return round(float(match[1]) * _SIZES[match[2]])


def load(path: Path = PATH) -> RecoveryPlan:
    """The plan in ``path``. Raises ``BadInput`` with the place."""
    where = str(path)
    found = yamltext.documents(yamltext.read(path), where)
    if len(found) != 1:
        raise BadInput("a plan is one YAML document", where=where, remedy="see scenarios/plans/dr_restore.yaml")
    data, lines = found[0]
    try:
        read = msgspec.convert(data, _Plan)
    except msgspec.ValidationError as error:
        raise BadInput(str(error), where=where, remedy="see scenarios/plans/dr_restore.yaml for the form") from error

    def value(parse: Callable[[str], T], text: str, *place: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise BadInput(str(error), where=yamltext.place(where, lines, place)) from error

    for index, claim_id in enumerate(read.claims):
        if claim_id not in claims.REGISTER:
            raise BadInput(f"unknown claim {claim_id!r}", where=yamltext.place(where, lines, ("claims", index)))
    return checked(_plan(read, path.stem, value), where)


def _plan(read: _Plan, name: str, value: Callable[..., float]) -> RecoveryPlan:
    """The plan in plain numbers. ``value(parse, text, *place)`` raises ``BadInput`` for what does not parse."""
    limits, kept = read.limits, read.backup
    return RecoveryPlan(
        name=name,
        title=read.title,
        claims=tuple(read.claims),
        rto_s=value(units.seconds, limits.rto, "limits", "rto"),
        rpo_s=value(units.seconds, limits.rpo, "limits", "rpo"),
        restart_s=value(units.seconds, limits.restart, "limits", "restart"),
        streaming_rpo_s=value(units.seconds, limits.streaming_rpo, "limits", "streaming_rpo"),
        overhead_s=value(units.seconds, limits.overhead, "limits", "overhead"),
        sentinel_every_s=value(units.seconds, read.sentinel_every, "sentinel_every"),
        backup_at=kept.at,
        backup_zone=kept.zone,
        terraform_start_time=kept.terraform_start_time,
        retention_s=value(units.seconds, kept.retention, "backup", "retention"),
        days=kept.days,
        disasters=tuple(dict.fromkeys(read.disasters)),
        points=read.points,
        stall=StallPlan(
            archive_timeout_s=value(units.seconds, read.stall.archive_timeout, "stall", "archive_timeout"),
            healthy_s=value(units.seconds, read.stall.healthy, "stall", "healthy"),
            stall_s=value(units.seconds, read.stall.stall, "stall", "stall"),
            commit_every_s=value(units.seconds, read.stall.commit_every, "stall", "commit_every"),
        ),
        sizes=SizesPlan(
            sizes_bytes=tuple(int(value(size_bytes, text, "sizes", "sizes")) for text in read.sizes.sizes),
            wal_share=value(units.ratio, read.sizes.wal_share, "sizes", "wal_share"),
            production_name=read.sizes.production_name,
            production_bytes=int(value(size_bytes, read.sizes.production_size, "sizes", "production_size")),
        ),
        traffic=_traffic(read.traffic, value),
    )


def _traffic(read: _Traffic, value: Callable[..., float]) -> TrafficPlan:
    return TrafficPlan(
        population=PopulationPlan(
            audiences=(AudiencePlan(name="general", users=read.users, flag_on=read.users),),
            pace_s=value(units.seconds, read.pace, "traffic", "pace"),
        ),
        probes=ProbePlan(
            rate_per_s=value(
                lambda text: units.quantity(text, Unit.PER_SECOND), read.probe_rate, "traffic", "probe_rate"
            )
        ),
        before_s=value(units.seconds, read.before, "traffic", "before"),
        after_s=value(units.seconds, read.after, "traffic", "after"),
        available_above=value(units.ratio, read.available_above, "traffic", "available_above"),
        errors_below=value(units.ratio, read.errors_below, "traffic", "errors_below"),
        written_limit_s=value(units.seconds, read.written_limit, "traffic", "written_limit"),
    )


def checked(plan: RecoveryPlan, where: str) -> RecoveryPlan:
    """The plan, when it can be carried out on one machine. Raises ``BadInput``."""
    sizes = plan.sizes.sizes_bytes
    refusals = {
        "disasters: none, and a part that does nothing would be told as done (--only leaves parts out)": (
            not plan.disasters
        ),
        f"points is {plan.points}, outside 1..{MOST_POINTS} (--only leaves parts out)": (
            not 1 <= plan.points <= MOST_POINTS
        ),
        f"days is {plan.days}, outside 1..60": not 1 <= plan.days <= 60,
        "sizes: at least four different ones for a prediction (--only leaves parts out)": len(set(sizes)) < 4,
        "sizes lie between 4 MiB and 2 GiB": any(not SMALLEST_BYTES <= each <= LARGEST_BYTES for each in sizes),
        "sentinel_every lies between 10 ms and 10 s": not 0.01 <= plan.sentinel_every_s <= 10,
        "a stall lies within a day, and is one": not 0 < plan.stall.stall_s <= 86400,
        "stall: commit_every is longer than archive_timeout": plan.stall.commit_every_s > plan.stall.archive_timeout_s,
        "users lie between 1 and 500": not 1 <= plan.traffic.population.users <= 500,
        f"written_limit is {plan.traffic.written_limit_s:g} s; the apply alone may take {APPLY_LIMIT_S:g} s of it, and "
        "nothing would be left for the restart": not plan.traffic.written_limit_s > APPLY_LIMIT_S,
        "errors_below lies between 0 and 100 %": not 0 < plan.traffic.errors_below < 1,
        "a wait is not a number": not all(map(math.isfinite, (plan.rto_s, plan.rpo_s, plan.retention_s))),
    }
    for what, refused in refusals.items():
        if refused:
            raise BadInput(what, where=where, remedy="see scenarios/plans/dr_restore.yaml")
    return plan
