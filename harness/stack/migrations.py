"""The target's own migrations, run once before the first pod, straight against the database."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from harness.model.manifests import PodTemplate
from harness.model.message import message
from harness.model.stack import Endpoints, Target
from harness.stack import environment
from harness.stack.feed import Feed
from harness.stack.processes import Spec, spawn
from harness.stack.state import RunState

LIMIT_S = 60.0
NAME = "migrations"


async def migrate(
    template: PodTemplate, target: Target, endpoints: Endpoints, *, state: RunState, feed: Feed, logs: Path
) -> None:
    """Runs ``target.migrations``, if there are any. Raises ``StackNotStarted`` when they fail or take too long."""
    if not target.migrations:
        return
    variables = environment.of_target(
        template.containers[0],
        target,
        endpoints,
        pod=NAME,
        port=0,
        database_port=endpoints.database.port,
    )
    spec = Spec(
        part=NAME,
        command=target.migrations,
        environment=variables,
        log=logs / f"{NAME}.log",
        folder=Path(target.migrations_folder or target.folder),
    )
    feed.event("log", NAME, f"logs/{spec.log.name}")
    process = spawn(spec, state)
    try:
        await process.ended_within(LIMIT_S)
        if process.returncode is None:
            raise process.not_started(f"not done after {LIMIT_S:g} s")
        if process.returncode != 0:
            raise process.not_started(process.died())
    finally:
        if process.returncode is None:
            await asyncio.shield(asyncio.ensure_future(process.stop(signal.SIGKILL, 1.0)))
    feed.event("component", NAME, message("applied"))
