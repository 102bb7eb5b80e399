"""What one process of the API holds: its ports and the parts made from them."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.types import Scope

from api.auth import Authenticator
from api.clock import pause
from api.logs import Log, to_stdout
from api.metrics import Metrics, Readings
from api.mirror import Mirror
from api.model import User
from api.ports import Ports
from api.ratelimit import RateLimit
from api.removals import Removals
from api.settings import Settings
from api.unsettled import Unsettled

#: The contract's ten seconds from SIGTERM to the end, and who has which part of them when all take as long as they may:
#: requests end (``api.serve`` gives them what the others leave), those cancelled give their connections back, writes of
#: unknown outcome are looked at in whatever is left, the mirror has its share, and the rest closes.
GRACE_S = 10.0
CANCELLED_S = 1.2  # beyond api.postgres.RELEASE_TIMEOUT_S
MIRROR_S = 2.0
CLOSE_S = 1.5  # the channel, the pool (api.postgres.CLOSE_TIMEOUT_S), and the process' own end
CHANNEL_CLOSE_S = 0.3
_POLL_S = 0.01


class Service:
    """Made by ``api.build``; ``start`` and ``stop`` are the lifespan's."""

    def __init__(self, settings: Settings, ports: Ports, log: Log | None = None) -> None:
        self.settings = settings
        self.ports = ports
        self.log = log or Log(
            ports.clock, pod_name=settings.pod_name, level=settings.log_level, form=settings.log_format, write=to_stdout
        )
        self.metrics = Metrics(self.readings)
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
        self.unsettled = Unsettled(ports, self.mirror, self.removals, self.log)
        self.mirror.given_up = self.unsettled.note_late
        self.in_flight = 0
        self.unsent_bytes = 0  # of large answers whose clients have not read them yet (``api.edge``)
        self._stopping_since_ns: int | None = None

    @property
    def stopping(self) -> bool:
        """Whether SIGTERM has come: ``/ready`` says so."""
        return self._stopping_since_ns is not None

    def begin_stop(self) -> None:
        """The ten seconds begin. May be called again."""
        if self._stopping_since_ns is None:
            self._stopping_since_ns = self.ports.clock.monotonic_ns()

    async def admit(self, scope: Scope) -> User:
        """The caller of a ``/v1`` request: verified, within the rate limit, with a row in ``users``. The request's
        line of the log names it."""
        user = await self.authenticator.user(scope["headers"])
        scope["user_id"] = user.uid
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
        self.unsettled.start()
        self.log.info("Walk API started")

    async def stop(self) -> None:
        """Drains mirror and photo removals in what is left of the ten seconds, then closes the ports."""
        self.begin_stop()
        await self._requests_ended()
        await self.unsettled.drain(self._left_s() - MIRROR_S)
        left_s = self._left_s()
        await asyncio.gather(self.mirror.drain(left_s), self.removals.drain(left_s))
        if self.ports.mirror is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHANNEL_CLOSE_S):
                    await self.ports.mirror.close()
        await self.ports.database.close()
        stats = self.mirror.stats
        self.log.info(
            f"Walk API stopped; mirror writes: {stats.written} written, {stats.failed} failed, {stats.dropped} dropped"
        )

    async def _requests_ended(self) -> None:
        """Requests that the server cancelled may have written: what they leave behind is waited for."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CANCELLED_S):
                while self.in_flight:
                    await pause(_POLL_S)

    def _left_s(self) -> float:
        """Of the ten seconds, but for the part kept for closing."""
        assert self._stopping_since_ns is not None
        return GRACE_S - CLOSE_S - (self.ports.clock.monotonic_ns() - self._stopping_since_ns) / 1e9

    def readings(self) -> Readings:
        """What the metrics page shows of the parts."""
        return Readings(
            mirror=self.mirror.stats,
            removals=self.removals.stats,
            unsettled=self.unsettled.stats,
            pool=self.ports.database.pool(),
            in_flight=self.in_flight,
            log_lines_lost=self.log.lost,
        )
