"""The contract of the ``Stack`` protocol, written once against it and run against every rung.

The tests share one stack, in this order; each leaves it as it found it. The stack's teardown asserts that nothing is
left. What a rung says that it cannot do it has to refuse: that is its promise then, and no test of it is skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import h11
import msgspec
import pytest
import pytest_asyncio

from harness.base.clock import MachineClock
from harness.base.errors import BadInput, NotCapable
from harness.checks.budget import budget_kept
from harness.model.evidence import SampleRow
from harness.model.flag import FLAG, Parameter, Template
from harness.model.stack import Capability, EnvironmentKind, Fault, FaultKind, Version
from harness.stack.database.failover import follow
from harness.stack.protocol import Stack
from tests.session.needs import needs_docker
from tests.stack.looking import (
    LEFT_S,
    SAMPLES_LIMIT_S,
    events,
    left,
    many,
    memory_of,
    pods_of,
    superuser,
    wait_for,
    written,
)
from tests.stack.rungs import RUNGS, Answer, ask, changed, exchange, manifests

ROLLOUT_LIMIT_S = 180.0  # two pods, one after the other, on a machine that others use too
pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module")]

#: Seconds. A namespace or a cluster goes slower than processes.
DOWN_LIMIT_S = {
    EnvironmentKind.LOCAL: 20,
    EnvironmentKind.KIND: 90,
    EnvironmentKind.KUBE: 90,
}  # beside others; to 5 s local is held alone

ON_A_CLUSTER = (EnvironmentKind.KIND, EnvironmentKind.KUBE)


def on(*per_push: EnvironmentKind) -> pytest.MarkDecorator:
    """The rungs that a promise is held to at every push; the others are held to it at night.

    Per push each thing that a rung does in its own way is asked of ``kind``, and of ``kube`` what its tunnel and its
    bounds could break: it shares the rest with ``kind`` (``harness/stack/kubernetes/``).
    """
    made = []
    for rung in (EnvironmentKind.LOCAL, *ON_A_CLUSTER):
        marks = [pytest.mark.kind, pytest.mark.timeout(1800), needs_docker] if rung in ON_A_CLUSTER else []
        made.append(pytest.param(rung, marks=marks if rung in per_push else [*marks, pytest.mark.nightly]))
    return pytest.mark.parametrize("stack", made, indirect=True, scope="module")


on_local = on(EnvironmentKind.LOCAL)
on_kind_too = on(EnvironmentKind.LOCAL, EnvironmentKind.KIND)
on_every_rung = on(EnvironmentKind.LOCAL, EnvironmentKind.KIND, EnvironmentKind.KUBE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    if request.param in ON_A_CLUSTER:
        await asyncio.to_thread(request.getfixturevalue, "kind_cluster")  # it runs loops of its own
    made = await RUNGS[request.param](tmp_path_factory.mktemp("stack"))
    try:
        await made.up()
        yield made
    finally:
        begun = time.monotonic()
        await made.down()
        took_s = time.monotonic() - begun
        await made.down()
    assert made.leaks() == []
    assert took_s < DOWN_LIMIT_S[made.rung]


@on_every_rung
async def test_says_what_it_is(stack: Stack) -> None:
    assert isinstance(stack.rung, EnvironmentKind)
    assert Capability.REAL_PROCESSES in stack.capabilities
    addresses = [value for value in msgspec.structs.astuple(stack.endpoints()) if hasattr(value, "port")]
    assert len({address.port for address in addresses}) == 6
    assert {address.host for address in addresses} == {"127.0.0.1"}


@on_every_rung
async def test_the_service_answers_from_every_pod_by_new_connections(stack: Stack) -> None:
    answers = await many(stack, 60)
    assert {answer.status for answer in answers} == {200}
    assert len({answer.headers["x-pod"] for answer in answers}) == 2


@on_kind_too
async def test_a_share_of_errors_is_exact(stack: Stack) -> None:
    undo = await stack.inject(Fault(kind=FaultKind.ERRORS, share=0.12))
    statuses = [answer.status for answer in await many(stack, 100)]
    await undo()
    await undo()
    assert [sum(s == 500 for s in statuses[block : block + 25]) for block in (0, 25, 50, 75)] == [3, 3, 3, 3]
    assert set(statuses) == {200, 500}
    assert {answer.status for answer in await many(stack, 30)} == {200}


@on_local
async def test_an_injected_error_has_the_contract_s_body(stack: Stack) -> None:
    undo = await stack.inject(Fault(kind=FaultKind.ERRORS))
    answer = await ask(stack.endpoints().service, "/v1/walks", method="PUT", body=b"x" * 50_000)
    await undo()
    assert answer.status == 500
    error = msgspec.json.decode(answer.body)["error"]
    assert error["code"] == "INTERNAL_ERROR" and error["message"]


@on_local
async def test_latency_is_added_and_taken_away(stack: Stack) -> None:
    async def took_s() -> float:
        begun = time.monotonic()
        assert (await ask(stack.endpoints().service)).status == 200
        return time.monotonic() - begun

    undo = await stack.inject(Fault(kind=FaultKind.LATENCY, delay_ms=400))
    slow = [await took_s() for _ in range(3)]
    await undo()
    assert min(slow) >= 0.4
    assert min([await took_s() for _ in range(3)]) < 0.4  # one that was not taken away meets every request


@on_local
async def test_of_faults_begun_at_once_each_is_ended_by_its_own_undo(stack: Stack) -> None:
    faults = Fault(kind=FaultKind.ERRORS), Fault(kind=FaultKind.UNAVAILABLE), Fault(kind=FaultKind.ERRORS, share=0.5)
    all_of_them, unavailable, half_of_them = await asyncio.gather(*map(stack.inject, faults))
    assert {answer.status for answer in await many(stack, 5)} == {0}
    await unavailable()
    assert {answer.status for answer in await many(stack, 20)} == {500}
    await all_of_them()
    assert {answer.status for answer in await many(stack, 20)} == {200, 500}
    await half_of_them()
    assert {answer.status for answer in await many(stack, 20)} == {200}


@on_local
async def test_unavailable_refuses_every_connection_and_ends_kept_ones_until_undone(stack: Stack) -> None:
    service = stack.endpoints().service
    reader, writer = await asyncio.open_connection(service.host, service.port)
    assert (await exchange(reader, writer, h11.Connection(h11.CLIENT), "/")).status == 200
    undo = await stack.inject(Fault(kind=FaultKind.UNAVAILABLE))
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 2) == b""
    writer.close()
    for _ in range(5):
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(service.host, service.port)
    await undo()
    assert {answer.status for answer in await many(stack, 10)} == {200}


@on_local
async def test_a_crashed_pod_leaves_the_endpoints_and_comes_back(stack: Stack) -> None:
    if Capability.POD_SIGNALS not in stack.capabilities:
        with pytest.raises(NotCapable):
            await stack.inject(Fault(kind=FaultKind.POD_CRASH))
        return
    back = asyncio.ensure_future(wait_for(stack, "Ready"))
    await stack.inject(Fault(kind=FaultKind.POD_CRASH))
    row = await back
    assert row.data["restarts"] == 1
    answers: list[Answer] = []
    async with asyncio.timeout(60):  # the Service follows the readiness
        while row.subject not in {answer.headers["x-pod"] for answer in answers}:
            answers += await many(stack, 40)
            assert {answer.status for answer in answers} == {200}


@on_local
async def test_memory_held_beside_a_target_is_its_pod_s_until_the_undo(stack: Stack) -> None:
    if Capability.POD_SIGNALS not in stack.capabilities:
        with pytest.raises(NotCapable):
            await stack.inject(Fault(kind=FaultKind.POD_MEMORY, share=0.3))
        return
    pod = sorted({answer.headers["x-pod"] for answer in await many(stack, 60)})[-1]
    limit = manifests(stack.rung).deployment.template.containers[0].limit_memory_bytes
    assert limit is not None
    undo = await stack.inject(Fault(kind=FaultKind.POD_MEMORY, share=0.3, subject=pod))
    await memory_of(stack, pod, lambda used: 0.3 * limit < used < 0.5 * limit)
    await undo()
    await memory_of(stack, pod, lambda used: used < 0.3 * limit)
    await undo()
    with pytest.raises(BadInput, match="nobody is not ready"):
        await stack.inject(Fault(kind=FaultKind.POD_MEMORY, share=0.3, subject="nobody"))
    assert {answer.status for answer in await many(stack, 20)} == {200}


@on_every_rung
async def test_scales_up_and_down(stack: Stack) -> None:
    await stack.scale(4)
    assert len({answer.headers["x-pod"] for answer in await many(stack, 100)}) == 4
    await stack.scale(2)
    answers = await many(stack, 60)
    assert {answer.status for answer in answers} == {200}
    assert len({answer.headers["x-pod"] for answer in answers}) == 2


#: Seconds from when a pod is told to leave until no node of a cluster leads to it (``LEFT_S``), and by how much the
#: watch may tell of it late.
RACE_S, TOLD_LATE_S = 5.0, 1.0


@on_kind_too
async def test_a_changed_template_replaces_the_pods_and_fails_nobody_outside_the_race(stack: Stack) -> None:
    """Where endpoints come before signals nobody fails. Elsewhere kubelet and kube-proxy race: without a preStop
    connections may be refused, but only while a pod leaves, and no request gets a wrong answer.
    """
    stop = asyncio.Event()
    answers: list[tuple[float, int]] = []

    async def traffic() -> None:
        while not stop.is_set():
            sent_s = time.monotonic()
            answers.append((sent_s, (await ask(stack.endpoints().service, "/v1/walks")).status))
            await asyncio.sleep(0.02)

    begun_ns = time.monotonic_ns()
    running = [asyncio.ensure_future(traffic()) for _ in range(2)]
    before = {answer.headers["x-pod"] for answer in await many(stack, 40)}
    await stack.apply(changed(manifests(stack.rung), "c0ffee00c0ffee00"))
    await asyncio.sleep(LEFT_S[stack.rung])
    await left(stack, before)
    stop.set()
    await asyncio.gather(*running)
    after = {answer.headers["x-pod"] for answer in await many(stack, 40)}
    assert len(after) == 2 and not before & after
    assert len(answers) > 20
    failed = [(sent_s, status) for sent_s, status in answers if status != 200]
    if Capability.ENDPOINTS_BEFORE_SIGNALS in stack.capabilities:
        assert failed == []
        return
    leaving = [row for row in await events(stack) if row.at_ns >= begun_ns and row.data.get("state") == "Terminating"]
    assert {row.subject for row in leaving} == before
    assert {status for _, status in failed} <= {0}
    left_s = [row.at_ns / 1e9 for row in leaving]
    unexplained = [at_s for at_s, _ in failed if not any(-TOLD_LATE_S <= at_s - each_s <= RACE_S for each_s in left_s)]
    assert unexplained == []


@on_kind_too
async def test_an_eviction_is_refused_where_it_would_breach_the_budget(stack: Stack) -> None:
    pods = sorted({answer.headers["x-pod"] for answer in await many(stack, 60)})
    answers = [await stack.evict(pod) for pod in pods]
    assert [answer.code for answer in answers] == [201, 429]  # minAvailable 1
    with pytest.raises(BadInput, match="no pod"):
        await stack.evict("nobody")
    await stack.scale(2)  # returns when the successor is ready
    assert pods[0] not in {answer.headers["x-pod"] for answer in await many(stack, 60)}


@on_kind_too
async def test_a_drain_moves_every_pod_within_the_budget(stack: Stack) -> None:
    before = {answer.headers["x-pod"] for answer in await many(stack, 60)}
    drained = await stack.drain(limit_s=60)
    assert set(drained.evicted) == before
    assert drained.refusals >= 1  # two pods, of which one must stay: the second waits for a successor
    told = budget_kept(await events(stack), manifests(stack.rung).pdb, 2)
    assert told.granted >= 2 and told.refused >= 1 and told.beyond == ()
    await stack.scale(2)
    after = await many(stack, 60)
    assert {answer.status for answer in after} == {200}
    assert before.isdisjoint({answer.headers["x-pod"] for answer in after})


@on_local
async def test_a_node_is_drained_by_name_only_where_it_is_the_run_s(stack: Stack) -> None:
    others_nodes = Capability.REAL_KUBERNETES in stack.capabilities and Capability.NODES not in stack.capabilities
    with pytest.raises(NotCapable if others_nodes else BadInput, match="no-such-node"):
        await stack.drain("no-such-node")


@on_kind_too
async def test_a_deleted_pod_is_replaced(stack: Stack) -> None:
    gone = asyncio.ensure_future(wait_for(stack, "Gone"))
    await stack.inject(Fault(kind=FaultKind.POD_KILL))
    row = await gone
    await stack.scale(2)
    await left(stack, {row.subject})  # Envoy has read its file
    answers = await many(stack, 60)
    assert {answer.status for answer in answers} == {200}
    assert row.subject not in {answer.headers["x-pod"] for answer in answers}


@on_local
async def test_the_same_manifests_again_change_nothing(stack: Stack) -> None:
    await stack.apply(changed(manifests(stack.rung), "c0ffee00c0ffee00"))
    before = await pods_of(stack)
    await stack.apply(changed(manifests(stack.rung), "c0ffee00c0ffee00"))
    assert {answer.headers["x-pod"] for answer in await many(stack, 40)} == before


@on_local
async def test_the_flag_is_published_in_rising_versions(stack: Stack) -> None:
    first = await stack.set_flag(Template(parameters={FLAG: Parameter(default="false")}))
    assert await stack.set_flag(Template(parameters={FLAG: Parameter(default="true")})) == first + 1


@on_kind_too
async def test_watch_gives_the_samples_that_every_window_carries(stack: Stack) -> None:
    seen: dict[str, set[str]] = {}
    begun_ns = time.monotonic_ns()
    async with asyncio.timeout(SAMPLES_LIMIT_S[stack.rung]):
        async for row in stack.watch():
            if isinstance(row, SampleRow) and row.at_ns > begun_ns:
                seen.setdefault(row.metric, set()).add(row.subject)
                if row.metric in ("replicas", "ready_replicas"):
                    assert row.value == 2
                if row.metric == "memory_bytes":
                    assert 2**20 < row.value < 2**30
                enough = {"cpu_cores", "memory_bytes", "replicas", "ready_replicas"} <= seen.keys()
                if enough and len(seen["memory_bytes"]) == 2:
                    break
    assert seen["cpu_cores"] == seen["memory_bytes"]


@on_local
async def test_two_watchers_see_the_same_rows_from_the_beginning(stack: Stack) -> None:
    async def first(count: int) -> list[object]:
        rows: list[object] = []
        async for row in stack.watch():
            rows.append(row)
            if len(rows) == count:
                break
        return rows

    one, other = await asyncio.gather(first(30), first(30))
    assert one == other


@on_every_rung
async def test_a_restart_replaces_every_pod_and_refuses_nobody(stack: Stack) -> None:
    before = {answer.headers["x-pod"] for answer in await many(stack, 30)}
    await stack.restart()
    answers = await many(stack, 30)
    assert {answer.status for answer in answers} == {200}
    after = {answer.headers["x-pod"] for answer in answers}
    assert len(after) == 2
    assert not before & after


@on_kind_too
async def test_a_version_is_rolled_out_and_undone(stack: Stack) -> None:
    if Capability.VERSIONS not in stack.capabilities:
        with pytest.raises(NotCapable):
            await stack.build(Version(name="good"))
        return
    before = {answer.headers["x-pod"] for answer in await many(stack, 30)}
    good, broken = await stack.build(Version(name="good"), Version(name="broken", error_share=0.5, delay_ms=50))
    assert (await stack.set_image(good)).status == 0
    out = await stack.rollout_status(limit_s=ROLLOUT_LIMIT_S)
    assert out.status == 0 and "successfully rolled out" in out.output
    await left(stack, before)
    good_answers = await many(stack, 40)
    served = {answer.headers["x-pod"] for answer in good_answers}
    assert {answer.status for answer in good_answers} == {200}
    assert len(served) == 2 and not before & served
    assert (await stack.set_image(broken)).status == 0
    assert (await stack.rollout_status(limit_s=ROLLOUT_LIMIT_S)).status == 0
    await left(stack, served)
    answers = await many(stack, 40)
    statuses = [answer.status for answer in answers]
    # One of each two of each pod's own, drawn: of two pods a pair cut in two at either end may have it, or not, here.
    assert set(statuses) == {200, 500} and 18 <= statuses.count(500) <= 22
    assert {(await ask(stack.endpoints().service, "/health")).status for _ in range(10)} == {200}
    assert (await stack.rollout_undo()).status == 0
    assert (await stack.rollout_status(limit_s=ROLLOUT_LIMIT_S)).status == 0
    await left(stack, {answer.headers["x-pod"] for answer in answers if answer.status == 200})
    assert {answer.status for answer in await many(stack, 30)} == {200}


@on_local
async def test_a_version_that_is_never_ready_takes_nobody_s_place(stack: Stack) -> None:
    if Capability.VERSIONS not in stack.capabilities:
        with pytest.raises(BadInput, match="nobody built"):
            await stack.set_image("nobody/made:this")
        return
    before = await pods_of(stack)
    (image,) = await stack.build(Version(name="never-ready", never_ready=True))
    assert (await stack.set_image(image)).status == 0
    out = await stack.rollout_status(limit_s=5)
    assert out.status == 1 and out.output.strip()
    assert await pods_of(stack) == before
    assert (await stack.rollout_undo()).status == 0
    assert (await stack.rollout_status(limit_s=ROLLOUT_LIMIT_S)).status == 0
    assert await pods_of(stack) == before
    with pytest.raises(BadInput, match="nobody built"):
        await stack.set_image("nobody/made:this")


@on_local
async def test_the_database_is_open_to_its_operator(stack: Stack) -> None:
    connection = await superuser(stack.database().access())
    try:
        assert await connection.fetchval("SELECT usesuper FROM pg_user WHERE usename = current_user")
    finally:
        await connection.close()


@on_kind_too
async def test_locked_tables_keep_who_asks_for_them_waiting_and_nobody_else(stack: Stack) -> None:
    held_s, statement = 0.6, "SELECT count(*) FROM standby_test"
    await written(stack.database().access(), "locked")
    connection = await superuser(stack.database().access())

    async def longest_s(what: str, but: int = 0) -> float:
        """Of eight, at moments that are no lock's; but for so many, where the machine may have stood still."""
        took = []
        for _ in range(8):
            await asyncio.sleep(0.17)
            begun = time.monotonic()
            await connection.fetchval(what)
            took.append(time.monotonic() - begun)
        return sorted(took)[-1 - but]

    undo = await stack.inject(Fault(kind=FaultKind.DATABASE_LOCKED, delay_ms=held_s * 1000))
    try:
        assert held_s / 2 < await longest_s(statement) < held_s + 6
        assert await longest_s("SELECT 1", but=2) < held_s / 2
        assert {answer.status for answer in await many(stack, 20)} == {200}, "pods stay ready"
    finally:
        await undo()
        await undo()
        # Nobody holds a lock on it any more, and others count its rows.
        quick, _ = await longest_s(statement, but=2), await connection.execute("DROP TABLE standby_test")
        await connection.close()
    assert quick < held_s / 2
    with pytest.raises(BadInput, match="no table"):
        await stack.inject(Fault(kind=FaultKind.DATABASE_LOCKED, delay_ms=100))


