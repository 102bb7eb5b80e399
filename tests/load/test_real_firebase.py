"""The population against the real Auth and Firestore emulators and our Remote Config; the API alone is played."""

from __future__ import annotations

import asyncio
import itertools
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.clock import NS, MachineClock
from harness.base.data import ROOT
from harness.evidence.spool import SpoolReader
from harness.load.auth import create_accounts, renew, sign_in
from harness.load.plan import LoadPlan
from harness.load.population.firestore_document import document_id
from harness.load.population.schedule import PlannedRequest, accounts, canaries, slots, user_schedule
from harness.load.probe import Prober
from harness.load.process import LoadProcesses
from harness.load.rest import JsonClient, now_ns, wall_ns
from harness.model.evidence import FlagRow, Operation, Outcome, RequestRow, Row, Side
from harness.model.flag import FLAG, Parameter, Template
from harness.model.rollout import rollout_template
from harness.model.scenario import AudiencePlan, PopulationPlan, ProbePlan
from harness.model.stack import Address, Endpoints
from harness.stack.firebase import admin, commands
from tests.load.conftest import StartFake, plan_for
from tests.ports import free_address

pytestmark = pytest.mark.stack
CLOCK = MachineClock()
PROJECT = "demo-tekutoko"


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[dict[str, Address]]:
    tree = commands.ensure(lambda _: None)
    at = {name: free_address() for name in ("auth", "firestore", "remote_config")}
    started = [
        (commands.auth_command(tree, PROJECT, at["auth"]), commands.auth_ready, at["auth"]),
        (commands.firestore_command(tree, PROJECT, at["firestore"]), commands.firestore_ready, at["firestore"]),
        (commands.remote_config_command(at["remote_config"]), commands.remote_config_ready, at["remote_config"]),
    ]
    log = tmp_path / "emulators.log"
    running: list[Process] = []
    try:
        for line, _, _ in started:
            with log.open("ab") as written:
                running.append(await asyncio.create_subprocess_exec(*line, cwd=ROOT, stdout=written, stderr=written))
        async with asyncio.timeout(60):
            for process, (_, ask, address) in zip(running, started, strict=True):
                while not await ask(address):
                    assert process.returncode is None, log.read_text()
                    await asyncio.sleep(0.1)
        yield at
    finally:
        for process in running:
            if process.returncode is None:
                process.kill()
            await process.wait()


def _plan(service: Address, parts: dict[str, Address], population: PopulationPlan) -> LoadPlan:
    endpoints = Endpoints(
        service=service,
        database=service,
        auth=parts["auth"],
        firestore=parts["firestore"],
        remote_config=parts["remote_config"],
    )
    return msgspec.structs.replace(plan_for(service), endpoints=endpoints, population=population)


def _rows(load: LoadProcesses) -> list[Row]:
    return [row for spool in load.spools for row in SpoolReader(spool).read()]


async def test_week_3_is_admitted_in_time_with_exactly_its_quota(
    fake: StartFake, parts: dict[str, Address], tmp_path: Path
) -> None:
    week_3 = PopulationPlan(
        audiences=(
            AudiencePlan(name="developers", users=50, flag_on=50),
            AudiencePlan(name="beta", users=100, flag_on=100),
            AudiencePlan(name="general", users=350, flag_on=100),
        )
    )
    plan = _plan(fake(), parts, week_3)
    version = await admin.publish(parts["remote_config"], PROJECT, rollout_template(week_3))
    load = LoadProcesses(plan, tmp_path, CLOCK)
    try:
        began_ns = CLOCK.now_ns()
        await load.start()
        await load.admitted(60)
        took_s = (CLOCK.now_ns() - began_ns) / NS
        await load.stop()
    finally:
        await load.kill()
    flags = [row for row in _rows(load) if isinstance(row, FlagRow)]
    assert len(flags) == 500
    assert {row.template_version for row in flags} == {version}
    expected = {account.user: account.flag_expected for account in accounts(week_3, plan.seed)}
    assert {row.user: row.value for row in flags} == expected
    assert sum(row.value for row in flags) == 250
    assert took_s < 40  # about 4 s where nothing else runs


