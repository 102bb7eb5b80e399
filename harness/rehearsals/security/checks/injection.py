"""Texts that would be code somewhere: SQL, paths, headers, methods; and requests that two readers read differently."""

from __future__ import annotations

import itertools

from harness.checks.contract.check import (
    WALKS,
    Checks,
    ContractCaller,
    ContractClient,
    Deviates,
    must,
    must_be,
    must_not_fail,
)
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.run import DeviationKind, walk_api
from harness.model.message import message
from harness.rehearsals.security.checks.tokens import Victim
from harness.rehearsals.security.mutations import SAID_USER

CHECKS = Checks(walk_api("bad-requests"), DeviationKind.STATUS)

#: Each would do something, or show something, where texts are pasted into a statement.
_SQL = (
    "'; DROP TABLE walks; --",
    "' OR '1'='1",
    "x', description = (SELECT string_agg(id, ',') FROM users), status = 'completed",
    "$$; SELECT pg_sleep(30); $$",
    "%' UNION SELECT * FROM users --",
    "\\'; SELECT 1; --",
    "${jndi:ldap://127.0.0.1/a}",
    "{{7*7}}",
    "$(reboot)",
    "`id`",
)
_QUERIES = (
    "page=1;DROP TABLE walks",
    "page=1'--",
    "limit=20) OR 1=1",
    "sort=created_at;DROP TABLE walks&order=desc'",
    "user_id={other}",
    "page=1&user_id={other}&owner={other}",
    "filter[user_id]={other}",
    "fields=*&include=users",
)
_PATHS = (
    "/v1/walks/../../../../etc/passwd",
    "/v1/walks/..%2f..%2f..%2fetc%2fpasswd",
    "/v1/walks/%2e%2e/%2e%2e/etc/passwd",
    "/..%5c..%5cetc/passwd",
    "//etc/passwd",
    "/static/../api/settings.py",
    "/v1/walks/%00/etc/passwd",
    "/v1//walks/{walk}",
    "/v1/walks/{walk}/..;/{walk}",
    "/V1/WALKS/{walk}",
    "/v1/walks/{walk}/",
    "/v1/walks/{walk}%2f",
    "/v1/walks/{walk}.json",
    "/health/../v1/walks/{walk}",
    "/health;/v1/walks/{walk}",
)
_METHODS = ("TRACE", "OPTIONS", "PATCH", "HEAD", "CONNECT", "PROPFIND", "DELETE%20", "get")
_FILES = (b"root:x:0", b"DB_PASSWORD", b"from __future__")
_SLOWEST_S = 5.0  # an answer that takes longer ran the text
_SOON = message("an answer within {seconds} s", seconds=f"{_SLOWEST_S:g}")


_MORE_S = 1.0  # for another answer


async def _settled(bench: ContractClient) -> tuple[Victim, ContractCaller]:
    return await Victim(bench, await bench.user()).settle(), await bench.user()


def _nothing_told(victim: Victim, exchange: HttpExchange) -> None:
    if victim.told_in(exchange) or any(each in exchange.body for each in _FILES):
        raise Deviates(message("nothing of others, and of no file"), exchange.shown, exchange, DeviationKind.LEAK)


def _broke(exchange: HttpExchange) -> bool:
    """Whether an answer tells of a failure: 501 refuses a method or a coding that is not known (RFC 9110, 15.6.2)."""
    return exchange.status >= 500 and exchange.status != 501


def _taken_or_refused(exchange: HttpExchange) -> None:
    """Whether it left others served is asked behind it."""
    if _broke(exchange) or exchange.silent:
        wanted = message("an answer below 500, or the end of the connection")
        raise Deviates(wanted, exchange.shown, exchange, DeviationKind.STATUS)


@CHECKS("injection.sql.texts", "a text that is SQL is kept as the text that it is", finding=DeviationKind.EFFECT)
async def sql_texts(bench: ContractClient) -> None:
    """In every field that is a text; other walks stay."""
    victim, me = await _settled(bench)
    walk_id = bench.walk_id()
    for text in _SQL:
        begun_ns = bench.clock.now_ns()
        exchange = must(await me.put(walk_id, {"title": text, "description": text}), 200)
        line = await me.put(walk_id, {"polyline_data": text})
        if line.status != 400:  # which it may: it is no polyline
            must(line, 200)
        if (bench.clock.now_ns() - begun_ns) / 1e9 > _SLOWEST_S:
            raise Deviates(_SOON, message("one that took longer"), exchange)
        _nothing_told(victim, exchange)
        _nothing_told(victim, line)
        names = ("title", "description", *(("polyline_data",) if line.status == 200 else ()))
        held = await me.walk(walk_id)
        must_be(message("texts"), [text] * len(names), [held.get(name) for name in names], exchange)
    await victim.untouched(exchange)


