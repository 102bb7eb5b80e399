"""What a stage worker is told before it admits its accounts, and the commands that follow on its input."""

from __future__ import annotations

import msgspec

from harness.base.errors import BadInput
from harness.load.plan import ProcessPlan, within
from harness.model.scenario import MOST_RATE_PER_S, MOST_STEP_S, MOST_USERS, AudiencePlan, PopulationPlan, Step

MOST_PHOTOS_PER_S = 50.0
MOST_PHOTO_BYTES = 5_000_000  # docs/contract/walk-api.md#real-use: up to 5 MB each


def population(count: int) -> PopulationPlan:
    """The accounts of the stages: all on the API."""
    return PopulationPlan(audiences=(AudiencePlan(name="general", users=count, flag_on=count),))


class WorkerPlan(ProcessPlan, frozen=True, kw_only=True):
    """Each worker acts for every ``workers``-th of ``accounts`` users."""

    accounts: int

    def check(self) -> None:
        """Raises ``BadInput`` for a load without bounds, and for accounts that cannot be shared."""
        super().check()
        within("accounts", self.accounts, self.workers, MOST_USERS)
        if self.accounts % self.workers:
            raise BadInput(f"{self.accounts} accounts cannot be shared by {self.workers} workers", where="the plan")


class StepCommand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line to every worker: one step, whose offsets count from ``origin_ns`` of the monotonic clock."""

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
        within(what, value, least, most, where=f"step {step.name}")
