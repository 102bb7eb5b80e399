"""The stack in memory: what it has no way to do it refuses, and its stores are read with the bound of any others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.base.errors import MeasurementFailed, NotCapable
from harness.base.virtual import VirtualClock
from harness.checks.memory_stores import MemoryStores
from harness.checks.stores import TooManyWalks
from harness.load.sim.executor import VirtualLoad
from harness.model.manifests import Manifests
from harness.model.stack import EnvironmentKind, Fault, FaultKind
from harness.stack.environments.choice import overlay
from harness.stack.manifests import load
from harness.stack.sim.stack import MemoryStack
from harness.stack.sim.world import PlantedFaults, SimWorld

MANIFESTS: Manifests = load(overlay(EnvironmentKind.SIM))


async def test_users_who_are_not_signed_in_in_time_are_told_for_people() -> None:
    load = VirtualLoad.__new__(VirtualLoad)
    load._runtime = cast("Any", SimpleNamespace(failures=[]))
    load.spools = (Path("load.jsonl"), Path("probes.jsonl"))
    load._admitting = [asyncio.ensure_future(asyncio.Event().wait())]
    with pytest.raises(MeasurementFailed, match=r"not everybody was signed in within 0\.01 s"):
        await load.admitted(0.01)
    load._admitting[0].cancel()


def stack() -> MemoryStack:
    return MemoryStack(SimWorld(VirtualClock(), 1, PlantedFaults()), MANIFESTS)


@pytest.mark.parametrize(
    "asked",
    [
        lambda made: made.apply(MANIFESTS),
        lambda made: made.scale(3),
        lambda made: made.restart(),
        lambda made: made.build(),
        lambda made: made.set_image("api:2"),
        lambda made: made.rollout_status(limit_s=1),
        lambda made: made.rollout_undo(),
        lambda made: made.evict("sim-0"),
        lambda made: made.drain(limit_s=1),
        lambda made: made.inject(Fault(kind=FaultKind.POD_CRASH)),
    ],
)
async def test_what_needs_more_than_memory_is_not_capable(asked: Callable[[MemoryStack], Awaitable[Any]]) -> None:
    with pytest.raises(NotCapable, match="the environment sim cannot"):
        await asked(stack())


def test_it_claims_nothing_of_processes_databases_or_kubernetes() -> None:
    assert stack().capabilities == frozenset()
    with pytest.raises(NotCapable):
        stack().database()


async def test_more_walks_than_are_read_are_told() -> None:
    made = stack()
    stores = MemoryStores(made.world, made.endpoints())
    assert list((await stores.walks()).walks) == []
    with pytest.raises(TooManyWalks):
        await stores.walks(0)