@CHECKS("injection.sql.query", "a query that is SQL, or names another user, shows nothing of others")
async def sql_query(bench: ContractClient) -> None:
    """Parameters that no contract knows are as good as none, and so are headers that say who calls."""
    victim, me = await _settled(bench)
    asked = [query.format(other=victim.me.uid).replace(" ", "%20") for query in _QUERIES]
    said = dict.fromkeys(SAID_USER, victim.me.uid)
    for query, headers in (*((each, {}) for each in asked), ("page=1", said)):
        exchange = await me.send("GET", f"{WALKS}?{query}", headers=headers)
        _nothing_told(victim, exchange)
        must_not_fail(exchange)
        body = exchange.json()
        count = body.get("total_count", 0) if isinstance(body, dict) else 0
        must_be(message("the number of walks"), 0, count, exchange, DeviationKind.LEAK)
    await victim.untouched(exchange)


@CHECKS("injection.sql.path", "an id that is SQL gets 400, and does nothing")
async def sql_path(bench: ContractClient) -> None:
    """Behind a UUID too."""
    victim, me = await _settled(bench)
    for text in ("'%20OR%20'1'='1", f"{victim.walk_id}'%20OR%20'1'='1", f"{victim.walk_id};DROP%20TABLE%20walks"):
        for method, body in (("GET", None), ("PUT", {"title": "散歩"}), ("DELETE", None)):
            exchange = await me.send(method, f"{WALKS}/{text}", body)
            _nothing_told(victim, exchange)
            must(exchange, 400)
    await victim.untouched(exchange)


@CHECKS("injection.path", "a path that climbs shows no file, and nobody's walk")
async def paths(bench: ContractClient) -> None:
    """Asked without a token: what such a path reads must not be what a token is needed for."""
    victim, _ = await _settled(bench)
    for path in _PATHS:
        exchange = await bench.nobody.get(path.format(walk=victim.walk_id))
        _nothing_told(victim, exchange)
        must_not_fail(exchange)
    await victim.untouched(exchange)


@CHECKS(
    "injection.method", "other methods than the contract's answer no walk, and echo no header", walk_api("ownership")
)
async def methods(bench: ContractClient) -> None:
    """TRACE above all, which would echo a token to a script; without a token, and with a stranger's."""
    victim, stranger = await _settled(bench)
    for method in _METHODS:
        for caller in (bench.nobody, stranger):
            exchange = await caller.send(method, f"{WALKS}/{victim.walk_id}", headers={"X-Secret": victim.absent})
            _nothing_told(victim, exchange)
            if victim.absent.encode() in exchange.body or _broke(exchange):
                raise Deviates(message("a refusal that echoes nothing"), exchange.shown, exchange)
    await victim.untouched(exchange)


@CHECKS(
    "injection.method_override",
    "a header or a query cannot make another method of a request",
    finding=DeviationKind.EFFECT,
)
async def method_override(bench: ContractClient) -> None:
    """A GET is what links and images make."""
    victim, _ = await _settled(bench)
    names = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
    where = f"{WALKS}/{victim.walk_id}"
    exchange = must(await victim.me.send("GET", where, headers=dict.fromkeys(names, "DELETE")), 200)
    _taken_or_refused(await victim.me.send("GET", f"{where}?_method=DELETE"))
    await victim.untouched(exchange)


@CHECKS("injection.header", "what is sent cannot become a header of the answer", walk_api("errors"), DeviationKind.LEAK)
async def header(bench: ContractClient) -> None:
    """Line ends in a path, a query and a text, escaped as they may be."""
    victim, me = await _settled(bench)
    walk_id = bench.walk_id()
    exchanges = [
        await me.get(f"{WALKS}/%0d%0aX-Injected:%201"),
        await me.get(f"{WALKS}?page=1%0d%0aX-Injected:%201"),
        await me.get("/%0d%0aX-Injected:%201"),
        await me.post({"title": "x\r\nX-Injected: 1"}),
        await me.put(walk_id, {"title": "x\r\nX-Injected: 1"}),
        await me.send("GET", WALKS, headers={"X-Request-Id": "a\rX-Injected: 1", "Origin": "null\nX-Injected: 1"}),
    ]
    for exchange in exchanges:
        if "x-injected" in exchange.headers or _broke(exchange):
            raise Deviates(message("no header X-Injected, and no 5xx"), exchange.shown, exchange)
        _taken_or_refused(exchange)
    await victim.untouched(exchange)


