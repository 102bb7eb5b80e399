"""SIGTERM: stop accepting, finish what runs, exit 0, all within ten seconds. Tried beside the pods."""

from __future__ import annotations

import asyncio

from harness.base.clock import polling
from harness.checks.contract.check import WALKS, Checks, ContractCaller, ContractClient, Deviates, needs
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.reach import STOP_LIMIT_S, NotExercised, StandaloneTarget
from harness.checks.contract.run import DeviationKind, environment
from harness.model.message import message

CHECKS = Checks(environment("stop"), DeviationKind.EFFECT)

_REACHES_WITHIN_S = 5.0  # the database, where the request is held
_QUIET_S = 0.3  # without a byte between the program and its database: what follows a write, as its mirror's, is over
_MORE_ON_ITS_WAY_S = 0.4  # of the request; a target may ask its database for other reasons too
_HELD_S = 1.0  # from SIGTERM on: a target that cuts its requests has done so by then
_REFUSES_WITHIN_S = 3.0


@CHECKS("stop.exit_status", "after SIGTERM the process exits with status 0")
async def exit_status(bench: ContractClient) -> None:
    """Nothing runs."""
    async with bench.beside() as spare:
        bench.exchanges.append(await spare.status("/health"))
        spare.ask_to_stop()
        status, _seconds = await spare.ended()
    if status is None:
        raise NotExercised(message("it did not exit at all"))
    if status != 0:
        how = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
        raise Deviates(message("exit status {status}", status="0"), f"{how} (kill -TERM)")


@CHECKS("stop.within_limit", f"after SIGTERM the process exits within {STOP_LIMIT_S:g} s")
async def within_limit(bench: ContractClient) -> None:
    """Nothing runs."""
    async with bench.beside() as spare:
        bench.exchanges.append(await spare.status("/health"))
        spare.ask_to_stop()
        status, seconds = await spare.ended()
    if status is None or seconds > STOP_LIMIT_S:
        raise Deviates(
            message("exit within {seconds} s", seconds=f"{STOP_LIMIT_S:g}"),
            message("running after {seconds} s", seconds=f"{seconds:.1f}")
            if status is None
            else message("exit after {seconds} s", seconds=f"{seconds:.1f}"),
        )


@CHECKS("stop.finishes_request", "after SIGTERM a request that runs is finished")
async def finishes_request(bench: ContractClient) -> None:
    """A PUT that waits for the database when SIGTERM comes, and gets it a second later."""
    async with bench.beside() as spare:
        _me, running = await _held_request(bench, spare)
        spare.ask_to_stop()
        await bench.clock.sleep(_HELD_S)
        spare.relay.release()
        exchange = await running
    if not 200 <= exchange.status < 300:
        raise Deviates(message("the answer 200, as without SIGTERM"), exchange.shown, exchange)


@CHECKS("stop.stops_accepting", "after SIGTERM no new connection is accepted")
async def stops_accepting(bench: ContractClient) -> None:
    """While a request still runs. An answer 503 is as good as a refused connection: a proxy would try elsewhere. One
    that stays open without an answer was accepted."""
    async with bench.beside() as spare:
        me, running = await _held_request(bench, spare)
        try:
            spare.ask_to_stop()
            last = await _until_refused(bench, spare)
        finally:
            spare.relay.release()
            await running
        del me
    if not _refused(last):
        wanted = message("a refused connection within {seconds} s", seconds=f"{_REFUSES_WITHIN_S:g}")
        raise Deviates(wanted, last.shown, last)


async def _until_refused(bench: ContractClient, spare: StandaloneTarget) -> HttpExchange:
    again = polling(bench.clock, limit_s=_REFUSES_WITHIN_S, every_s=0.1)
    while True:
        last = await spare.status("/health", 1.0)
        if _refused(last) or not await again():
            return last


def _refused(last: HttpExchange) -> bool:
    return last.status == 503 or (last.status == 0 and not last.silent)


async def _quiet(bench: ContractClient, spare: StandaloneTarget) -> None:
    """Returns once no byte passes between the program and its database, so that the request is held first; within
    ``_REACHES_WITHIN_S`` in any case.
    """
    again, passed = polling(bench.clock, limit_s=_REACHES_WITHIN_S, every_s=_QUIET_S), -1
    while passed != spare.relay.passed:
        passed = spare.relay.passed
        if not await again():
            return


async def _held_request(
    bench: ContractClient, spare: StandaloneTarget
) -> tuple[ContractCaller, asyncio.Task[HttpExchange]]:
    """A PUT that waits for the database. Raises ``NotExercised`` when it is answered without."""
    user = await bench.user()
    me = bench.at(spare.address, user)
    walk_id = bench.walk_id()
    needs(await me.put(walk_id, {"title": "散歩"}))
    await _quiet(bench, spare)
    spare.relay.hold()
    running = asyncio.ensure_future(me.send("PUT", f"{WALKS}/{walk_id}", {"title": "夜の散歩"}))
    again = polling(bench.clock, limit_s=_REACHES_WITHIN_S, every_s=0.05)
    while not (spare.relay.holds() or running.done()) and await again():
        pass
    await bench.clock.sleep(_MORE_ON_ITS_WAY_S)
    if running.done():
        spare.relay.release()
        raise NotExercised(message("it needs a PUT to wait for the database: {answer}", answer=running.result().shown))
    return me, running
