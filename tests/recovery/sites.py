"""Where recoveries of tests take place, taken down whatever became of them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from harness.base.clock import MachineClock
from harness.stack.local.site import Site


@asynccontextmanager
async def begun(name: str, logs: Path) -> AsyncIterator[Site]:
    """One of that name and this process, that leaves nothing."""
    made = Site.begin(f"test-{name}-{os.getpid()}", logs, MachineClock())
    try:
        yield made
    finally:
        await made.down()
    assert made.leaks() == []
