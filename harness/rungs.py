"""Where a rung is chosen: the one place that knows every implementation of the ``Stack`` protocol."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.clock import Clock
from harness.model.errors import BadInput
from harness.model.manifests import Manifests
from harness.model.stack import Rung
from harness.options import RunOptions
from harness.stack.keeping import Keeper
from harness.stack.protocol import Stack


def stack_for(
    options: RunOptions,
    *,
    run_id: str,
    manifests: Manifests,
    folder: Path,
    clock: Clock,
    progress: Callable[[str], None],
    gate: bool,
) -> Stack:
    """The stack of the rung that ``options`` name, not yet up."""
    if options.rung is Rung.LOCAL:
        from harness.stack.local import LocalStack

        return LocalStack(
            run_id=run_id,
            manifests=manifests,
            target=options.target,
            folder=folder,
            clock=clock,
            service_port=options.service_port,
            gate=gate,
            use_kept=True,
            progress=progress,
        )
    raise BadInput(f"the rung {options.rung} does not exist yet", remedy="use --on local")


def keepers() -> dict[Rung, Keeper]:
    """What ``stack keep|status|down`` drive, of each rung that can keep its slow parts."""
    from harness.stack.local.keeper import LocalKeeper

    return {Rung.LOCAL: LocalKeeper()}
