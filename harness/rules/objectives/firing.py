"""When an alert must fire: by evaluation, as Prometheus does it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec


class AlertState(StrEnum):
    """Of an alert at an evaluation."""

    QUIET = "quiet"
    PENDING = "pending"
    FIRING = "firing"


def states(exceeds: Iterable[tuple[int, bool]], for_ms: int) -> list[tuple[int, AlertState]]:
    """Of each evaluation, as (ms, whether the expression held): pending from the first that held, firing from the first
    that is ``for_ms`` behind it, quiet at once when one does not hold."""
    found: list[tuple[int, AlertState]] = []
    since: int | None = None
    for at_ms, held in exceeds:
        since = (at_ms if since is None else since) if held else None
        lasted_ms = -1 if since is None else at_ms - since
        found.append(
            (
                at_ms,
                AlertState.FIRING if lasted_ms >= for_ms else AlertState.QUIET if lasted_ms < 0 else AlertState.PENDING,
            )
        )
    return found


class Spell(msgspec.Struct, frozen=True):
    """A stretch of firing: the first evaluation in it, and the first behind it (``None``: it went on)."""

    fired_ms: int
    resolved_ms: int | None


def spells(seen: Sequence[tuple[int, AlertState]]) -> list[Spell]:
    """Every stretch of firing, oldest first."""
    found: list[Spell] = []
    begun: int | None = None
    for at_ms, state in seen:
        if state is AlertState.FIRING and begun is None:
            begun = at_ms
        elif state is not AlertState.FIRING and begun is not None:
            found.append(Spell(begun, at_ms))
            begun = None
    if begun is not None:
        found.append(Spell(begun, None))
    return found
