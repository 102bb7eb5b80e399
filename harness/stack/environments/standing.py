"""How a ``stack up`` that stays is found by another command: its record, in its run's folder of state."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import msgspec

from harness.base.errors import NOT_JSON
from harness.base.home import runs_folder
from harness.model.manifests import Manifests
from harness.model.stack import Endpoints, EnvironmentKind
from harness.stack.state.lease import Lease, lives, read_lease

RECORD = "stack.json"


class StackFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What ``stack up`` tells: where everything answers, where the logs lie, and what each pod requests (``None``: the
    manifests do not say)."""

    run_id: str
    rung: EnvironmentKind
    target: str
    up_utc: str
    logs: str
    endpoints: Endpoints
    asked_cores: float | None = None
    asked_memory_bytes: int | None = None
    proxy: bool = True  # the manifests have one: else what leads a target to the database is none of their pods'


def facts_of(
    run_id: str,
    rung: EnvironmentKind,
    target: str,
    manifests: Manifests,
    *,
    endpoints: Endpoints,
    up_utc: str,
    logs: str,
) -> StackFacts:
    """Those of a stack that is up with ``manifests``; ``logs`` is the folder of its logs."""
    containers = manifests.deployment.template.containers
    return StackFacts(
        run_id=run_id,
        rung=rung,
        target=target,
        up_utc=up_utc,
        logs=logs,
        endpoints=endpoints,
        asked_cores=sum(each.request_cpu_m or 0 for each in containers) / 1000 or None,
        asked_memory_bytes=sum(each.request_memory_bytes or 0 for each in containers) or None,
        proxy=bool(manifests.sidecar),
    )


def recorded() -> Iterator[tuple[StackFacts, Lease]]:
    """Every ``stack up`` there is a record of, with its lease; a killed one's too."""
    for path in sorted(runs_folder().glob(f"*/{RECORD}")):
        lease = read_lease(path.parent)
        with contextlib.suppress(OSError, *NOT_JSON):
            facts = msgspec.json.decode(path.read_bytes(), type=StackFacts)
            if lease is not None:
                yield facts, lease


def up_now() -> list[StackFacts]:
    """What every ``stack up`` whose harness lives told."""
    return [facts for facts, _lease in recorded() if lives(facts.run_id)]
