"""The images of compose.yaml, for tests that start containers of them by themselves."""

from __future__ import annotations

import asyncio

import pytest

from harness.base.clock import MachineClock
from harness.base.progress import Progress
from harness.stack.kind.images import build, recipes
from tests.kind.shared import cannot_build


def made() -> None:
    """Makes them where Docker has none; skips the test where that cannot be done."""
    if lacking := cannot_build():
        pytest.skip(lacking)
    clock = MachineClock()

    async def built() -> None:
        for recipe in recipes.ours(clock):
            await build.ensure(recipe, clock, Progress(clock))

    asyncio.run(built())
