"""How the tests make a stack of each rung, with a small target and quick probes."""

from __future__ import annotations

import asyncio
import copy
import itertools
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import h11
import msgspec

from harness.base.clock import Clock, MachineClock
from harness.base.progress import Progress
from harness.model.manifests import Manifests, Probe
from harness.model.stack import Address, EnvironmentKind, OwnCluster, Target
from harness.stack.local import LocalStack
from harness.stack.manifests import load
from harness.stack.protocol import Stack

ROOT = Path(__file__).resolve().parent.parent.parent
SMALL = Target(
    name="small test target", command=(sys.executable, "-S", str(Path(__file__).parent / "target.py")), folder="/tmp"
)
_numbers = itertools.count(1)


def run_id() -> str:
    return f"test-{os.getpid()}-{next(_numbers)}"


def quick(manifests: Manifests) -> Manifests:
    """The same manifests with probes that begin soon: the document's 5 s would be paid by every test. Three failures of
    the liveness probe end a container, so it waits until the slowest target beside another stack listens. Without the
    autoscaler, which takes back what the tests scale."""
    template = manifests.deployment.template
    first = template.containers[0]
    assert first.readiness is not None and first.liveness is not None

    def fast(probe: Probe, initial_delay_s: float) -> Probe:
        return msgspec.structs.replace(probe, initial_delay_s=initial_delay_s, period_s=0.3)

    first = msgspec.structs.replace(first, readiness=fast(first.readiness, 0.3), liveness=fast(first.liveness, 10.0))
    template = msgspec.structs.replace(template, containers=(first, *template.containers[1:]))
    return msgspec.structs.replace(
        manifests, deployment=msgspec.structs.replace(manifests.deployment, template=template), hpa=None
    )


def changed(manifests: Manifests, digest: str) -> Manifests:
    """The same manifests with another pod template, in both their forms."""
    documents = copy.deepcopy(manifests.documents)
    metadata = documents[f"Deployment/{manifests.deployment.name}"]["spec"]["template"]["metadata"]
    metadata["annotations"] = {"test": digest}
    manifests = msgspec.structs.replace(manifests, documents=documents)
    template = msgspec.structs.replace(manifests.deployment.template, digest=digest)
    return msgspec.structs.replace(
        manifests, deployment=msgspec.structs.replace(manifests.deployment, template=template)
    )


def manifests(rung: EnvironmentKind = EnvironmentKind.LOCAL) -> Manifests:
    found = load(ROOT / "deploy" / "kubernetes" / "overlays" / rung, rung)
    return quick(found) if rung is EnvironmentKind.LOCAL else quick_documents(found)


def quick_documents(manifests: Manifests) -> Manifests:
    """As ``quick``, for a real kubelet; and without the autoscaler, which takes back what the tests scale."""
    documents = {name: copy.deepcopy(one) for name, one in manifests.documents.items() if "Autoscaler/" not in name}
    pod = documents[f"Deployment/{manifests.deployment.name}"]["spec"]["template"]["spec"]
    for probe in ("readinessProbe", "livenessProbe"):
        pod["containers"][0][probe] |= {"initialDelaySeconds": 1, "periodSeconds": 1}
    return msgspec.structs.replace(manifests, documents=documents, hpa=None)


def local(
    folder: Path,
    *,
    target: Target = SMALL,
    manifests_: Manifests | None = None,
    fault_proxy: bool = False,
    service_port: int | None = None,
    name: str | None = None,
    signals_at_once: bool = False,
) -> LocalStack:
    return LocalStack(
        run_id=name or run_id(),
        manifests=manifests_ or manifests(),
        target=target,
        folder=folder,
        clock=MachineClock(),
        service_port=service_port,
        fault_proxy=fault_proxy,
        signals_at_once=signals_at_once,
        every_program=True,  # the contract asks for a standby
        progress=lambda line: None,
    )


