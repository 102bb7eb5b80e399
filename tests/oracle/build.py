"""Builds etcd and Kubernetes' programs as the kind rung does, once a machine: ``python -m tests.oracle.build``."""

from __future__ import annotations

import asyncio

from harness.stack.kind.images import binaries


async def main() -> None:
    """Both modules, one after the other."""
    for module in (binaries.ETCD, binaries.KUBERNETES):
        await binaries.ensure(module, print)


if __name__ == "__main__":
    asyncio.run(main())