async def test_both_sides_and_the_way_back(fake: StartFake, parts: dict[str, Address], tmp_path: Path) -> None:
    population = PopulationPlan(
        audiences=(AudiencePlan(name="general", users=40, flag_on=20),), pace_s=2.0, fetch_interval_s=1.5
    )
    plan = msgspec.structs.replace(_plan(fake(), parts, population), request_timeout_s=10.0)
    await admin.publish(parts["remote_config"], PROJECT, rollout_template(population))
    load = LoadProcesses(plan, tmp_path, CLOCK)
    try:
        await load.start()
        await load.admitted(60)
        await load.go(CLOCK.now_ns())
        await asyncio.sleep(6)
        off = Template(parameters={FLAG: Parameter(default="false")})
        published_ns = CLOCK.now_ns()  # it is in force before its publisher hears so
        version = await admin.publish(parts["remote_config"], PROJECT, off)
        await asyncio.sleep(7)
        await load.stop()
    finally:
        await load.kill()
    seen = _rows(load)
    requests = [row for row in seen if isinstance(row, RequestRow)]
    assert {r.outcome for r in requests} == {Outcome.OK}
    users = accounts(population, plan.seed)
    on = {account.user for account in users if account.flag_expected}
    before = [r for r in requests if r.done_ns < published_ns]  # one that is sent late may know better
    assert all((r.side is Side.API) == (r.user in on) == r.flag for r in before)
    for side in Side:
        assert {r.operation for r in before if r.side is side} == set(Operation)
    # The way back: each request is preceded by a fetch, a late fetch counts at the request after it.
    for user in on:
        first = min((r for r in requests if r.user == user and r.side is Side.FIRESTORE), key=lambda r: r.due_ns)
        back = first.due_ns
        assert first.sent_ns > published_ns and back - published_ns < 6.5 * NS
        assert all(r.side is Side.FIRESTORE for r in requests if r.user == user and r.due_ns > back)
    latest = {row.user: row for row in seen if isinstance(row, FlagRow)}
    assert {row.template_version for row in latest.values()} == {version}
    assert not any(row.value for row in latest.values())
    by_user = [sorted(r.due_ns for r in requests if r.user == user.user) for user in users]
    assert all(b - a == 2 * NS for dues in by_user for a, b in itertools.pairwise(dues))
    await asyncio.to_thread(_assert_written, plan, parts["firestore"], requests)


def _assert_written(plan: LoadPlan, firestore: Address, requests: list[RequestRow]) -> None:
    """Every walk acknowledged by Firestore is there, whole, with all the locations the phone had recorded."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import firestore as client_module

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FIRESTORE_EMULATOR_HOST", str(firestore))
        client = client_module.Client(project=PROJECT, credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
        documents = {found.id: found.to_dict() for found in client.collection("walks").stream()}
        client.close()  # type: ignore[no-untyped-call]
    users = accounts(plan.population, plan.seed)
    placed = slots(plan.population, users, plan.seed)
    checked = 0
    for account in users:
        mine = [r for r in requests if r.user == account.user]
        schedule = user_schedule(account.user, placed[account.user], plan.population, plan.seed, plan.anchor.unix_ns)
        planned: dict[str, PlannedRequest] = {p.operation_id: p for p, _ in zip(schedule, mine, strict=False)}
        gone = {r.walk_id for r in mine if r.operation is Operation.DELETE_WALK and r.side is Side.FIRESTORE}
        puts = [r for r in mine if r.operation is Operation.PUT_WALK]
        for walk_id in {r.walk_id for r in puts if r.side is Side.FIRESTORE} - gone:
            bodies: list[Any] = [planned[r.operation_id].body for r in puts if r.walk_id == walk_id]
            written = documents[document_id(walk_id)]
            assert written is not None
            assert written["user_id"] == account.user
            assert written["total_distance"] == bodies[-1].total_distance
            assert len(written["location_data"]) == sum(len(body.locations) for body in bodies)
            first = written["location_data"][0]
            assert first["latitude"] == bodies[0].locations[0].latitude
            assert first["speed"] == (-1 if bodies[0].locations[0].speed is None else bodies[0].locations[0].speed)
            assert set(first) == {
                *("latitude", "longitude", "altitude", "timestamp", "horizontalAccuracy", "verticalAccuracy"),
                *("speed", "course"),
            }
            checked += 1
    assert checked >= 40


async def test_a_token_that_is_about_to_end_is_renewed_at_the_emulator(parts: dict[str, Address]) -> None:
    canary, other, *_ = canaries(ProbePlan(), 1)
    client = JsonClient("the Auth emulator", parts["auth"], 10.0)
    create_accounts(client, PROJECT, [canary.account, other.account])
    ending, lives = sign_in(client, canary.account), sign_in(client, other.account)
    client.close()
    ending = msgspec.structs.replace(ending, expires_ns=now_ns() + NS)
    probers = [Prober(canary=canary, token=ending, body=b""), Prober(canary=other, token=lives, body=b"")]
    renew(parts["auth"], probers)
    renewed = probers[0].token
    assert renewed.fresh(now_ns(), wall_ns()) and renewed.expires_wall_ns > ending.expires_wall_ns
    assert probers[1].token is lives
