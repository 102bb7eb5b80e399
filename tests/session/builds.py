"""Builds, once a machine, what tests would otherwise be skipped for: ``python -m tests.session.builds``.

Kubernetes' controllers and etcd for the oracle; Docker's compose plugin where Docker has none; Prometheus' promtool.
"""

from __future__ import annotations

import asyncio
import sys

from harness.stack.kind import at_hand
from harness.stack.kind.images import binaries
from tests.oracle import build as oracle


async def compose() -> None:
    """Nothing where Docker has the plugin, or where there is no Docker to use it with."""
    if at_hand.docker_answers() and at_hand.ask("compose", "version", "--short") is None:
        await binaries.ensure(binaries.Module("compose"), print)


async def main(groups: list[str]) -> None:
    """For each of these groups of tests, one after the other: a build takes all cores by itself."""
    if "compose" in groups:
        await compose()
    if "process" in groups:
        await binaries.ensure(binaries.PROMETHEUS, print, only=("promtool",))
    if "oracle" in groups:
        await oracle.main()


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1:] or ["compose", "process", "oracle"]))
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
