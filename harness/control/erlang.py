"""Erlang's waiting system (M/M/c): who waits, and how long, for one of so many servers. Pure."""

from __future__ import annotations

import math


def delayed(servers: int, arrivals_per_s: float, each_per_s: float, beyond_s: float = 0.0) -> float:
    """Return the share of arrivals that wait longer than ``beyond_s`` (Erlang C); 1 of more than all can serve."""
    offered = arrivals_per_s / each_per_s
    if offered >= servers:
        return 1.0
    blocked = 1.0  # Erlang B, server by server
    for number in range(1, servers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    waiting = blocked / (1 - offered / servers * (1 - blocked))
    return waiting * math.exp(-(servers * each_per_s - arrivals_per_s) * beyond_s)


def fewest(arrivals_per_s: float, each_per_s: float, beyond_s: float, share: float) -> int:
    """Return the fewest servers of which at most ``share`` of the arrivals wait longer than ``beyond_s``."""
    servers = int(arrivals_per_s / each_per_s) + 1
    while delayed(servers, arrivals_per_s, each_per_s, beyond_s) > share:
        servers += 1
    return servers


def most(servers: int, each_per_s: float, beyond_s: float, share: float) -> float:
    """Return the most arrivals a second of which at most ``share`` wait longer than ``beyond_s``."""
    low, high = 0.0, servers * each_per_s if servers else 0.0
    while math.isfinite(high) and high - low > 1e-9 * high:
        half = (low + high) / 2
        low, high = (half, high) if delayed(servers, half, each_per_s, beyond_s) <= share else (low, half)
    return high
