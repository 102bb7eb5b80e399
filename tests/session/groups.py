"""The groups of tests: each test is in exactly one, told by its markers; no marker is the group ``fast``.

A group says what a machine must have for it. ``nightly`` is no group: a nightly test has one as well, and is left out
unless ``--nightly`` asks for it. No ``-m`` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

FAST = "fast"
NIGHTLY = "nightly"
ALONE = "alone"  # measures what the machine does: CI runs these last, beside nothing but one of themselves

#: Marker to what it means, the most demanding first: a test with several is in the first of them.
GROUPS = {
    "compose": "needs Docker with its compose plugin",
    "kind": "creates or uses a real cluster of four nodes (Docker, kind)",
    "stack": "starts the real local stack (processes, PostgreSQL, emulators, Envoy)",
    "oracle": "compares rules with Kubernetes' real controllers, plain processes without Docker",
    "browser": "opens a page in a real Chromium",
    "document": "reads the design document beside the checkout; in process",
    "process": "starts a process (PostgreSQL, npm, go, a server of ours) or connects to a socket",
    "sim": "whole weeks, in virtual time or drawn by the thousand; in process",
}
#: Without a process and without a connection. ``nox -s fast`` runs all of them but ``sim``.
IN_PROCESS = frozenset({FAST, "document", "sim"})
ALL = (*GROUPS, FAST)


class Marked(Protocol):
    """What is asked of a collected test."""

    def iter_markers(self) -> Iterable[object]:
        """Every marker of the test, its module's and its package's too; each has a ``name``."""
        ...


def marker_names(item: Marked) -> set[str]:
    """The names of all markers of a test."""
    return {str(getattr(marker, "name", "")) for marker in item.iter_markers()}


def group_of(names: set[str]) -> str:
    """The group of a test with these markers."""
    return next((group for group in GROUPS if group in names), FAST)


def chosen(option: str) -> frozenset[str]:
    """The groups that ``--groups`` names, separated by commas; all of them for "".

    Raises ``ValueError`` with the known names for one that is none.
    """
    names = frozenset(name.strip() for name in option.split(",") if name.strip())
    if unknown := names - set(ALL):
        raise ValueError(f"--groups: no group {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    return names or frozenset(ALL)
