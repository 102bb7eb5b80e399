"""Accounts that ended while their tokens are still out there."""

from __future__ import annotations

from harness.checks.contract.check import WALKS, Checks, ContractClient, Deviates, must, must_carry
from harness.checks.contract.run import DeviationKind, walk_api
from harness.model.message import message
from harness.rehearsals.security.checks.tokens import Victim
from harness.stack.firebase.rest import AccountEnd

CHECKS = Checks(walk_api("authorization"), DeviationKind.STATUS)


def _ended(how: AccountEnd) -> None:
    @CHECKS(f"account.{how}", f"the token of an account that was {how} is refused, or good as before until it expires")
    async def asked(bench: ContractClient) -> None:
        victim = await Victim(bench, await bench.user()).settle()
        stranger = await Victim(bench, await bench.user()).settle()
        await bench.ground.reach.end_account(victim.me.uid, how)
        exchange = await victim.me.get(f"{WALKS}/{victim.walk_id}")
        if exchange.status == 401:
            must_carry(exchange, 401, "UNAUTHORIZED")
        must(exchange, 200, 401)
        foreign = must(await victim.me.get(f"{WALKS}/{stranger.walk_id}"), 404, 401)
        if stranger.told_in(foreign):
            raise Deviates(
                message("nothing of another's walk"), message("its description"), foreign, DeviationKind.LEAK
            )


for _how in AccountEnd:
    _ended(_how)
