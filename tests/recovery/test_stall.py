"""The archive alone under a stall: the law by settings alone, and a real one, short, that holds and that leaks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from harness.base import planfile
from harness.base.clock import NS
from harness.model.judgement import Verdict
from harness.rehearsals.dr_restore.archive import Archive
from harness.rehearsals.dr_restore.keeper import Range, due, expected, stalled
from harness.rehearsals.dr_restore.on_stack import RecoveryDetails
from harness.rehearsals.dr_restore.types import RecoveryPlan, StallPlan
from harness.stack.local.site import Site
from tests.recovery.made import judged
from tests.recovery.sites import begun
from tests.recovery.stalls import lost

PLAN = planfile.bundled("dr_restore", RecoveryPlan)
MINUTE = 60 * NS
#: Switched last at 5 min of 9; a stall that leaked would switch at 10 too. Its length is no multiple of the commits.
SHORT = StallPlan(archive_timeout_s=300, healthy_s=540, stall_s=270, commit_every_s=60)


def with_stall(stall: StallPlan) -> RecoveryPlan:
    return msgspec.structs.replace(PLAN, stall=stall)


def test_the_documents_stall_is_computed_from_its_settings() -> None:
    begun, ended = expected(PLAN.stall)  # 29 min healthy, switched last at 25; a commit every minute
    assert (begun, ended) == (Range(least_s=240, most_s=300), Range(least_s=3240, most_s=3300))


def test_a_switch_goes_before_a_commit_of_its_moment_and_a_stretch_has_its_whole_length() -> None:
    assert due(0, 5 * MINUTE, PLAN.stall)[-2:] == [(5 * MINUTE, False), (5 * MINUTE, True)]
    assert due(29 * MINUTE, 30 * MINUTE + 1, PLAN.stall) == [(30 * MINUTE, False), (30 * MINUTE, True)]
    assert due(0, MINUTE - 1, PLAN.stall) == []


_LENGTH = st.integers(1, 7200).map(lambda tenths: tenths / 2)


@hypothesis_settings(deadline=None)  # a busy machine is no failure
@given(_LENGTH, _LENGTH, st.integers(1, 600), st.integers(1, 600))
def test_any_stall_that_holds_keeps_the_law(healthy_s: float, stall_s: float, one: int, other: int) -> None:
    every_s, timeout_s = sorted((one, other))
    plan = StallPlan(archive_timeout_s=timeout_s, healthy_s=healthy_s, stall_s=stall_s, commit_every_s=every_s)
    held = {each.id: each.verdict for each in judged(with_stall(plan), RecoveryDetails(stalled=lost(plan)))}
    assert held["rpo.follows_the_stall"] is Verdict.PASS
    assert Verdict.INCONCLUSIVE not in held.values()


@pytest_asyncio.fixture(loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with begun("stall", tmp_path_factory.mktemp("logs")) as made:
        yield made


async def verdicts(site: Site) -> dict[str, Verdict]:
    found = await stalled(site, SHORT)
    rpo = (each for each in judged(with_stall(SHORT), RecoveryDetails(stalled=found)) if each.claim == "dr.rpo")
    return {each.id: each.verdict for each in rpo}


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="module")
async def test_a_short_stall_on_a_real_archive_costs_what_was_computed(site: Site) -> None:
    assert await verdicts(site) == dict.fromkeys(
        ("rpo.archive_only", "rpo.stalled_archiver", "rpo.follows_the_stall"), Verdict.PASS
    )


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="module")
async def test_a_stall_that_leaks_on_a_real_archive_is_seen(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Archive, "stall", lambda _archive: None)
    assert await verdicts(site) == {
        "rpo.archive_only": Verdict.INCONCLUSIVE,
        "rpo.stalled_archiver": Verdict.INCONCLUSIVE,
        "rpo.follows_the_stall": Verdict.FAIL,
    }
