"""100 requests a minute and user: an exact sliding window, kept by each pod for itself.

Pods do not share it, as that would cost a round trip a request: a user whose requests reach N pods may get N times the
limit. Refused requests do not count.
"""

from __future__ import annotations

from collections import OrderedDict, deque

from api.errors import RateLimited
from api.ports import Clock

WINDOW_NS = 60_000_000_000
USERS_MAX = 10_000


class RateLimit:
    """Raises ``RateLimited`` with the whole seconds until the next request fits."""

    def __init__(self, clock: Clock, per_minute: int) -> None:
        self._clock = clock
        self._per_minute = per_minute
        self._users: OrderedDict[str, deque[int]] = OrderedDict()

    def admit(self, uid: str) -> None:
        """Counts one request of ``uid``, or refuses it."""
        now = self._clock.monotonic_ns()
        seen = self._users.get(uid)
        if seen is None:
            if len(self._users) >= USERS_MAX:
                self._users.popitem(last=False)  # whoever has been silent longest
            seen = self._users[uid] = deque(maxlen=self._per_minute)
        else:
            self._users.move_to_end(uid)
        if len(seen) == self._per_minute and now - seen[0] < WINDOW_NS:
            wait_ns = WINDOW_NS - (now - seen[0])
            raise RateLimited(-(-wait_ns // 1_000_000_000))
        seen.append(now)