@CHECKS("injection.nul", "NUL in a path, a query or a header never answers 5xx")
async def nul(bench: ContractClient) -> None:
    """Where a language of C ends a text."""
    victim, _ = await _settled(bench)
    where = f"{WALKS}/{victim.walk_id}"
    exchanges = [
        await bench.nobody.get(f"{where}%00.json"),
        await victim.me.get(f"{WALKS}?page=1%00"),
        await victim.me.send("GET", where, headers={"Accept": "application/json\x00"}),
    ]
    for exchange in exchanges:
        _taken_or_refused(exchange)
    await victim.untouched(exchange)


@CHECKS(
    "injection.cors",
    "no answer lets scripts of any origin read it with credentials",
    walk_api("errors"),
    DeviationKind.LEAK,
)
async def cors(bench: ContractClient) -> None:
    """The app is no page; whoever reflects the origin, be it that of a page in a sandbox, opens the API to every page
    that is visited. One origin that is told to everybody opens it to that one alone."""
    victim, _ = await _settled(bench)
    for origin, method in itertools.product(("https://evil.invalid", "null"), ("GET", "OPTIONS")):
        headers = {"Origin": origin, "Access-Control-Request-Method": "DELETE"}
        exchange = await victim.me.send(method, f"{WALKS}/{victim.walk_id}", headers=headers)
        allowed = exchange.headers.get("access-control-allow-origin", "")
        if allowed == origin or (allowed == "*" and exchange.headers.get("access-control-allow-credentials")):
            raise Deviates(message("no such header"), f"Access-Control-Allow-Origin: {allowed}", exchange)
        _taken_or_refused(exchange)
    await victim.untouched(exchange)


@CHECKS(
    "injection.cached",
    "a walk is not told to be kept by caches that others share",
    walk_api("read"),
    DeviationKind.LEAK,
    advice=True,
)
async def cached(bench: ContractClient) -> None:
    """Without Cache-Control a shared cache keeps no answer to a request with Authorization (RFC 9111, 3.5), and none
    that is private or not to be stored, whatever else is said (3)."""
    victim, _ = await _settled(bench)
    exchange = must(await victim.me.get(f"{WALKS}/{victim.walk_id}"), 200)
    told = exchange.headers.get("cache-control", "")
    said = {each.partition("=")[0].strip().lower() for each in told.split(",")}
    if said & {"public", "s-maxage", "must-revalidate"} and not said & {"private", "no-store"}:
        raise Deviates(message("no leave to keep it"), f"Cache-Control: {told}", exchange)


@CHECKS("injection.smuggled", "a request hidden in another's body is not answered", walk_api("connections"))
async def smuggled(bench: ContractClient) -> None:
    """Two lengths, or a length and chunks: whatever is read, it is one request and one answer. A coding that is not
    known is refused by 501 (RFC 9112, 6.1). What is behind the chunks is in no body (6.3): Go's own server goes on with
    it.
    """
    hidden = b"GET /health HTTP/1.1\r\nHost: api\r\nX-Smuggled: 1\r\n\r\n"
    start = b"POST /v1/walks HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"
    framings = (
        (b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % (5 + len(hidden)), b"0\r\n\r\n" + hidden),
        (b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(hidden), hidden),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"0\r\n\r\n" + hidden),
    )
    for number, (framing, body) in enumerate(framings):
        raw, more_s = start + framing + b"\r\n" + body, _MORE_S if number else 0.0
        exchange = await bench.nobody.send_raw(raw, "POST", "(two framings)", more_s=more_s)
        if exchange.silent or _broke(exchange) or exchange.status == 200:
            raise Deviates(message("one refusal (4xx), or the end of the connection"), exchange.shown, exchange)
        if exchange.more and more_s:
            raise Deviates(message("one answer"), message("another behind it"), exchange, DeviationKind.EFFECT)
    must_not_fail(await bench.nobody.get(WALKS))
