"""What the local rung does beside the contract, on one stack that all tests share; each leaves it as it found it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from harness.base.errors import BadInput, NotCapable, StackNotStarted
from harness.model.evidence import EventRow
from harness.model.stack import Capability, Fault, FaultKind
from harness.stack.local import LocalStack
from tests.lines import Lines
from tests.ports import free_port
from tests.session.needs import needs_limits
from tests.stack.rungs import ROOT, SMALL, ask, local

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("local_behaviour")]


class Shared:
    """The stack, the port it was asked for, and what it told while it came up."""

    def __init__(self, stack: LocalStack, port: int, told: Lines) -> None:
        self.stack = stack
        self.port = port
        self.told = told


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shared]:
    """Two pods on a fixed port, without the fault proxy, started by somebody with settings of their own."""
    port = free_port()
    target = msgspec.structs.replace(SMALL, environment={"LOG_LEVEL": "debug"})
    stack, told = local(tmp_path_factory.mktemp("stack"), target=target, service_port=port), Lines()
    stack._progress = told.tell
    with pytest.raises(StackNotStarted):
        await stack.inject(Fault(kind=FaultKind.ERRORS))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(ROOT))
        environment.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        try:
            await stack.up()
            yield Shared(stack, port, told)
        finally:
            await stack.down()
    assert stack.leaks() == []


async def pods_of(stack: LocalStack) -> set[str]:
    answers = [await ask(stack.endpoints().service) for _ in range(30)]
    assert {answer.status for answer in answers} == {200}
    return {answer.headers["x-pod"] for answer in answers}


async def test_a_fixed_service_port_is_kept(shared: Shared) -> None:
    assert shared.stack.endpoints().service.port == shared.port
    assert len(await pods_of(shared.stack)) == 2


async def test_the_target_gets_the_environment_contract_and_nothing_of_ours(shared: Shared) -> None:
    endpoints = shared.stack.endpoints()
    environment = msgspec.json.decode((await ask(endpoints.service, "/environment")).body)
    wanted = "PORT ENVIRONMENT DB_HOST DB_PORT DB_USER DB_PASSWORD DB_NAME DB_SSLMODE FIREBASE_PROJECT_ID POD_NAME"
    wanted += " GOOGLE_CLOUD_PROJECT FIREBASE_AUTH_EMULATOR_HOST FIRESTORE_EMULATOR_HOST LOG_LEVEL LOG_FORMAT"
    assert [name for name in wanted.split() if name not in environment] == []
    assert "FIREBASE_CREDENTIALS_PATH" not in environment
    assert environment["DB_PORT"] != str(endpoints.database.port)  # the sidecar's, not the database's own
    assert environment["DB_PASSWORD"] == endpoints.database_password
    assert environment["FIREBASE_AUTH_EMULATOR_HOST"] == str(endpoints.auth)
    assert environment["LOG_LEVEL"] == "debug"
    assert "PYTHONPATH" not in environment and "HTTP_PROXY" not in environment


@needs_limits
async def test_of_limits_that_are_enforced_nothing_is_told(shared: Shared) -> None:
    """That they are not is told, by test_local_pod.py."""
    assert Capability.CPU_LIMITS in shared.stack.capabilities
    events = [row.message for row in shared.stack._feed._rows if isinstance(row, EventRow)]
    assert events != [] and shared.told != []
    assert [line for line in (*shared.told, *events) if "limits are not enforced" in line] == []


def faults_told(stack: LocalStack) -> list[str]:
    return [row.message for row in stack._feed._rows if isinstance(row, EventRow) and row.kind == "fault"]


async def test_a_fault_that_makes_no_sense_or_has_no_proxy_is_refused_and_not_told_as_injected(shared: Shared) -> None:
    """Before ``up`` any is refused: the fixture asks it."""
    stack, whole = shared.stack, Fault(kind=FaultKind.ERRORS)
    for fault in (Fault(kind=FaultKind.ERRORS, share=0), Fault(kind=FaultKind.SIDECAR_DELAY), whole):
        with pytest.raises(BadInput):
            await stack.inject(fault)
    assert faults_told(stack) == []
    assert {(await ask(stack.endpoints().service)).status for _ in range(10)} == {200}


async def test_a_fault_that_could_not_begin_is_told_as_undone(shared: Shared) -> None:
    with pytest.raises(NotCapable):
        await shared.stack.inject(Fault(kind=FaultKind.ZONE_LOSS))
    injected, undone = faults_told(shared.stack)[-2:]
    assert injected.startswith("injected: ") and undone == injected.replace("injected", "undone")


async def test_a_failed_liveness_probe_restarts_the_container(shared: Shared) -> None:
    stack = shared.stack
    asked = await ask(stack.endpoints().service, "/unlive")
    assert asked.status == 200
    async with asyncio.timeout(60):
        async for row in stack.watch():
            if not isinstance(row, EventRow) or row.subject != asked.headers["x-pod"]:
                continue
            if row.data.get("state") == "Ready" and row.data["restarts"] == 1:
                break
    messages = [row.message for row in stack._feed._rows if isinstance(row, EventRow)]
    assert "api: liveness probe fails: the container is stopped" in messages
    assert "api: exit code 0; restart in 0 s" in messages
    await stack.restart()
    assert len(await pods_of(stack)) == 2


async def test_an_unready_pod_leaves_the_endpoints_and_keeps_running(shared: Shared) -> None:
    stack = shared.stack
    gone = (await ask(stack.endpoints().service, "/unready")).headers["x-pod"]
    async with asyncio.timeout(60):
        async for row in stack.watch():
            if isinstance(row, EventRow) and row.subject == gone and "readiness probe fails" in row.message:
                break
        while gone in {(await ask(stack.endpoints().service)).headers["x-pod"] for _ in range(10)}:
            pass  # Envoy follows its file within milliseconds
    assert gone not in await pods_of(stack)
    assert any(pod.name == gone and pod.target.running for pod in stack._running().deployment.pods.values())
    await stack.restart()
    assert len(await pods_of(stack)) == 2
