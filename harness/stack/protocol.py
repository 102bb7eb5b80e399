"""The ``Stack`` protocol: the running system under rehearsal, on any rung."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from harness.model.evidence import EventRow, SampleRow
from harness.model.flag import Template
from harness.model.manifests import Manifests
from harness.model.stack import Capability, Endpoints, Fault, Rung

Undo = Callable[[], Awaitable[None]]


class Stack(Protocol):
    """Brought up once, driven, brought down once. Every method is safe to cancel; ``down`` is safe at any moment.

    Raises ``StackNotStarted`` from ``up`` and ``PartDied`` from ``watch`` when a part ends unplanned.
    """

    rung: Rung
    capabilities: frozenset[Capability]

    async def up(self) -> None:
        """Starts every part and returns when the Deployment's replicas are ready and the service answers."""
        ...

    async def apply(self, manifests: Manifests) -> None:
        """Makes the running target follow ``manifests`` (a rolling replacement when the pod template changed)."""
        ...

    async def scale(self, replicas: int) -> None:
        """Sets the Deployment's replicas; returns when as many are ready and no more run."""
        ...

    async def inject(self, fault: Fault) -> Undo:
        """Starts ``fault``; the returned undo ends it and may be called twice."""
        ...

    def endpoints(self) -> Endpoints:
        """Where the parts answer. Valid after ``up``."""
        ...

    def watch(self) -> AsyncIterator[EventRow | SampleRow]:
        """Events and samples as they happen, until ``down``."""
        ...

    async def set_flag(self, template: Template) -> int:
        """Publishes a Remote Config template; returns its version."""
        ...

    async def down(self) -> None:
        """Stops every part and removes the run's state. Idempotent."""
        ...

    def leaks(self) -> list[str]:
        """What is left of the run after ``down``: processes, ports, shared memory, folders; [] when nothing is."""
        ...
