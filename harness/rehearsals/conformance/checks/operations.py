"""``/health`` and ``/ready``."""

from __future__ import annotations

from harness.base.clock import polling
from harness.checks.contract.check import ContractClient, must
from harness.checks.contract.reach import NotExercised
from harness.checks.contract.rows import checks
from harness.checks.contract.run import DeviationKind, walk_api
from harness.model.message import message

CHECKS = checks("operations", walk_api("ready"), DeviationKind.STATUS)

NOTICED_S = 10.0  # the document's readiness probe asks every 10 s: a database gone for longer than that must show
_FOLLOWS_S = 2.0


@CHECKS("operations.ready", "GET /ready answers 200 when the database answers, and needs no token")
async def ready(bench: ContractClient) -> None:
    """As the readiness probe asks."""
    must(await bench.once_ready(lambda: bench.nobody.get("/ready")), 200)


@CHECKS("operations.ready.database_gone", "GET /ready answers 503 when the database does not answer")
async def ready_without_database(bench: ContractClient) -> None:
    """Beside the pods: its way to the database is cut."""
    async with bench.beside() as spare:
        spare.relay.cut()
        bench.exchanges.append(await spare.until_status("/ready", 503, NOTICED_S))
        must(bench.exchanges[-1], 503)


@CHECKS("operations.ready.database_back", "GET /ready answers 200 again once the database is back")
async def ready_again(bench: ContractClient) -> None:
    """A target that never recovers would need a person at every failover."""
    async with bench.beside() as spare:
        spare.relay.cut()
        gone = await spare.until_status("/ready", 503, NOTICED_S)
        if gone.status != 503:
            raise NotExercised(message("it needs /ready to notice that the database is gone"))
        spare.relay.mend()
        bench.exchanges.append(await spare.until_status("/ready", 200, NOTICED_S))
        must(bench.exchanges[-1], 200)


@CHECKS(
    "operations.health.database_gone", "GET /health answers 200 though the database does not answer", walk_api("health")
)
async def health_without_database(bench: ContractClient) -> None:
    """Otherwise the kubelet restarts every pod when the database fails over. Asked once the target has noticed, as
    /ready tells, and for a while: what /health answers may follow a look at the database now and then.
    """
    async with bench.beside() as spare:
        spare.relay.cut()
        await spare.until_status("/ready", 503, NOTICED_S)
        again = polling(bench.clock, limit_s=_FOLLOWS_S, every_s=0.5)
        while True:
            bench.exchanges.append(await spare.status("/health", 5.0))
            must(bench.exchanges[-1], 200)
            if not await again():
                return
