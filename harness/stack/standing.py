"""How a ``stack up`` that stays is found by another command: its record, in its run's folder of state."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import msgspec

from harness.base.home import runs_folder
from harness.model.stack import Endpoints, Rung
from harness.stack.state.lease import Lease, lives, read_lease

RECORD = "stack.json"


class StackFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What ``stack up`` tells: where everything answers, where the logs lie, and what each pod requests (``None``: the
    manifests do not say)."""

    run_id: str
    rung: Rung
    target: str
    up_utc: str
    logs: str
    endpoints: Endpoints
    asked_cores: float | None = None
    asked_memory_bytes: int | None = None


def recorded() -> Iterator[tuple[StackFacts, Lease]]:
    """Every ``stack up`` there is a record of, with its lease; a killed one's too."""
    for path in sorted(runs_folder().glob(f"*/{RECORD}")):
        lease = read_lease(path.parent)
        with contextlib.suppress(OSError, msgspec.DecodeError):
            facts = msgspec.json.decode(path.read_bytes(), type=StackFacts)
            if lease is not None:
                yield facts, lease


def up_now() -> list[StackFacts]:
    """What every ``stack up`` whose harness lives told."""
    return [facts for facts, _lease in recorded() if lives(facts.run_id)]
