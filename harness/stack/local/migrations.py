"""The target's own migrations, run once before the first pod, straight against the database."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from harness.model.manifests import PodTemplate
from harness.stack.local import environment
from harness.stack.local.pod import Ground
from harness.stack.local.processes import Spec, spawn

LIMIT_S = 60.0
NAME = "migrations"


async def migrate(template: PodTemplate, ground: Ground) -> None:
    """Runs ``target.migrations``, if there are any. Raises ``StackNotStarted`` when they fail or take too long."""
    if not ground.target.migrations:
        return
    variables = environment.of_target(
        template.containers[0],
        ground.target,
        ground.endpoints,
        pod=NAME,
        port=0,
        database_port=ground.endpoints.database.port,
    )
    spec = Spec(
        part=NAME,
        command=ground.target.migrations,
        environment=variables,
        log=ground.logs / f"{NAME}.log",
        folder=Path(ground.target.migrations_folder or ground.target.folder),
    )
    ground.feed.event("log", NAME, f"logs/{spec.log.name}")
    process = spawn(spec, ground.state)
    try:
        await process.ended_within(LIMIT_S)
        if process.returncode is None:
            raise process.not_started(f"not done after {LIMIT_S:g} s")
        if process.returncode != 0:
            raise process.not_started(process.died())
    finally:
        if process.returncode is None:
            await asyncio.shield(asyncio.ensure_future(process.stop(signal.SIGKILL, 1.0)))
    ground.feed.event("component", NAME, "applied")
