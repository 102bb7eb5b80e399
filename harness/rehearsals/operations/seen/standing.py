"""The stack that `stack up --on local` keeps on this machine: its pods, their logs, and what it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from harness.base.errors import BadInput
from harness.load.http1 import exchange
from harness.model.stack import Rung
from harness.rehearsals.operations.seen import logs
from harness.rehearsals.operations.seen.facts import Observed, PodNow
from harness.stack.local.sampler import proportional_bytes
from harness.stack.standing import StackFacts, recorded
from harness.stack.state.lease import Lease, lives

_SIDECAR = ".sidecar"
_ASK_LIMIT_S = 5.0
_ASKED = ("/health", "/ready")


def the_one() -> tuple[StackFacts, Lease]:
    """The stack of processes that is up. Raises ``BadInput`` where there is none, or more than one."""
    there = [(facts, lease) for facts, lease in recorded() if lives(facts.run_id) and facts.rung is Rung.LOCAL]
    if len(there) != 1:
        found = ", ".join(facts.run_id for facts, _ in there) or "none"
        raise BadInput(
            f"one stack of processes is wanted, and those that are up are: {found}",
            remedy="python -m harness stack up --on local --detach, or name a cluster by --context",
        )
    return there[0]


async def observe(facts: StackFacts, lease: Lease) -> Observed:
    """As a person at this machine sees it."""
    lines = (line for path in sorted(_logs(facts, lease)) for line in path.read_text(errors="replace").splitlines())
    return Observed(
        where=facts.run_id,
        pods=tuple(_pods(lease)),
        logs=logs.counted(lines),
        answers={path: await _status(facts, path) for path in _ASKED},
    )


def _names(lease: Lease) -> list[str]:
    """The pods: each has a sidecar."""
    return sorted({part.part.removesuffix(_SIDECAR) for part in lease.parts if part.part.endswith(_SIDECAR)})


def _logs(facts: StackFacts, lease: Lease) -> Iterator[Path]:
    for name in _names(lease):
        yield from Path(facts.logs).glob(f"{name}.log")


def _pods(lease: Lease) -> Iterator[PodNow]:
    """Those that were not replaced: a pod is there while both its processes are."""
    for name in _names(lease):
        of = {part.part: part.identity for part in lease.parts if part.part in (name, name + _SIDECAR)}
        alive = all(each.alive() for each in of.values()) and len(of) == 2
        if not alive and not any(each.alive() for each in of.values()):
            continue
        memory = proportional_bytes([each.pid for each in of.values() if each.alive()])
        yield PodNow(name=name, phase="Running" if alive else "Failed", ready=alive, memory_bytes=memory)


async def _status(facts: StackFacts, path: str) -> int:
    """HTTP's status; 0 without an answer."""
    try:
        async with asyncio.timeout(_ASK_LIMIT_S):
            return (await exchange(facts.endpoints.service, "GET", path, "", b"")).status
    except Exception:
        return 0