async def kind(folder: Path) -> Stack:
    """On the session's cluster, which the fixture ``kind_cluster`` made."""
    from harness.stack.kind.stack import KindStack

    clock = MachineClock()
    progress = Progress(clock)
    image = await small_image(clock, progress)
    return KindStack(
        run_id=run_id(),
        manifests=manifests(EnvironmentKind.KIND),
        target=small_target(image),
        folder=folder,
        clock=clock,
        fault_proxy=True,
        progress=progress,
    )


async def small_image(clock: Clock, progress: Progress) -> str:
    """The small test target as an image of this Docker."""
    from harness.stack.kind.images import build, recipes
    from harness.stack.kind.images.recipe import Recipe, here

    recipe = Recipe(
        name="test-target",
        packages=recipes.PYTHON,
        dockerfile=Path(__file__).parent / "kind_target" / "Dockerfile",
        parts=(here("target.py", Path(__file__).parent / "target.py"),),
    )
    return await build.ensure(recipe, clock, progress)


async def kube(folder: Path) -> Stack:
    """On the session's cluster too, as somebody's own: by its kubeconfig and context alone, once it has the images."""
    from harness.stack.environments.choice import cluster_images
    from harness.stack.kind import ground, record
    from harness.stack.kind.images import build, recipes
    from harness.stack.kind.images import load as loading
    from harness.stack.kube.stack import KubeStack

    clock = MachineClock()
    progress = Progress(clock)
    target = small_target(await small_image(clock, progress))
    ours = [await build.ensure(each, clock, progress) for each in recipes.ours(clock) if each.name != "api"]
    made = record.read(ground.kept_cluster())
    assert made is not None
    await loading.load(made.nodes[1:], [target.image, *ours], folder, progress)
    own = OwnCluster(context=made.context, kubeconfig=str(made.kubeconfig), server=f"127.0.0.1:{made.api_port}")
    return KubeStack(
        run_id=run_id(),
        manifests=manifests(EnvironmentKind.KUBE),
        target=target,
        cluster=own,
        images=cluster_images(target, "", clock),
        folder=folder,
        clock=clock,
        fault_proxy=True,
        progress=progress,
    )


def small_target(image: str) -> Target:
    return Target(name="small test target", command=(), image=image, environment={"HOST": "0.0.0.0"})


async def local_stack(folder: Path) -> Stack:
    return local(folder, fault_proxy=True)


#: The rungs that the contract suite runs against.
RUNGS: dict[EnvironmentKind, Callable[[Path], Awaitable[Stack]]] = {
    EnvironmentKind.LOCAL: local_stack,
    EnvironmentKind.KIND: kind,
    EnvironmentKind.KUBE: kube,
}


class Answer(msgspec.Struct, frozen=True):
    """Status 0: refused, broken off or too late."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}


async def ask(
    address: Address, path: str = "/", *, method: str = "GET", body: bytes = b"", limit_s: float = 5
) -> Answer:
    """One request on a new connection."""
    try:
        async with asyncio.timeout(limit_s):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            try:
                return await exchange(reader, writer, h11.Connection(h11.CLIENT), path, method, body, close=True)
            finally:
                writer.close()
    except (OSError, TimeoutError, h11.RemoteProtocolError):
        return Answer(0)


async def exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    http: h11.Connection,
    path: str,
    method: str = "GET",
    body: bytes = b"",
    *,
    close: bool = False,
) -> Answer:
    headers = [("Host", "test"), ("Content-Length", str(len(body))), *([("Connection", "close")] if close else [])]
    for sent in (h11.Request(method=method, target=path, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
        writer.write(http.send(sent) or b"")
    status, kept, found = 0, b"", dict[str, str]()
    while True:
        event: Any = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Response):
            status = event.status_code
            found = {name.decode(): value.decode() for name, value in event.headers}
        elif isinstance(event, h11.Data):
            kept += event.data
        elif isinstance(event, h11.EndOfMessage):
            return Answer(status, kept, found)
        elif isinstance(event, h11.ConnectionClosed):
            return Answer(0)
