"""The run of a rehearsal without any part: its own database is taken down and looked for, and nothing is a success."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base import planfile
from harness.base.clock import MachineClock
from harness.base.errors import Exit
from harness.base.home import ENVIRONMENT_VARIABLE, runs_folder
from harness.base.progress import Progress
from harness.model.judgement import Kind
from harness.model.message import ProgressCallback
from harness.model.stack import EnvironmentKind
from harness.rehearsals.dr_restore.rehearsal import REHEARSAL
from harness.rehearsals.dr_restore.types import RecoveryPlan
from harness.run.options import Options
from harness.run.runner import Environment, Runner
from harness.stack.environments.choice import manifests_of, overlay
from harness.stack.local.site import Site
from harness.stack.target.targets import resolve
from tests.recovery.made import PLAN, observed
from tests.rehearsal.again import judged_again
from tests.rehearsal.made import seen


class Nobody(Environment):
    """This machine that left nothing, and has no stack."""

    async def sweep(self, say: ProgressCallback) -> None:
        """Nothing to remove."""

    def stack(self, run: Any, needs: Any) -> Any:
        raise AssertionError("a rehearsal without its part on the stack asks for none")


def options(tmp_path: Path, rung: EnvironmentKind = EnvironmentKind.LOCAL) -> Options:
    return Options(
        rung=rung, target=resolve(None), seed=1, reports=tmp_path / "reports", manifests=overlay(rung), replay="again"
    )


@pytest.mark.process
@pytest.mark.parametrize("left", [[], ["a folder"]])
async def test_its_own_database_is_taken_down_and_what_is_left_of_it_is_a_leak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: list[str]
) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "home"))

    async def provide(*_: object) -> None:
        """No PostgreSQL is fetched for a run without parts."""

    monkeypatch.setattr(Site, "provide", provide)
    monkeypatch.setattr(Site, "leaks", lambda _site: left)
    clock = MachineClock()
    plan = msgspec.structs.replace(planfile.bundled("dr_restore", RecoveryPlan), parts=())
    run = Runner(REHEARSAL, plan, options(tmp_path), clock, Progress(clock), environment=Nobody())
    result = await run.run()
    assert (result.facts.errors, result.facts.leaks) == ((), tuple(left))
    assert result.exit_status == (Exit.LEAK if left else Exit.HOLD)  # nothing was judged
    assert not (runs_folder() / f"{result.run_id}-db").exists()
    judged_again(REHEARSAL, RecoveryPlan, run.folder)


def test_only_the_part_on_the_stack_asks_for_one(tmp_path: Path) -> None:
    asked = options(tmp_path)
    manifests = manifests_of(asked)
    needs = REHEARSAL.stack_spec(planfile.bundled("dr_restore", RecoveryPlan), asked, manifests)
    assert needs is not None and needs.use_kept and needs.every_program
    alone = msgspec.structs.replace(planfile.bundled("dr_restore", RecoveryPlan), parts=("points",))
    assert REHEARSAL.stack_spec(alone, asked, manifests) is None


@pytest.mark.parametrize(("major", "said"), [(18, True), (15, False), (0, False)])
def test_another_version_than_the_documents_stands_beside_each_verdict(major: int, said: bool) -> None:
    details = observed(database="PostgreSQL 18.6 (a wheel)", database_major=major)
    found = [each for each in REHEARSAL.by_rules(PLAN, seen(details)) if each.kind is not Kind.OBSERVATION]
    note = "on PostgreSQL 18.6 (a wheel), not the document's 15"
    assert len(found) > 3 and all((note in map(str, each.notes)) is said for each in found)
