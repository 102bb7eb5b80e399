"""What a stage worker is told before it admits its accounts, and the commands that follow on its master's input."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.base.clock import Anchor
from harness.base.errors import BadInput
from harness.base.private import write_private
from harness.load.plan import LOOPBACK
from harness.model.scenario import AudiencePlan, PopulationPlan
from harness.model.stack import Endpoints
from harness.model.step import Step

MOST_ACCOUNTS = 2_000
MOST_RATE_PER_S = 2_000.0
MOST_STEP_S = 600.0
MOST_PHOTOS_PER_S = 50.0
MOST_PHOTO_BYTES = 5_000_000  # docs/contract/walk-api.md#real-use: up to 5 MB each
MOST_WORKERS = 8


def population(count: int) -> PopulationPlan:
    """The accounts of the stages: all on the API."""
    return PopulationPlan(audiences=(AudiencePlan(name="general", users=count, flag_on=count),))


class WorkerPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Worker ``worker`` of ``workers`` (0-based) acts for every ``workers``-th of ``accounts`` users."""

    run_id: str
    seed: int
    accounts: int
    worker: int
    workers: int
    master_port: int
    endpoints: Endpoints
    anchor: Anchor
    spool: str
    request_timeout_s: float


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line to the master: one step, whose offsets count from ``origin_ns`` of the monotonic clock."""

    step: Step
    origin_ns: int


def check_step(step: Step, accounts: int) -> None:
    """Raises ``BadInput`` for a load without bounds."""
    for what, value, least, most in (
        ("seconds", step.seconds, 0.5, MOST_STEP_S),
        ("rate_per_s", step.rate_per_s, 0.0, MOST_RATE_PER_S),
        ("in_flight", step.in_flight, 0, accounts),
        ("users", step.users, 1, accounts),
        ("photos_per_s", step.photos_per_s, 0.0, MOST_PHOTOS_PER_S),
        ("photo_bytes", step.photo_bytes, 0, MOST_PHOTO_BYTES),
    ):
        if not least <= value <= most:
            raise BadInput(f"step {step.name}: {what} is {value:g}, not within {least:g}..{most:g}")


def write(plan: WorkerPlan, path: Path) -> None:
    """Writes the plan, checked, for this user alone: its endpoints have the database's password."""
    _check(plan)
    write_private(path, msgspec.json.format(msgspec.json.encode(plan)))


def read(path: Path) -> WorkerPlan:
    """The plan of ``path``. Raises ``BadInput``."""
    try:
        plan = msgspec.json.decode(path.read_bytes(), type=WorkerPlan)
    except (OSError, msgspec.DecodeError) as error:
        raise BadInput(f"the plan cannot be read: {error}", where=str(path)) from error
    _check(plan)
    return plan


def _check(plan: WorkerPlan) -> None:
    for name in ("service", "auth"):
        address = getattr(plan.endpoints, name)
        if address.host != LOOPBACK:
            raise BadInput(f"load is only ever sent to {LOOPBACK}", where=f"endpoints.{name}: {address}")
    if not 1 <= plan.workers <= MOST_WORKERS or not 0 <= plan.worker < plan.workers:
        raise BadInput(f"worker {plan.worker} of {plan.workers}: at most {MOST_WORKERS}", where="the plan")
    if not plan.workers <= plan.accounts <= MOST_ACCOUNTS or plan.accounts % plan.workers:
        raise BadInput(f"{plan.accounts} accounts cannot be shared by {plan.workers} workers", where="the plan")
