"""When backups are due and when they may go. Pure; all times are aware of their zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta, timezone

from harness.base.errors import BadInput
from harness.model.message import message

ZONES = {"UTC": UTC, "JST": timezone(timedelta(hours=9), "JST")}


def daily_time(text: str, zone: str) -> time:
    """``"03:00"`` in ``"JST"``. Raises ``ValueError``."""
    try:
        return time.fromisoformat(text).replace(tzinfo=ZONES[zone])
    except (ValueError, KeyError) as error:
        raise ValueError(f"{text!r} {zone} is no time of day; write for example '03:00' and JST") from error


def next_backup(now: datetime, at: time) -> datetime:
    """The first ``at`` after ``now``, in UTC."""
    local = now.astimezone(at.tzinfo)
    due = datetime.combine(local.date(), at)
    if due <= local:
        due += timedelta(days=1)
    return due.astimezone(UTC)


def expired(taken: Sequence[datetime], now: datetime, keep: timedelta) -> list[datetime]:
    """The backups no point of the last ``keep`` needs: all before the newest one that is at least ``keep`` old.

    A point is restored from the last backup before it, so the backup just outside the window still serves its
    oldest points.
    """
    old = [each for each in taken if each <= now - keep]
    return [each for each in old if each < max(old)]


def backup_for(taken: Sequence[datetime], point: datetime) -> datetime:
    """The newest backup not after ``point``. Raises ``BadInput`` for a point before the oldest."""
    before = [each for each in taken if each <= point]
    if not before:
        oldest = min(taken, default=None)
        raise BadInput(
            message("{point} UTC lies before the oldest backup kept", point=f"{point:%Y-%m-%d %H:%M}"),
            remedy=f"the earliest point is {oldest:%Y-%m-%d %H:%M} UTC" if oldest else "there is no backup",
        )
    return max(before)


def reach_by_count(count: int) -> tuple[timedelta, timedelta]:
    """How far daily backups kept by ``count`` reach back: right after a backup, and just before the next."""
    return timedelta(days=count - 1), timedelta(days=count)
