"""The password of a run's own PostgreSQL."""

from __future__ import annotations

import secrets


def new_password() -> str:
    """A secret of one run's own database, no die of its seed."""
    return secrets.token_urlsafe(18)
