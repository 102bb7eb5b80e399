"""A run of the rehearsal of secrets, in one direction: stack up -> parts -> tear down -> report."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from harness.clock import Clock
from harness.model.secrets import Credentials
from harness.model.stack import DatabaseAccess, Rung
from harness.options import RunOptions
from harness.progress import Progress
from harness.rehearsals.scaling.flow import ScalingRun
from harness.rehearsals.scaling.parts import Done
from harness.rehearsals.scaling.report import write_report
from harness.rehearsals.scaling.types import ScalingReport
from harness.rehearsals.secret_rotation import roles, trials
from harness.rehearsals.secret_rotation.parts import RotationParts
from harness.rehearsals.secret_rotation.types import RotationPlan, RotationReport
from harness.report.language import language
from harness.stack.protocol import SecretsPlan, Stack, WithSecretStore
from scenarios import claims

NAME = "secret_rotation"


class SecretRotationRun(ScalingRun):
    """One run under way. ``run`` always returns a report, however it ended."""

    def __init__(
        self, plan: RotationPlan, options: RunOptions, clock: Clock, progress: Progress, *, replay: str
    ) -> None:
        self._poll_s = plan.poll_s
        self._first: Credentials | None = None
        self._parts: RotationParts | None = None
        super().__init__(plan, options, clock, progress, replay=replay)

    def make_stack(self, pods: int, secrets: SecretsPlan | None = None) -> Stack:
        """With a secret store, on a rung that has one."""
        plan = SecretsPlan(poll_s=self._poll_s, first=self._make_first) if self.options.rung is Rung.KIND else None
        return super().make_stack(pods, secrets or plan)

    def runner(self) -> Callable[[Any], Awaitable[Done]]:
        """What runs a part of the plan on the stack, which is up."""
        assert isinstance(self.stack, WithSecretStore) and self._first is not None
        self._parts = RotationParts(
            self.stack, self.stack.secret_store(), self._first, self.evidence,
            clock=self.clock, progress=self.progress, admit=self.admitted,
            replicas=self.plain.deployment.replicas, poll_s=self._poll_s,
            trial=trials.manifests_of(self.options.manifests),
        )  # fmt: skip
        return self._parts.run

    def document(self) -> RotationReport:
        """What the report says."""
        common = super().document()
        fields = {name: getattr(common, name) for name in ScalingReport.__struct_fields__}
        tried, rotations = (self._parts.trials, self._parts.rotations) if self._parts is not None else ([], [])
        return RotationReport(**fields, poll_s=self._poll_s, trials=tuple(tried), rotations=tuple(rotations))

    def write(self, report: ScalingReport) -> None:
        """Writes the report's files."""
        write_report(self.folder, report, claims.REGISTER, language(self.options.lang), suite=NAME)

    async def _make_first(self, access: DatabaseAccess, password: str) -> Credentials:
        self._first = await roles.first(access, password)
        return self._first
