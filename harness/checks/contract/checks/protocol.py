"""What is no bearable request, before anybody is known: it is refused, and the target serves on."""

from __future__ import annotations

from harness.checks.contract.check import Checks, ContractClient, Deviates, must, must_carry
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.run import DeviationKind, walk_api
from harness.model.message import message

CHECKS = Checks(walk_api("connections"), DeviationKind.STATUS, advice=True)

_HEAD_BYTES = 2 * 1024 * 1024  # Go's server refuses more than one
_NO_REQUESTS = (
    (b"hello\r\n\r\n", "hello"),
    (b"GET  HTTP/1.1\r\nHost: api\r\n\r\n", "(no path)"),
    (b"GET /health HTTP/1.1\r\nHost api\r\n\r\n", "(a header without a colon)"),
    (b"GET /health HTTP/1.1\r\nHost: api\r\nContent-Length: many\r\n\r\n", "(a length that is no number)"),
)


@CHECKS("protocol.head_size", "a head of 2 MB is refused, and never kept in memory until it ends")
async def head_size(bench: ContractClient) -> None:
    """By an answer 4xx, or by the end of the connection, long before the head's own end, which does not come."""
    for start, part in ((b"GET /health HTTP/1.1\r\nHost: api\r\n", b"X-Filler: 1\r\n"), (b"GET /", b"u")):
        raw = start + part * (_HEAD_BYTES // len(part))
        await _refused(bench, raw, "(a head of 2 MB)")


@CHECKS("protocol.no_request", "what is no HTTP request answers 400, or ends its connection")
async def no_request(bench: ContractClient) -> None:
    """The error body of such an answer is the server's own in many languages: only JSON is held to the contract."""
    for raw, shown in _NO_REQUESTS:
        await _refused(bench, raw, shown)


async def _refused(bench: ContractClient, raw: bytes, shown: str) -> None:
    exchange = await bench.nobody.send_raw(raw, "GET", shown)
    if exchange.silent or not (_closed(exchange) or 400 <= exchange.status < 500):
        raise Deviates(message("a refusal (4xx), or the end of the connection"), exchange.shown, exchange)
    if exchange.headers.get("content-type", "").startswith("application/json"):
        must_carry(exchange, exchange.status, "INVALID_REQUEST")
    must(await bench.nobody.get("/health"), 200)


def _closed(exchange: HttpExchange) -> bool:
    return not exchange.status
