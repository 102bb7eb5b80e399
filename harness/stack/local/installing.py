"""Installs in a process of its own, because installing blocks for up to a minute and Ctrl-C must not wait for it."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from harness.base.data import ROOT
from harness.stack.process.processes import Process, Spec, spawn
from harness.stack.state import RunState
from harness.stack.target import variables as environment

LIMIT_S = 620.0  # above the installers' own limits
_CODE = """
import importlib
import sys
from harness.base.errors import RehearsalError
try:
    module, _, function = sys.argv[1].partition(":")
    getattr(importlib.import_module(module), function)(lambda line: print(line, file=sys.stderr, flush=True))
except RehearsalError as error:
    sys.exit(str(error))
"""


async def install(function: str, part: str, state: RunState, logs: Path) -> Process:
    """Calls ``function``, "module:name" of one that takes a progress line's receiver; returns the ended process.

    Whether it installed anything is the caller's to look at. Cancelled, the process is killed.
    """
    spec = Spec(
        part=part,
        command=(sys.executable, "-c", _CODE, function),
        environment={**environment.machine(), **environment.package_settings()},
        log=logs / f"{part}.log",
        folder=ROOT,
    )
    process = spawn(spec, state)
    try:
        await process.ended_within(LIMIT_S)
    finally:
        await asyncio.shield(asyncio.ensure_future(process.stop(signal.SIGKILL, 1.0)))
    return process
