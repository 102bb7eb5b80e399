"""Pods as the control-plane rules see them."""

from __future__ import annotations

import msgspec


class PodView(msgspec.Struct, frozen=True, kw_only=True):
    """One pod of the Deployment. ``revision`` is its pod template's digest; times are monotonic nanoseconds."""

    name: str
    revision: str
    created_ns: int
    ready: bool = False
    ready_since_ns: int | None = None
    scheduled: bool = True
    running: bool = True
    terminating: bool = False
    restarts: int = 0
