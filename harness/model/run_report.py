"""What the report of every command that runs a plan on a stack says of the run itself."""

from __future__ import annotations

import msgspec

from harness.model.stack import Rung


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """``timings`` are seconds by name; ``leaks`` what was left on the machine; ``errors`` what broke."""

    schema_version: int
    run_id: str
    rung: Rung
    target: str
    target_bundled: bool
    seed: int
    replay: str
    started_utc: str
    exit_status: int
    timings: dict[str, float]
    leaks: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
