"""A command that a person types, and what became of it."""

from __future__ import annotations

import msgspec


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """A command that was run: ``status`` is its exit status, -1 when it was ended after its time."""

    command: str
    status: int
    output: str
