"""The stack that `stack up --on local` keeps on this machine: its pods, their logs, and what it answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from harness.base.clock import NS, Clock
from harness.base.errors import BadInput
from harness.base.message import message
from harness.base.typed import PROGRAM
from harness.base.units import DAY_S
from harness.load.rest import status_of
from harness.model.stack import EnvironmentKind, Target
from harness.rehearsals.operations.seen import cluster
from harness.rehearsals.operations.seen.facts import ObservedStack, PodNow
from harness.stack.environments.standing import StackFacts, recorded
from harness.stack.local.sampler import family_tree, proportional_bytes, usage_of
from harness.stack.state.lease import Lease, lives
from harness.stack.state.processes import ProcessIdentity, began_unix_s

_SIDECAR = ".sidecar"
_PROCESSES = 2  # of a pod: target and sidecar
_ASK_LIMIT_S = 5.0
_WATCHED_S = 1.0
_ASKED = ("/health", "/ready")
Each = TypeVar("Each", float, int)


def the_one() -> tuple[StackFacts, Lease]:
    """The stack of processes that is up. Raises ``BadInput`` where there is none, or more than one."""
    there = [
        (facts, lease) for facts, lease in recorded() if lives(facts.run_id) and facts.rung is EnvironmentKind.LOCAL
    ]
    if len(there) != 1:
        found = ", ".join(facts.run_id for facts, _ in there) or message("none")
        command = f"{PROGRAM} stack up --on local --detach"
        raise BadInput(
            message("one stack of processes is wanted, and those that are up are: {found}", found=found),
            where="--context",
            remedy=message("{command}, or name a cluster by --context", command=command),
        )
    return there[0]


def must_be_of(target: Target) -> None:
    """Raises ``BadInput`` where the stack that is up is of another target than the page would say."""
    there, _ = the_one()
    if there.target != target.name:
        given = {"there": there.target, "asked": target.name}
        told = message("the stack that is up has the target {there}, and the page would say {asked}", **given)
        raise BadInput(told, where="--target", remedy="name the stack's own by --target")


async def observe(facts: StackFacts, lease: Lease, clock: Clock, now: datetime) -> ObservedStack:
    """As a person at this machine sees it, in about a second: so long processors are watched."""
    lines = (line for path in sorted(_logs(facts, lease)) for line in path.read_text(errors="replace").splitlines())
    begin_ns, before = clock.now_ns(), _cpu_s(facts, lease)
    await clock.sleep(_WATCHED_S)
    watched_s, after = (clock.now_ns() - begin_ns) / NS, _cpu_s(facts, lease)
    cores = {name: (after[name] - before[name]) / watched_s for name in after.keys() & before.keys()}
    return ObservedStack(
        where=facts.run_id,
        pods=tuple(_pods(facts, lease, cores, now.timestamp())),
        logs=cluster.counted(lines, since=now - timedelta(seconds=DAY_S)),
        answers={path: await status_of(facts.endpoints.service, path, _ASK_LIMIT_S) for path in _ASKED},
    )


def _names(lease: Lease) -> list[str]:
    """The pods: each has a sidecar."""
    return sorted({part.part.removesuffix(_SIDECAR) for part in lease.parts if part.part.endswith(_SIDECAR)})


def _logs(facts: StackFacts, lease: Lease) -> Iterator[Path]:
    for name in _names(lease):
        yield from Path(facts.logs).glob(f"{name}.log")


def _of(lease: Lease, name: str) -> dict[str, list[ProcessIdentity]]:
    """The pod's target and sidecar, each with all its processes so far, the newest last."""
    return {part: [each.identity for each in lease.parts if each.part == part] for part in (name, name + _SIDECAR)}


def _cpu_s(facts: StackFacts, lease: Lease) -> dict[str, float]:
    """What the manifest's containers of each pod that runs whole have used of processors so far."""
    tree, found = family_tree(), {}
    for name in _names(lease):
        used = [usage_of(each[-1].pid, tree) for each in _of(lease, name).values() if each and each[-1].alive()]
        whole = [each.cpu_s for each in used if each is not None]
        if len(whole) == _PROCESSES:
            found[name] = sum(_of_manifest(facts, whole))
    return found


def _of_manifest(facts: StackFacts, whole: list[Each]) -> list[Each]:
    """Of a pod's target and sidecar what the manifests have, and request something for."""
    return whole if facts.proxy else whole[:1]


def _pods(facts: StackFacts, lease: Lease, cores: Mapping[str, float], now_unix_s: float) -> Iterator[PodNow]:
    """Those that were not replaced: a pod is there while one of its processes is, and ready while both are."""
    for name in _names(lease):
        of = _of(lease, name)
        newest = [each[-1] for each in of.values() if each]
        living = [each.pid for each in newest if each.alive()]
        if not living:
            continue
        ready, again = len(living) == _PROCESSES, [each[-1] for each in of.values() if len(each) > 1]
        began = [unix_s for each in again if (unix_s := began_unix_s(each.pid)) is not None]
        yield PodNow(
            name=name,
            phase="Running" if ready else "Failed",
            ready=ready,
            restarts=sum(len(each) - 1 for each in of.values() if each),
            restarted_s=now_unix_s - max(began) if began else None,
            cores=cores.get(name),
            memory_bytes=proportional_bytes(_of_manifest(facts, living)),
            asked_cores=facts.asked_cores,
            asked_memory_bytes=facts.asked_memory_bytes,
        )
