"""The checks of security on the bundled API in this process, wrong in the ways that plants say, in virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from harness.base.data import OVERLAYS
from harness.base.progress import Progress
from harness.base.virtual import VirtualClock
from harness.checks.contract.check import Check
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.run import CheckRun
from harness.checks.contract.runner import run_checks
from harness.model.manifests import Manifests
from harness.rehearsals.security import layers
from harness.rehearsals.security.checks import ALL, ASKED, LEFT, PRODUCTION
from harness.rehearsals.security.checks.secrets import told_by
from harness.rehearsals.security.ground import Canaries, SecurityGround
from harness.rehearsals.security.privileges import Role
from harness.stack.firebase.documents import Documents
from harness.stack.manifests import load
from tests.conformance.in_process import Plant, planted
from tests.security.image import archive

#: What is asked here: production mode verifies by the machine's own clock (``test_production.py``).
CHECKS = (*ASKED, *LEFT)


@cache
def manifests() -> Manifests:
    """Ours, which no check changes."""
    return load(OVERLAYS / "local")


async def _checked(
    clock: VirtualClock,
    checks: Sequence[Check],
    plants: Sequence[Plant],
    folder: Path,
    seed: int,
    parts: dict[str, Any],
) -> list[CheckRun]:
    found: list[CheckRun] = []
    (folder / "logs").mkdir()
    async with planted(clock, plants, folder / "logs") as (target, reach, logs):

        async def role() -> Role:
            return Role(name="tekutoko")

        async def images() -> list[str]:
            return [*layers.found("image", archive(folder / "image.tar"))]

        given: dict[str, Any] = {"manifests": manifests(), "role": role, "images": images} | parts
        ground = SecurityGround(
            reach=reach,
            clock=clock,
            documents=cast(Documents, target.firestore),
            logs=logs,
            seed=seed,
            run_id="in-process",
            hides_tokens=True,
            canaries=Canaries(),
            folder=folder,
            **given,
        )

        def seen(exchanges: Sequence[HttpExchange]) -> None:
            told_by(exchanges, ground.canaries)

        for group in (ASKED, LEFT):
            asked = [check for check in checks if check in group]
            await run_checks(asked, ground, folder, Progress(clock), found.append, seen=seen)
    return found


def checked(
    checks: Sequence[Check], plants: Sequence[Plant], folder: Path, seed: int = 1, **parts: Any
) -> dict[str, CheckRun]:
    """Every check against a target with those plants, by id; ``parts`` are those of the ground that are others."""
    clock = VirtualClock()
    found = clock.run(_checked(clock, checks, plants, folder, seed, parts))
    return {result.id: result for result in found}


def of(*ids: str) -> list[Check]:
    """The checks of those ids."""
    return [check for check in (*ALL, *PRODUCTION) if check.id in ids]
