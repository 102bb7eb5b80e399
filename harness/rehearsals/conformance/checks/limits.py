"""The contract's limits, on both sides of each."""

from __future__ import annotations

from harness.checks.contract.check import WALKS, ContractClient, must, must_be, needs
from harness.checks.contract.rows import checks
from harness.checks.contract.run import DeviationKind, walk_api
from harness.checks.contract.shape import FULL_LOCATION, location
from harness.model.message import message

CHECKS = checks("limits", walk_api("limits"), DeviationKind.STATUS)

LOCATIONS_MAX = 20_000  # ours, as RATE_LIMITED is: the contract names no end
_AT_ONCE = 5_000  # below any bearable limit of a body


@CHECKS(
    "limits.locations.in_all",
    f"a walk has at most {LOCATIONS_MAX:,} locations in all: one more gets 400, unstored",
    walk_api("most-locations"),
    advice=True,
)
async def locations_in_all(bench: ContractClient) -> None:
    """A limit for each body alone is none: the whole walk is read by every GET, and by the mirror after every PUT."""
    me, walk_id = await bench.user(), bench.walk_id()
    few = {name: ... for name in FULL_LOCATION if name not in ("latitude", "longitude", "timestamp")}
    for first in range(0, LOCATIONS_MAX, _AT_ONCE):
        await me.put_walk(walk_id, {"locations": [location(n, **few) for n in range(first, first + _AT_ONCE)]})
    must(await me.put(walk_id, {"title": "長い散歩", "locations": [location(LOCATIONS_MAX, **few)]}), 400)
    exchange = needs(await me.get(f"{WALKS}/{walk_id}"))
    must_be(message("locations"), LOCATIONS_MAX, len(await me.locations(walk_id)), exchange, DeviationKind.EFFECT)
