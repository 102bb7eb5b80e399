"""One seed a run, and a named stream of chance for each use, so that a new use moves no other."""

from __future__ import annotations

import hashlib
import random


def stream(seed: int, name: str) -> random.Random:
    """The stream ``name`` of ``seed``: the same for the same pair, on every machine and Python."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return random.Random(int.from_bytes(digest, "big"))  # noqa: S311 - a rehearsal's dice, not a secret
