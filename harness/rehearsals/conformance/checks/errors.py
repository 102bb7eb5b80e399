"""The error body: ``{"error": {"code": ..., "message": ...}}``, always."""

from __future__ import annotations

from harness.contract.bench import WALKS, Bench
from harness.contract.check import Checks, Deviates, NotExercised, must_carry
from harness.contract.grade import Finding, walk_api
from harness.model.message import message

CHECKS = Checks(walk_api("errors"))

#: What a stranger may hear who asks for a path that is none.
_CODES = {400: "INVALID_REQUEST", 401: "UNAUTHORIZED", 404: "NOT_FOUND"}


@CHECKS("errors.invalid_request", "400 carries the code INVALID_REQUEST")
async def invalid_request(bench: Bench) -> None:
    """An id, a query and a body."""
    me = await bench.user()
    must_carry(await me.get(f"{WALKS}/not-a-uuid"), 400, "INVALID_REQUEST")
    must_carry(await me.get(f"{WALKS}?limit=0"), 400, "INVALID_REQUEST")
    must_carry(await me.post({"title": ""}), 400, "INVALID_REQUEST")
    must_carry(await me.post(b"{"), 400, "INVALID_REQUEST")


@CHECKS("errors.unauthorized", "401 carries the code UNAUTHORIZED")
async def unauthorized(bench: Bench) -> None:
    """No token, and a malformed one."""
    must_carry(await bench.nobody.get(WALKS), 401, "UNAUTHORIZED")
    must_carry(await bench.with_token("a.b.c").get(WALKS), 401, "UNAUTHORIZED")


@CHECKS("errors.not_found", "404 carries the code NOT_FOUND")
async def not_found(bench: Bench) -> None:
    """A walk that does not exist, to GET and DELETE."""
    me = await bench.user()
    must_carry(await me.get(f"{WALKS}/{bench.walk_id()}"), 404, "NOT_FOUND")
    must_carry(await me.delete(bench.walk_id()), 404, "NOT_FOUND")


@CHECKS("errors.path", "a path that is not ASCII carries an error body too", walk_api("connections"), advice=True)
async def path(bench: Bench) -> None:
    """It never comes to a handler in some servers, and then the error is the server's own."""
    raw = "GET /v1/walks/散歩 HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n".encode()
    exchange = await bench.nobody.send_raw(raw, "GET", "/v1/walks/散歩")
    if exchange.status not in _CODES:
        raise Deviates(
            message("an answer {codes}", codes=", ".join(map(str, _CODES))), exchange.shown, exchange, Finding.STATUS
        )
    must_carry(exchange, exchange.status, _CODES[exchange.status])


@CHECKS("errors.json", "error bodies are JSON by their Content-Type")
async def json_type(bench: Bench) -> None:
    """As the app's decoder expects."""
    exchange = await bench.nobody.get(WALKS)
    if exchange.status != 401:
        raise NotExercised(message("it needs an answer {status}: {answer}", status="401", answer=exchange.shown))
    kind = exchange.headers.get("content-type", "none")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise Deviates("Content-Type application/json", kind, exchange)
