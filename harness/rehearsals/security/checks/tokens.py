"""A request with a token that is wrong in one way, on every call of the contract: refused, nothing shown or changed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from harness.base.clock import NS, unix_ns
from harness.contract.bench import WALKS, Bench, Caller
from harness.contract.check import Checks, Deviates, must, must_be, must_carry, needs
from harness.contract.grade import Finding, walk_api
from harness.contract.http import Exchange
from harness.contract.people import opened
from harness.contract.shape import of_contract
from harness.model.message import message
from harness.rehearsals.security.ground import of
from harness.rehearsals.security.mutations import EMULATED, HOUR_S, Expects, Material, Mutation
from harness.rehearsals.security.signatures import IN_PRODUCTION

SOURCE = walk_api("authorization")
CHECKS = Checks(SOURCE, Finding.STATUS)
PRODUCTION = Checks(SOURCE, Finding.STATUS)

_SENTENCES = {
    Expects.REFUSED: "{kind}: 401 on every call, and nothing shown or changed",
    Expects.CLOSED: "{kind}: refused on every call, and nothing shown or changed",
    Expects.ODD: "{kind}: no call answers 5xx, or shows or changes what is not of whom the token names",
}
_FORGIVEN_S = 300  # past a token's end
_HIDDEN_FROM = 12  # characters of a header's value: shorter ones hold no token


class Victim:
    """A user with one walk, which holds a secret, and an id that names no walk."""

    def __init__(self, bench: Bench, me: Caller) -> None:
        self.me = me
        self.walk_id, self.absent, self.secret = (bench.walk_id() for _ in range(3))
        self._before: object = None

    async def settle(self) -> Victim:
        """Makes the walk."""
        await self.me.put_walk(self.walk_id, {"title": "散歩", "description": self.secret})
        self._before = await self.me.walk(self.walk_id)
        return self

    def calls(self) -> tuple[tuple[str, str, object], ...]:
        """Every call of the contract that needs a token; what writes comes last."""
        walk = f"{WALKS}/{self.walk_id}"
        return (
            ("GET", WALKS, None),
            ("GET", walk, None),
            ("POST", WALKS, {"title": "乗っ取り"}),
            ("PUT", walk, {"title": "乗っ取り"}),
            ("PUT", f"{WALKS}/{self.absent}", {"title": "乗っ取り"}),
            ("DELETE", walk, None),
        )

    def told_in(self, exchange: Exchange) -> bool:
        """Whether an answer shows the walk."""
        return self.secret.encode() in exchange.body

    async def untouched(self, exchange: Exchange) -> None:
        """Deviates when the walk is not as it was, or another has come; ``exchange`` is what was asked before."""
        found = await self.me.get(f"{WALKS}/{self.walk_id}")
        must_be(
            message("the walk"),
            of_contract(self._before),
            of_contract(found.json()) if found.status == 200 else found.shown,
            exchange,
            Finding.EFFECT,
        )
        absent = await self.me.get(f"{WALKS}/{self.absent}")
        must_be(message("status of a walk that nobody made"), 404, absent.status, exchange, Finding.EFFECT)
        listed = (await self.me.get(WALKS)).json()
        count = listed.get("total_count") if isinstance(listed, dict) else None
        must_be(message("the number of walks"), 1, count, exchange, Finding.EFFECT)


async def material(bench: Bench, me: Caller) -> Material:
    """What mutations of the token of ``me`` are made of."""
    other = await bench.user()
    assert me.token is not None
    assert other.token is not None
    head, claims = opened(me.token)
    return Material(
        token=me.token,
        other=other.token,
        head=head,
        claims=claims,
        seal=bench.ground.reach.seal,
        now_s=_now_s(bench),
        issuer=of(bench).issuer,
    )


def _now_s(bench: Bench) -> int:
    return unix_ns(bench.clock.anchor, bench.clock.now_ns()) // NS


async def ask(bench: Bench, mutation: Mutation, made_of: Material, call: tuple[str, str, object]) -> Exchange:
    """One request with the mutated token, of which its kind alone is shown."""
    method, path, body = call
    headers, query = mutation.make(made_of), mutation.query(made_of)
    kind = f"<{mutation.kind}>"
    hidden = tuple((value, kind) for _, value in headers if len(value) > _HIDDEN_FROM)
    hidden += ((query, kind),) if query else ()
    where = f"{path}?{query}" if query else path
    return await bench.nobody.send(method, where, body, headers, hidden=hidden)


def _answered(mutation: Mutation, victim: Victim, exchange: Exchange) -> None:
    """Deviates for an answer that the mutation must not get; what is shown is the worst of it."""
    odd = mutation.expects is Expects.ODD
    if victim.told_in(exchange) and not (odd and mutation.names_victim):
        raise Deviates(message("nothing of the walk"), message("its description"), exchange, Finding.LEAK)
    if odd:
        if not 200 <= exchange.status < 500:
            raise Deviates(message("an answer below 500"), exchange.shown, exchange, Finding.STATUS)
    elif mutation.expects is Expects.CLOSED:
        if exchange.silent or not (exchange.status == 0 or 400 <= exchange.status < 500):
            raise Deviates(
                message("a refusal (4xx), or the end of the connection"), exchange.shown, exchange, Finding.STATUS
            )
    else:
        must(exchange, 401)
        must_carry(exchange, 401, "UNAUTHORIZED")


def _fetched(made_of: Material) -> int:
    return 0 if made_of.issuer is None else made_of.issuer.asked_by_token


def _add(checks: Checks, prefix: str, mutations: Iterable[Mutation]) -> None:
    def one(mutation: Mutation) -> None:
        async def held(bench: Bench) -> None:
            victim = await Victim(bench, await bench.user()).settle()
            made_of = await material(bench, victim.me)
            fetched_before = _fetched(made_of)
            for call in victim.calls():
                exchange = await ask(bench, mutation, made_of, call)
                _answered(mutation, victim, exchange)
            if not (mutation.expects is Expects.ODD and mutation.names_victim):
                await victim.untouched(exchange)
            if mutation.expects is Expects.REFUSED and not mutation.query(made_of):
                must(await ask(bench, mutation, made_of, ("GET", "/health", None)), 200)
                ready = partial(ask, bench, mutation, made_of, ("GET", "/ready", None))
                must(await bench.once_ready(ready), 200)
            fetched = _fetched(made_of) - fetched_before
            must_be(message("requests to an address that a token named"), 0, fetched, exchange, Finding.EFFECT)

        sentence = _SENTENCES[mutation.expects].format(kind=mutation.kind)
        checks.add(f"{prefix}.{mutation.name}", sentence, held, advice=mutation.advice)

    for mutation in mutations:
        one(mutation)


_add(CHECKS, "token", EMULATED)
_add(PRODUCTION, "production", IN_PRODUCTION)


async def _good(bench: Bench) -> None:
    """Whoever refuses everybody would keep every other sentence here."""
    victim = await Victim(bench, await bench.user()).settle()
    exchange = must(await victim.me.get(f"{WALKS}/{victim.walk_id}"), 200)
    must_be(message("whether the walk is shown"), True, victim.told_in(exchange), exchange, Finding.BODY)


CHECKS.add("token.good", "a good token is let in, and shows its user's walk", _good)
PRODUCTION.add("production.good", "a good token is let in, and shows its user's walk", _good)


@CHECKS("token.expires_in_use", "a token that expires after it was taken gets 401 from then on")
async def expires_in_use(bench: Bench) -> None:
    """A target may remember whom it has verified, no longer than the token says. What clocks may differ in is forgiven
    (Firebase's libraries for Go and .NET: five minutes): how much is asked with tokens that it never saw.
    """
    made_of = await material(bench, await bench.user())

    def expired(ago_s: int) -> Caller:
        end = _now_s(bench) - ago_s
        return bench.with_token(made_of.with_claims(iat=end - HOUR_S, auth_time=end - HOUR_S, exp=end))

    taken_s, refused_s = -3, _FORGIVEN_S + 10
    must(await expired(taken_s).get(WALKS), 200)
    must(await expired(refused_s).get(WALKS), 401)
    while refused_s - taken_s > 1:
        middle_s = (taken_s + refused_s) // 2
        taken = must(await expired(middle_s).get(WALKS), 200, 401).status == 200
        taken_s, refused_s = (middle_s, refused_s) if taken else (taken_s, middle_s)
    soon = expired(taken_s - 3)
    must(await soon.get(WALKS), 200)
    await bench.clock.sleep(5.5)  # 2.5 s past it: each of the two clocks may be a second on
    exchange = must(await soon.get(WALKS), 401)
    must_carry(exchange, 401, "UNAUTHORIZED")


@CHECKS("token.nobody_written", "a user whose tokens were all refused has no row in PostgreSQL", finding=Finding.EFFECT)
async def nobody_written(bench: Bench) -> None:
    """Whoever is written before the whole token was looked at is."""
    ghost = await bench.user()
    made_of = await material(bench, ghost)
    for token in (made_of.with_claims(aud="another-project"), made_of.with_claims(exp=made_of.now_s - 7200)):
        exchange = needs(await bench.with_token(token).post({"title": "散歩"}), 401)
    must_be(message("rows of the user"), 0, await bench.user_rows(ghost.uid), exchange, Finding.EFFECT)