@on_local
async def test_a_standby_follows_and_takes_over(stack: Stack) -> None:
    if Capability.DATABASE_INSTANCES not in stack.capabilities:
        with pytest.raises(NotCapable):
            await stack.inject(Fault(kind=FaultKind.DATABASE_FAILOVER))
        return
    clock, database = MachineClock(), stack.database()
    with pytest.raises(BadInput, match="no standby"):
        await stack.inject(Fault(kind=FaultKind.DATABASE_FAILOVER))
    undo = await follow(database, clock, synchronous=True)
    with pytest.raises(BadInput, match="already"):
        await database.start_standby()
    await written(database.access(), "waits for the standby")
    await undo()
    assert database.standby() is None
    await written(database.access(), "waits for nobody")
    before = database.access().address
    undo = await follow(database, clock, synchronous=True)
    await stack.inject(Fault(kind=FaultKind.DATABASE_FAILOVER))
    await undo()  # it is the primary now: there is nothing to end
    assert database.standby() is None and before != database.access().address == stack.endpoints().database
    rows = await written(database.access(), "to the new primary")
    assert rows == ["waits for the standby", "waits for nobody", "to the new primary"]
    await stack.inject(Fault(kind=FaultKind.DATABASE_RESTART))
    assert (await written(database.access(), "after its restart"))[:3] == rows
