"""A step of load: how many requests arrive, how, for how long."""

from __future__ import annotations

from enum import StrEnum

import msgspec

#: The step that offers what the document says the pods carry, under the manifests' own limits.
CAPACITY = "capacity"
#: What the load of a plan's part is spread over: enough that nobody sends the 100 requests a minute that are allowed.
ACCOUNTS = 1000


class Arrivals(StrEnum):
    """How requests arrive.

    ``even`` and ``poisson`` are open loops: a request is due whatever became of those before it. ``closed`` keeps a
    number of requests in flight, each sent when the one before it was answered (``ab -c N``).
    """

    EVEN = "even"
    POISSON = "poisson"
    CLOSED = "closed"


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One load for a time. ``users`` is how many accounts it is spread over; ``rate_per_s`` counts for open loops,
    ``in_flight`` for closed ones. A kept connection stays with the pod it began on: with ``new_connections`` each
    request opens its own, with ``reopen`` each user opens its own anew before the step: new pods get their share."""

    name: str
    arrivals: Arrivals
    seconds: float
    users: int
    rate_per_s: float = 0.0
    in_flight: int = 0
    photos_per_s: float = 0.0  # uploaded to Storage meanwhile, ``photo_bytes`` each
    photo_bytes: int = 0
    new_connections: bool = False
    reopen: bool = False

    @property
    def of_search(self) -> bool:
        """Whether it is one of the search for the knee."""
        return self.arrivals is Arrivals.POISSON and self.name != CAPACITY
