"""The procedure as the document writes it: what is written into the ConfigMap, and that it is really applied."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.base.clock import NS
from harness.base.errors import StackNotStarted
from harness.model.evidence import Window
from harness.model.manifests import Manifests
from harness.model.message import Message, english
from harness.rehearsals.dr_restore import procedure
from harness.rehearsals.dr_restore.on_stack import Restart, StackRecovery
from harness.rehearsals.dr_restore.procedure import Calls, ProcedureWritten, Reached, as_written, reflected, restarted
from harness.stack.manifests import load

OVERLAYS = Path(__file__).resolve().parents[2] / "deploy/kubernetes/overlays"
LOCAL = load(OVERLAYS / "local")


@pytest.mark.parametrize("overlay", ["local", "kind"])
def test_the_endpoint_behind_the_proxy_is_what_is_there_already(overlay: str) -> None:
    manifests = load(OVERLAYS / overlay)
    changed, told = reflected(manifests, procedure.ENDPOINT)
    assert changed == manifests
    assert english(told) == "ConfigMap/app-config db_host: localhost, as before"


def test_another_value_is_in_every_form_of_the_manifests_and_replaces_no_pod() -> None:
    changed, told = reflected(LOCAL, "10.0.0.7")
    assert changed.documents["ConfigMap/app-config"]["data"]["db_host"] == "10.0.0.7"
    assert changed.config["db_host"] == "10.0.0.7"
    (host,) = (each for each in changed.deployment.template.containers[0].env if each.name == "DB_HOST")
    assert host.value == "10.0.0.7"
    assert changed.deployment.template.digest == LOCAL.deployment.template.digest
    assert LOCAL.config["db_host"] == "localhost"
    assert english(told) == "ConfigMap/app-config db_host: 10.0.0.7, was localhost"


class FakeStack:
    """Applies for ever, as while pods wait for their database, or fails; ``restart`` ends as told."""

    def __init__(self, error: Exception | None = None, *, refuses: Exception | None = None) -> None:
        self.did: list[Any] = []
        self._error = error
        self._refuses = refuses

    async def apply(self, manifests: Manifests) -> None:
        self.did.append(manifests)
        if self._refuses is not None:
            raise self._refuses
        try:
            await asyncio.Event().wait()
        finally:
            self.did.append("let go")

    async def restart(self) -> None:
        self.did.append("restart")
        if self._error is not None:
            raise self._error


class FakeTraffic:
    def __init__(self) -> None:
        self.told: list[str] = []

    def event(self, _kind: str, _subject: str, said: Message) -> int:
        self.told.append(str(said))
        return len(self.told) * NS

    def seen(self, start_ns: int, end_ns: int) -> Calls:
        return Calls(probes=0, good=0, bound=None, requests=(end_ns - start_ns) // NS, errors=0)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("error", "reached", "why"),
    [(None, Reached.READY, ""), (StackNotStarted("not ready"), Reached.RESTART, "not ready")],
)
async def test_the_config_map_is_applied_then_the_pods_restarted(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None, reached: Reached, why: str
) -> None:
    monkeypatch.setattr(procedure, "APPLY_LIMIT_S", 0.01)
    stack, traffic = FakeStack(error), FakeTraffic()
    found = await as_written(cast(Any, stack), LOCAL, cast(Any, traffic), 5.0)
    assert found == ProcedureWritten(reached=reached, told=reflected(LOCAL, procedure.ENDPOINT)[1], why=why)
    assert stack.did == [LOCAL, "let go", "restart"]
    assert traffic.told == [f"applied: {english(found.told)}", "kubectl rollout restart"]


@pytest.mark.asyncio
async def test_it_is_given_up_in_time_and_says_that_the_restart_was_never_asked_for() -> None:
    stack, traffic = FakeStack(), FakeTraffic()
    found = await as_written(cast(Any, stack), LOCAL, cast(Any, traffic), 0.05)
    assert found.reached is Reached.APPLY
    assert stack.did == [LOCAL, "let go"]


@pytest.mark.asyncio
async def test_a_restart_that_never_ends_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procedure, "APPLY_LIMIT_S", 0.01)
    stack = FakeStack()
    monkeypatch.setattr(stack, "restart", asyncio.Event().wait)
    found = await as_written(cast(Any, stack), LOCAL, cast(Any, FakeTraffic()), 0.1)
    assert found.reached is Reached.RESTART


@pytest.mark.asyncio
async def test_an_apply_that_fails_is_no_outcome_of_the_procedure() -> None:
    stack = FakeStack(refuses=StackNotStarted("the API server is gone"))
    with pytest.raises(StackNotStarted, match="API server"):
        await as_written(cast(Any, stack), LOCAL, cast(Any, FakeTraffic()), 5.0)
    assert stack.did == [LOCAL]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("error", "why", "told"),
    [(None, "", "complete"), (StackNotStarted("not ready"), "not ready", "not complete: not ready")],
)
async def test_a_restart_in_order_that_does_not_complete_is_a_result(
    error: Exception | None, why: str, told: str
) -> None:
    traffic = FakeTraffic()
    found = await restarted(cast(Any, FakeStack(error)), cast(Any, traffic))
    assert found == (Window(start_ns=NS, end_ns=2 * NS), why)
    assert traffic.told == ["kubectl rollout restart", told]


@pytest.mark.asyncio
async def test_what_users_met_of_the_restart_is_read_once_it_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    traffic, recovery = FakeTraffic(), object.__new__(StackRecovery)
    recovery.stack, recovery.on = cast(Any, FakeStack()), cast(Any, SimpleNamespace(say=lambda _said: None))
    early, late = (Calls(probes=0, good=0, bound=None, requests=requests, errors=0) for requests in (1, 9))

    async def judged_again(_traffic: object) -> Calls:
        monkeypatch.setattr(traffic, "seen", lambda start_ns, end_ns: {(NS, 2 * NS): late}[start_ns, end_ns])
        return early

    monkeypatch.setattr(recovery, "_judged_again", judged_again)
    found = await recovery._restarted(cast(Any, traffic))
    assert found == (Restart(took_s=1, seen=late), early)
