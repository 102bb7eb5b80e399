"""A small cluster that is being made by a process of its own, and is gone afterwards, whatever became of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from harness.model.message import Message
from harness.stack.kind import cluster, config, record

ROOT = Path(__file__).resolve().parents[2]
NODE_LIMIT_S = 60.0


def quiet(_line: Message) -> None:
    """No progress."""


def half() -> str:
    """Its name; asked for when the worker is in the machine's own folder, whose mark it begins with."""
    return record.name_of(f"half-{os.getpid()}")


def small(folder: Path) -> Path:
    """One node, as cheap as a cluster is."""
    made = config.read()
    made["nodes"] = [{"role": "control-plane"}]
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(made))
    return path


@contextmanager
def creating(folder: Path, limit_s: float = NODE_LIMIT_S) -> Iterator[subprocess.Popen[str]]:
    """``up`` of it under way, as soon as its node's container is there. At the end the process and, by its label,
    everything of the cluster are gone, also where the container did not come within ``limit_s`` (``AssertionError``).
    """
    words = ("up", "--label", f"half-{os.getpid()}", "--config", str(small(folder)))
    command = [sys.executable, "-m", "harness", "cluster", *words]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + limit_s
        while not asyncio.run(cluster.leaks(half()))[1:]:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until, f"no node within {limit_s:g} s"
            time.sleep(0.1)
        yield process
    finally:
        process.kill()  # nothing where it has ended
        process.wait()
        if process.stderr is not None:
            process.stderr.close()
        asyncio.run(cluster.delete(half(), quiet, force=True))
