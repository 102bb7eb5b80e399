"""What one process of the API holds: its ports and the parts made from them."""

from __future__ import annotations

import asyncio

from api.auth import Authenticator
from api.logs import Log, to_stdout
from api.metrics import Metrics
from api.mirror import Mirror
from api.model import User
from api.ports import Ports
from api.ratelimit import RateLimit
from api.removals import Removals
from api.settings import Settings

GRACE_S = 10.0
CLOSE_S = 1.5  # of the grace, kept for closing pool and channel


class Service:
    """Made by ``api.build``; ``start`` and ``stop`` are the lifespan's."""

    def __init__(self, settings: Settings, ports: Ports, log: Log | None = None) -> None:
        self.settings = settings
        self.ports = ports
        self.log = log or Log(
            ports.clock,
            pod_name=settings.pod_name,
            level=settings.log_level,
            form=settings.log_format,
            write=to_stdout,
        )
        self.metrics = Metrics()
        self.authenticator = Authenticator(ports.tokens, ports.clock)
        self.rate_limit = RateLimit(ports.clock, settings.rate_limit_per_minute)
        self.mirror = Mirror(
            ports.database,
            ports.mirror,
            self.log,
            share_percent=settings.mirror_share_percent,
            queue_max=settings.mirror_queue_max,
            lanes=settings.mirror_lanes,
        )
        self.removals = Removals(ports.storage, self.log)
        self._stopping_since_ns: int | None = None

    @property
    def stopping(self) -> bool:
        """Whether SIGTERM has come: ``/ready`` says so."""
        return self._stopping_since_ns is not None

    def begin_stop(self) -> None:
        """The ten seconds begin. May be called again."""
        if self._stopping_since_ns is None:
            self._stopping_since_ns = self.ports.clock.monotonic_ns()

    async def admit(self, headers: list[tuple[bytes, bytes]]) -> User:
        """The caller of a ``/v1`` request: verified, within the rate limit, with a row in ``users``."""
        user = await self.authenticator.user(headers)
        self.rate_limit.admit(user.uid)
        await self.ports.database.remember_user(user)
        return user

    async def start(self) -> None:
        """Opens the ports and starts the mirror. Needs nothing outside to be there yet."""
        await self.ports.database.open()
        if self.ports.mirror is not None:
            await self.ports.mirror.open()
        self.mirror.start()
        self.removals.start()
        self.log.info("Walk API started")

    async def stop(self) -> None:
        """Drains mirror and photo removals in what is left of the ten seconds, then closes the ports."""
        self.begin_stop()
        assert self._stopping_since_ns is not None
        spent_s = (self.ports.clock.monotonic_ns() - self._stopping_since_ns) / 1e9
        budget_s = GRACE_S - CLOSE_S - spent_s
        await asyncio.gather(self.mirror.drain(budget_s), self.removals.drain(budget_s))
        if self.ports.mirror is not None:
            await self.ports.mirror.close()
        await self.ports.database.close()
        stats = self.mirror.stats
        self.log.info(
            f"Walk API stopped; mirror writes: {stats.written} written, {stats.failed} failed, {stats.dropped} dropped"
        )
