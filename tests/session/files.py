"""Which groups' tests each file holds, as a collection saw it (``--files FILE``): the next run need not import the others.

The first run of ``push`` collects all tests and writes it; those behind it are given only the files that hold tests of
theirs. To collect all of them again took each of them, and each worker, some 12 s of two cores.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import msgspec


class Held(msgspec.Struct, frozen=True):
    """One kind of test that a file holds."""

    group: str
    alone: bool = False


def write(path: Path, tests: Iterable[tuple[str, Held]]) -> None:
    """Adds what these tests' files hold, each file seen whole, to what ``path`` says already of others."""
    found = defaultdict[str, set[Held]](set)
    for file, held in tests:
        found[file].add(held)
    seen = _read(path) | {file: sorted(of, key=msgspec.structs.astuple) for file, of in found.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(seen), indent=1))


def holding(path: Path, groups: Iterable[str], alone: bool | None) -> list[str] | None:
    """The files with a test of these groups, only or without those marked ``alone``; none where nothing was written."""
    if not path.exists():
        return None
    kinds = {Held(group, each) for group in groups for each in ((True, False) if alone is None else (alone,))}
    return [file for file, of in _read(path).items() if kinds & set(of)]


def _read(path: Path) -> dict[str, list[Held]]:
    return msgspec.json.decode(path.read_bytes(), type=dict[str, list[Held]]) if path.exists() else {}
