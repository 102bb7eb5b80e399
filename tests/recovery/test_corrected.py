"""The correction: which argument names the instance, and that a failed apply or a missing answer is told apart."""

from __future__ import annotations

import asyncio
import copy
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from harness.base.errors import BadInput, StackNotStarted
from harness.model.manifests import Container, Manifests
from harness.rehearsals.dr_restore.procedure import INSTANCE, as_corrected, led_to
from harness.stack.manifests import load

OVERLAYS = Path(__file__).resolve().parents[2] / "deploy/kubernetes/overlays"
LOCAL = load(OVERLAYS / "local")
KEY = f"Deployment/{LOCAL.deployment.name}"
SHIPPER = ("--forward", "tcp:logs:24224", "--level=info")
MIGRATE = ("migrate", "--to", "latest")


def with_more(*, instance: str = "PROJECT_ID:REGION:INSTANCE_NAME") -> Manifests:
    """The local manifests with a log shipper and an init container, in both forms; the sidecar names ``instance``."""
    documents = copy.deepcopy(LOCAL.documents)
    pod = documents[KEY]["spec"]["template"]["spec"]
    target, sidecar = pod["containers"]
    sidecar["args"][-1] = instance
    shipper = {"name": "shipper", "image": "shipper:1", "args": list(SHIPPER)}
    pod["containers"] = [target, shipper, sidecar]
    pod["initContainers"] = [{"name": "migrate", "image": "target:1", "args": list(MIGRATE)}]
    template = LOCAL.deployment.template
    first, proxy = template.containers
    proxy = msgspec.structs.replace(proxy, args=(*proxy.args[:-1], instance))
    added = Container(name="shipper", image="shipper:1", args=SHIPPER)
    template = msgspec.structs.replace(template, containers=(first, added, proxy))
    deployment = msgspec.structs.replace(LOCAL.deployment, template=template)
    return msgspec.structs.replace(LOCAL, documents=documents, deployment=deployment)


def arguments(manifests: Manifests) -> dict[str, list[str]]:
    pod: dict[str, Any] = manifests.documents[KEY]["spec"]["template"]["spec"]
    return {each["name"]: each.get("args", []) for each in (*pod["containers"], *pod["initContainers"])}


def test_only_the_argument_that_names_the_instance_is_replaced() -> None:
    before = with_more()
    moved = led_to(before, INSTANCE)
    (sidecar,) = (name for name, args in arguments(before).items() if "PROJECT_ID:REGION:INSTANCE_NAME" in args)
    was, now = arguments(before), arguments(moved)
    assert now.pop(sidecar) == [*was.pop(sidecar)[:-1], INSTANCE]
    assert now == was
    assert [each.args for each in moved.deployment.template.containers[1:]] == [
        SHIPPER,
        (*before.deployment.template.containers[2].args[:-1], INSTANCE),
    ]
    assert moved.deployment.template.digest != before.deployment.template.digest


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("my-project:asia-northeast1:walks", INSTANCE),
        ("example.com:my-project:asia-northeast1:walks", INSTANCE),
        ("my-project:asia-northeast1:walks?port=5432", f"{INSTANCE}?port=5432"),
    ],
)
def test_an_instance_is_known_by_its_form(named: str, expected: str) -> None:
    moved = led_to(with_more(instance=named), INSTANCE)
    assert moved.deployment.template.containers[2].args[-1] == expected


def test_manifests_that_name_no_instance_are_refused() -> None:
    with pytest.raises(BadInput, match="none is named") as refused:
        led_to(with_more(instance="--quiet"), INSTANCE)
    assert KEY in refused.value.where
    assert "PROJECT:REGION:INSTANCE" in refused.value.remedy


def test_manifests_that_name_several_instances_are_refused() -> None:
    several = with_more()
    several.documents[KEY]["spec"]["template"]["spec"]["initContainers"][0]["args"] = ["p:r:another"]
    with pytest.raises(BadInput, match="several: PROJECT_ID:REGION:INSTANCE_NAME, p:r:another"):
        led_to(several, INSTANCE)


class FakeStack:
    """Its apply ends when ``go`` is set, then as told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.go = asyncio.Event()
        self.ended = ""
        self._error = error

    async def apply(self, _manifests: Manifests) -> None:
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.ended = "let go"
            raise
        if self._error is not None:
            raise self._error
        self.ended = "applied"


async def never() -> int | None:
    await asyncio.Event().wait()
    return None


async def answer(value: int | None, stack: FakeStack | None = None) -> int | None:
    """A good answer, or none; with ``stack`` its apply ends a moment later."""
    if stack is not None:
        asyncio.get_running_loop().call_later(0.05, stack.go.set)
    return value


async def test_an_apply_that_fails_before_any_answer_is_raised_at_once() -> None:
    stack = FakeStack(StackNotStarted("the pod ends again and again"))
    stack.go.set()
    async with asyncio.timeout(5):
        with pytest.raises(StackNotStarted, match="again and again"):
            await as_corrected(cast(Any, stack), LOCAL, never())


async def test_with_an_answer_the_apply_is_waited_for() -> None:
    stack = FakeStack()
    assert await as_corrected(cast(Any, stack), LOCAL, answer(7, stack)) == 7
    assert stack.ended == "applied"


async def test_an_apply_that_fails_after_the_answer_is_raised_too() -> None:
    stack = FakeStack(StackNotStarted("one pod is not ready"))
    with pytest.raises(StackNotStarted, match="one pod"):
        await as_corrected(cast(Any, stack), LOCAL, answer(7, stack))


async def test_no_answer_in_time_is_a_result_and_the_apply_is_let_go() -> None:
    stack = FakeStack()
    assert await as_corrected(cast(Any, stack), LOCAL, answer(None)) is None
    assert stack.ended == "let go"
