"""Where a Prometheus of this machine reaches the metrics of pods, on any rung, and by what it proves itself there."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from harness.model.stack import Address


class PodMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Where a pod may serve the metrics of its target, or those of its proxy to the database (``sidecar``)."""

    pod: str
    address: Address
    path: str
    sidecar: bool = False


class ClientCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """Files of PEM, this user's alone, which go with the run: who is to be believed, and who asks."""

    ca: Path
    certificate: Path
    key: Path


@runtime_checkable
class WithMetrics(Protocol):
    """What a stack has besides whose pods can be scraped from this machine."""

    def metrics(self) -> list[PodMetrics]:
        """Of each pod that is ready."""
        ...

    def credentials(self) -> ClientCertificate | None:
        """What is asked by HTTPS with these; ``None``: by HTTP, of the pods themselves. Valid after ``up``."""
        ...
