"""A clock that is moved: a sleep takes no time, and the date is wherever the rehearsal put it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from harness.base.clock import NS, Anchor


class MovedClock:
    """``Clock``: ``sleep`` moves it forward and returns at once."""

    def __init__(self, start: datetime) -> None:
        self.anchor = Anchor(monotonic_ns=0, unix_ns=round(start.timestamp()) * NS)
        self._now_ns = 0

    def now_ns(self) -> int:
        """The moved monotonic time."""
        return self._now_ns

    def wall_ns(self) -> int:
        """The moved wall clock, in step."""
        return self.anchor.unix_ns + self._now_ns

    async def sleep(self, seconds: float) -> None:
        """Moves it."""
        self._now_ns += max(0, round(seconds * NS))

    @property
    def now(self) -> datetime:
        """The moved date and time, UTC."""
        start = datetime.fromtimestamp(self.anchor.unix_ns / NS, tz=UTC)
        return start + timedelta(microseconds=self._now_ns // 1000)

    async def until(self, when: datetime) -> None:
        """Moves it to ``when``; never back."""
        await self.sleep((when - self.now).total_seconds())
