"""Every ``/v1`` call carries a Firebase ID token; one that is missing, malformed, expired or foreign gets 401."""

from __future__ import annotations

from harness.checks.contract.check import WALKS, ContractClient, must, needs
from harness.checks.contract.rows import checks
from harness.checks.contract.run import DeviationKind, walk_api

CHECKS = checks("auth", walk_api("authorization"), DeviationKind.STATUS)


@CHECKS("auth.good", "a good token is let in")
async def good(bench: ContractClient) -> None:
    """As the Auth emulator signs it in."""
    me = await bench.user()
    exchange = await me.get(WALKS)
    if exchange.status in (401, 403):
        must(exchange, 200)
    needs(exchange)
