"""The error body: ``{"error": {"code": ..., "message": ...}}``, always."""

from __future__ import annotations

from harness.checks.contract.check import WALKS, ContractClient, Deviates, must_carry
from harness.checks.contract.reach import NotExercised
from harness.checks.contract.rows import checks
from harness.checks.contract.run import DeviationKind, walk_api
from harness.model.message import message

CHECKS = checks("errors", walk_api("errors"))

#: What a stranger may hear who asks for a path that is none.
_CODES = {400: "INVALID_REQUEST", 401: "UNAUTHORIZED", 404: "NOT_FOUND"}


@CHECKS("errors.path", "a path that is not ASCII carries an error body too", walk_api("connections"), advice=True)
async def path(bench: ContractClient) -> None:
    """It never comes to a handler in some servers, and then the error is the server's own."""
    raw = "GET /v1/walks/散歩 HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n".encode()
    exchange = await bench.nobody.send_raw(raw, "GET", "/v1/walks/散歩")
    if exchange.status not in _CODES:
        raise Deviates(
            message("an answer {codes}", codes=", ".join(map(str, _CODES))),
            exchange.shown,
            exchange,
            DeviationKind.STATUS,
        )
    must_carry(exchange, exchange.status, _CODES[exchange.status])


@CHECKS("errors.json", "error bodies are JSON by their Content-Type")
async def json_type(bench: ContractClient) -> None:
    """As the app's decoder expects."""
    exchange = await bench.nobody.get(WALKS)
    if exchange.status != 401:
        raise NotExercised(message("it needs an answer {status}: {answer}", status="401", answer=exchange.shown))
    kind = exchange.headers.get("content-type", "none")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise Deviates("Content-Type application/json", kind, exchange)
