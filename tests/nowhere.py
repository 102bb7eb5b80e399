"""Addresses for what is told of parts and asks none of them."""

from __future__ import annotations

from typing import Any

from harness.model.stack import Address, Endpoints

#: On this machine, where nobody listens.
NOWHERE = Address(host="127.0.0.1", port=1)


def all_at(here: Address = NOWHERE, **settings: Any) -> Endpoints:
    """Every part at one address; ``settings`` are further fields of ``Endpoints``, the address of Storage among them."""
    parts = ("service", "auth", "firestore", "remote_config", "database")
    return Endpoints(**dict.fromkeys(parts, here) | settings)
