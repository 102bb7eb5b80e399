"""Phones and probes against a server that now and then answers as before its user's last write, and one that does not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from harness.checks.read_facts import canary_body
from harness.checks.reads import ReadFlaw, Reads, probe_reads, reads
from harness.checks.written import Plans
from harness.load.plan import LoadPlan
from harness.load.population.content import updated
from harness.load.population.schedule import accounts, canaries
from harness.model.evidence import Operation, Outcome, ProbeRow, RequestRow
from tests.load.conftest import StartFake, plan_for
from tests.load.test_processes import loading, rows

pytestmark = [pytest.mark.process, pytest.mark.alone]

USERS, PACE_S, LASTS_S = 40, 0.4, 9


async def seen(plan: LoadPlan, folder: Path) -> tuple[list[RequestRow], list[ProbeRow]]:
    async with loading(plan, folder) as load:
        await asyncio.sleep(LASTS_S)
        await load.stop()
    found = rows(load)
    return [row for row in found if isinstance(row, RequestRow)], [row for row in found if isinstance(row, ProbeRow)]


def judged(plan: LoadPlan, requests: list[RequestRow], probes: list[ProbeRow]) -> Reads:
    users, anchor = accounts(plan.population, plan.seed), plan.anchor.unix_ns
    bucket = plan.endpoints.storage_bucket
    found = reads(requests, Plans(plan.population, users, seed=plan.seed, anchor_unix_ns=anchor, bucket=bucket))
    contents = {each.account.user: updated(canary_body(each, anchor)) for each in canaries(plan.probes, plan.seed)}
    probe_reads(probes, contents, found)
    return found


async def test_what_a_right_server_shows_is_right(fake: StartFake, tmp_path: Path) -> None:
    plan = plan_for(fake(), users=USERS, pace_s=PACE_S)
    requests, probes = await seen(plan, tmp_path)
    found = judged(plan, requests, probes)
    assert [str(wrong) for wrong in found.wrong] == []
    assert (found.unread, found.missing, found.unmatched) == (0, 0, [])
    asked = [row for row in requests if row.outcome is Outcome.OK]
    assert found.lists == sum(row.operation is Operation.LIST_WALKS for row in asked) > 100
    assert found.walks == sum(row.operation is Operation.GET_WALK for row in asked) > 50
    assert found.writes > 300 and found.probes > 80 and found.bound > 180


async def test_writes_carried_out_whose_answer_is_lost_make_no_answer_wrong(fake: StartFake, tmp_path: Path) -> None:
    """No phone sends one again at once: none had been idle. A created walk is known by what it says."""
    plan = plan_for(fake(drops=5), users=USERS, pace_s=PACE_S)
    requests, probes = await seen(plan, tmp_path)
    found = judged(plan, requests, probes)
    assert [str(wrong) for wrong in found.wrong] == []
    assert (found.unread, found.missing, found.unmatched) == (0, 0, [])
    assert sum(row.outcome is Outcome.BROKEN for row in requests) > 20
    assert not any(row.retried for row in requests)
    assert any(row.operation is Operation.CREATE_WALK and row.outcome is Outcome.BROKEN for row in requests)
    assert found.lists > 100 and found.bound > 100


async def test_an_old_answer_now_and_then_is_found_in_lists_walks_and_probes(fake: StartFake, tmp_path: Path) -> None:
    """No answer fails: today's criteria alone would see a perfect server."""
    plan = plan_for(fake(old=7), users=USERS, pace_s=PACE_S)
    requests, probes = await seen(plan, tmp_path)
    found = judged(plan, requests, probes)
    assert {str(wrong.flaw) for wrong in found.wrong} >= {ReadFlaw.OLD, ReadFlaw.MISSING}
    for part in ("list_walks, api", "get_walk, api", "probe "):
        assert any(part in wrong.read for wrong in found.wrong), part
    assert {row.outcome for row in requests} | {probe.outcome for probe in probes} == {Outcome.OK}
    answered = found.lists + found.walks + found.probes // 2
    assert 0.02 * answered < len(found.wrong) < 0.2 * answered
