"""Where an Ingress controller answers."""

from __future__ import annotations

import msgspec

from harness.model.stack import Address


class IngressEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Where a controller answers: HTTPS on loopback; its port of plain HTTP inside the cluster, ``host:port``."""

    https: Address
    plain: str
