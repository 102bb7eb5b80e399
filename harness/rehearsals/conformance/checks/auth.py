"""Every ``/v1`` call carries a Firebase ID token; one that is missing, malformed, expired or foreign gets 401."""

from __future__ import annotations

from harness.base.clock import NS, unix_ns
from harness.contract.bench import WALKS, Bench
from harness.contract.check import Checks, must, needs
from harness.contract.grade import Finding, walk_api
from harness.contract.people import changed

CHECKS = Checks(walk_api("authorization"), Finding.STATUS)

_MALFORMED = (
    "Bearer",
    "Bearer x",
    "Bearer a.b.c",
    "Bearer ..",
    "Bearer e30.e30.",
    "Basic dXNlcjpwYXNzd29yZA==",
    "nonsense",
)


@CHECKS("auth.missing", "a call without a token gets 401")
async def missing(bench: Bench) -> None:
    """Each of the five."""
    path = f"{WALKS}/{bench.walk_id()}"
    for method, where, body in (
        ("GET", WALKS, None),
        ("POST", WALKS, {"title": "散歩"}),
        ("GET", path, None),
        ("PUT", path, {"title": "散歩"}),
        ("DELETE", path, None),
    ):
        must(await bench.nobody.send(method, where, body), 401)


@CHECKS("auth.malformed", "a malformed token gets 401")
async def malformed(bench: Bench) -> None:
    """Other schemes, no token, no JWT, an empty one."""
    for value in _MALFORMED:
        must(await bench.nobody.send("GET", WALKS, headers={"Authorization": value}), 401)


@CHECKS("auth.good", "a good token is let in")
async def good(bench: Bench) -> None:
    """As the Auth emulator signs it in."""
    me = await bench.user()
    exchange = await me.get(WALKS)
    if exchange.status in (401, 403):
        must(exchange, 200)
    needs(exchange)


def _refused(id_: str, sentence: str, **claims: object) -> None:
    async def refused(bench: Bench) -> None:
        me = await bench.user()
        assert me.token is not None
        needs(await me.get(WALKS))
        must(await bench.with_token(changed(me.token, **claims)).get(WALKS), 401)

    CHECKS.add(id_, sentence, refused)


_refused("auth.audience", "a token for another project (aud) gets 401", aud="another-project")
_refused(
    "auth.issuer", "a token of another issuer (iss) gets 401", iss="https://securetoken.google.com/another-project"
)
_refused("auth.subject", "a token that names nobody (sub) gets 401", sub=None, user_id=None, uid=None)


@CHECKS("auth.expired", "an expired token gets 401")
async def expired(bench: Bench) -> None:
    """Two hours old; it lived one."""
    me = await bench.user()
    assert me.token is not None
    needs(await me.get(WALKS))
    now_s = unix_ns(bench.clock.anchor, bench.clock.now_ns()) // NS
    begun = now_s - 7200
    old = changed(me.token, iat=begun, auth_time=begun, exp=begun + 3600)
    must(await bench.with_token(old).get(WALKS), 401)
