"""A request with a token that is wrong in one way, on every call of the contract: refused, nothing shown or changed.

Tokens whose signature is wrong in one way each: what only a target that verifies signatures can refuse. Pure.

Against the Auth emulator nobody verifies one: its tokens carry none, and Firebase's own libraries look at none there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from harness.base.clock import NS, unix_ns
from harness.checks.contract.check import (
    WALKS,
    Checks,
    ContractCaller,
    ContractClient,
    Deviates,
    must,
    must_be,
    must_carry,
    needs,
)
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.people import opened, part
from harness.checks.contract.run import DeviationKind, walk_api
from harness.checks.contract.shape import of_contract
from harness.model.message import message
from harness.rehearsals.security.ground import of
from harness.rehearsals.security.issuer import Issuer
from harness.rehearsals.security.mutations import (
    CARRIED,
    CLAIMED,
    EMULATED,
    FORMED,
    HOUR_S,
    Claims,
    Expects,
    Material,
    Mutation,
    token,
)


def _by(name: str, kind: str, made: Callable[[Material, Issuer], str], expects: Expects = Expects.REFUSED) -> Mutation:
    def of_issuer(of: Material) -> str:
        assert of.issuer is not None
        return made(of, of.issuer)

    return token(name, kind, of_issuer, expects)


def _head(name: str, kind: str, **changes: object) -> Mutation:
    """Signed by the right key under another head; ``...`` takes a field out."""
    return _by(name, kind, lambda of, issuer: issuer.seal(_changed(of, **changes), of.claims))


def _none(name: str, alg: str) -> Mutation:
    return _by(name, f"alg {alg}, no signature", lambda of, _: _unsigned(_changed(of, alg=alg), of.claims))


def _changed(of: Material, **changes: object) -> Claims:
    return {name: each for name, each in (of.head | changes).items() if each is not ...}


def _unsigned(head: object, claims: object, signature: str = "") -> str:
    return f"{part(head)}.{part(claims)}.{signature}"


def _signature(of: Material) -> str:
    return of.token.split(".")[2]


SIGNED = (
    _none("none", "none"),
    _none("none_capitals", "NONE"),
    _none("none_mixed", "nOnE"),
    _by("none_no_kid", "as the emulator makes it", lambda of, _: _unsigned({"alg": "none", "typ": "JWT"}, of.claims)),
    _by("hs256_certificate", "HS256 by the public certificate",
        lambda of, by: by.by_public_key(_changed(of, alg="HS256"), of.claims)),
    _by("hs256_public_key", "HS256 by the public key",
        lambda of, by: by.by_modulus(_changed(of, alg="HS256"), of.claims)),
    _by("hs256_empty", "HS256 by an empty secret",
        lambda of, by: by.by_secret(_changed(of, alg="HS256"), of.claims, b"")),
    _by("hs256_kid", "HS256 by the key's name", lambda of, by: by.by_secret(
        _changed(of, alg="HS256"), of.claims, str(of.head["kid"]).encode())),
    _by("other_key", "RS256 by another key", lambda of, by: by.by_other_key(of.head, of.claims)),
    _by("jwk", "RS256 by another key, which the head holds",
        lambda of, by: by.by_other_key(_changed(of, jwk=by.jwk_of_strangers()), of.claims)),
    _by("jku", "RS256 by another key, where the head says that keys are",
        lambda of, by: by.by_other_key(_changed(of, jku=by.url_of_strangers), of.claims)),
    _by("x5u", "RS256 by another key, where the head says that certificates are",
        lambda of, by: by.by_other_key(_changed(of, x5u=by.url_of_strangers), of.claims)),
    _by("rs512", "RS512 by the right key", lambda of, by: by.with_hash(_changed(of, alg="RS512"), of.claims, "512")),
    _by("rs384", "RS384 under alg RS256", lambda of, by: by.with_hash(of.head, of.claims, "384")),
    _head("alg_absent", "no alg", alg=...),
    _head("alg_list", "alg that is a list", alg=["RS256"]),
    _head("alg_number", "alg that is a number", alg=256),
    _head("kid_absent", "no kid", kid=...),
    _head("kid_unknown", "kid of no key", kid="another"),
    _head("kid_path", "kid that is a path", kid="../../../../dev/null"),
    _head("kid_sql", "kid that is a condition of SQL", kid="x' OR '1'='1"),
    _head("kid_number", "kid that is a number", kid=1),
    _head("kid_list", "kid that is a list", kid=["rehearsal-1"]),
    _by("stripped", "a token without its signature", lambda of, _: of.token.removesuffix(_signature(of))),
    _by("of_other_token", "the signature of another token", lambda of, _: of.token.removesuffix(_signature(of))
        + of.other.split(".")[2]),
    _by("bit", "a signature with one bit flipped", lambda of, _: of.token.removesuffix(_signature(of))
        + ("B" if _signature(of)[0] == "A" else "A") + _signature(of)[1:]),
    _by("zeros", "a signature of zeros", lambda of, _: _unsigned(of.head, of.claims, part(bytes(256)))),
    _by("changed", "changed claims under the old signature", lambda of, _: _unsigned(
        of.head, of.claims | {"admin": True}, _signature(of))),
    _by("grown", "a changed exp under the old signature", lambda of, _: _unsigned(
        of.head, of.claims | {"exp": of.now_s + 365 * 24 * 3600}, _signature(of))),
)  # fmt: skip

#: What a target that verifies signatures is asked.
IN_PRODUCTION = (*SIGNED, *CARRIED, *FORMED, *CLAIMED)


SOURCE = walk_api("authorization")
CHECKS = Checks(SOURCE, DeviationKind.STATUS)
PRODUCTION = Checks(SOURCE, DeviationKind.STATUS)

_SENTENCES = {
    Expects.REFUSED: "{kind}: 401 on every call, and nothing shown or changed",
    Expects.CLOSED: "{kind}: refused on every call, and nothing shown or changed",
    Expects.ODD: "{kind}: no call answers 5xx, or shows or changes what is not of whom the token names",
}
_LEFT_S = 20  # until the end of a token that is near it
_FORGIVEN_S = 300  # past a token's end
_HIDDEN_FROM = 12  # characters of a header's value: shorter ones hold no token


class Victim:
    """A user with one walk, which holds a secret, and an id that names no walk."""

    def __init__(self, bench: ContractClient, me: ContractCaller) -> None:
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

    def told_in(self, exchange: HttpExchange) -> bool:
        """Whether an answer shows the walk."""
        return self.secret.encode() in exchange.body

    async def untouched(self, exchange: HttpExchange) -> None:
        """Deviates when the walk is not as it was, or another has come; ``exchange`` is what was asked before."""
        found = await self.me.get(f"{WALKS}/{self.walk_id}")
        must_be(
            message("the walk"),
            of_contract(self._before),
            of_contract(found.json()) if found.status == 200 else found.shown,
            exchange,
            DeviationKind.EFFECT,
        )
        absent = await self.me.get(f"{WALKS}/{self.absent}")
        must_be(message("status of a walk that nobody made"), 404, absent.status, exchange, DeviationKind.EFFECT)
        listed = (await self.me.get(WALKS)).json()
        count = listed.get("total_count") if isinstance(listed, dict) else None
        must_be(message("the number of walks"), 1, count, exchange, DeviationKind.EFFECT)


async def material(bench: ContractClient, me: ContractCaller) -> Material:
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


def _now_s(bench: ContractClient) -> int:
    return unix_ns(bench.clock.anchor, bench.clock.now_ns()) // NS


async def ask(
    bench: ContractClient, mutation: Mutation, made_of: Material, call: tuple[str, str, object]
) -> HttpExchange:
    """One request with the mutated token, of which its kind alone is shown."""
    method, path, body = call
    headers, query = mutation.make(made_of), mutation.query(made_of)
    kind = f"<{mutation.kind}>"
    hidden = tuple((value, kind) for _, value in headers if len(value) > _HIDDEN_FROM)
    hidden += ((query, kind),) if query else ()
    where = f"{path}?{query}" if query else path
    return await bench.nobody.send(method, where, body, headers, hidden=hidden)


def _answered(mutation: Mutation, victim: Victim, exchange: HttpExchange) -> None:
    """Deviates for an answer that the mutation must not get; what is shown is the worst of it."""
    odd = mutation.expects is Expects.ODD
    if victim.told_in(exchange) and not (odd and mutation.names_victim):
        raise Deviates(message("nothing of the walk"), message("its description"), exchange, DeviationKind.LEAK)
    if odd:
        if not 200 <= exchange.status < 500:
            raise Deviates(message("an answer below 500"), exchange.shown, exchange, DeviationKind.STATUS)
    elif mutation.expects is Expects.CLOSED:
        if exchange.silent or not (exchange.status == 0 or 400 <= exchange.status < 500):
            raise Deviates(
                message("a refusal (4xx), or the end of the connection"), exchange.shown, exchange, DeviationKind.STATUS
            )
    else:
        must(exchange, 401)
        must_carry(exchange, 401, "UNAUTHORIZED")


def _fetched(made_of: Material) -> int:
    return 0 if made_of.issuer is None else made_of.issuer.asked_by_token


def _add(checks: Checks, prefix: str, mutations: Iterable[Mutation]) -> None:
    def one(mutation: Mutation) -> None:
        sentence = _SENTENCES[mutation.expects].format(kind=mutation.kind)

        @checks(f"{prefix}.{mutation.name}", sentence, advice=mutation.advice)
        async def held(bench: ContractClient) -> None:
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
            must_be(message("requests to an address that a token named"), 0, fetched, exchange, DeviationKind.EFFECT)

    for mutation in mutations:
        one(mutation)


_add(CHECKS, "token", EMULATED)
_add(PRODUCTION, "production", IN_PRODUCTION)


@CHECKS("token.good", "a good token is let in, and shows its user's walk")
@PRODUCTION("production.good", "a good token is let in, and shows its user's walk")
async def good(bench: ContractClient) -> None:
    """Whoever refuses everybody would keep every other sentence here."""
    victim = await Victim(bench, await bench.user()).settle()
    exchange = must(await victim.me.get(f"{WALKS}/{victim.walk_id}"), 200)
    must_be(message("whether the walk is shown"), True, victim.told_in(exchange), exchange, DeviationKind.BODY)


@CHECKS("token.expires_in_use", "a token that expires after it was taken gets 401 from then on")
async def expires_in_use(bench: ContractClient) -> None:
    """A target may remember whom it has verified, no longer than the token says. What clocks may differ in is forgiven
    (Firebase's libraries for Go and .NET: five minutes): how much is asked with tokens that it never saw.
    """
    made_of = await material(bench, await bench.user())

    def expired(ago_s: int) -> ContractCaller:
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


@CHECKS("token.near_its_end", "a token that ends in 20 s is good on every call until then")
async def near_its_end(bench: ContractClient) -> None:
    """A phone renews its token by its own clock, and sends the old one to its last second."""
    victim = await Victim(bench, await bench.user()).settle()
    end = _now_s(bench) + _LEFT_S
    claims = {"iat": end - HOUR_S, "auth_time": end - HOUR_S, "exp": end}
    last = bench.with_token((await material(bench, victim.me)).with_claims(**claims))
    walk = f"{WALKS}/{victim.walk_id}"
    for method, path, body in (("GET", WALKS, None), ("GET", walk, None), ("PUT", walk, {"title": "夜の散歩"})):
        must(await last.send(method, path, body), 200)
    must(await last.post({"title": "散歩"}), bench.rule("create.status"))
    must(await last.send("DELETE", walk, None), bench.rule("delete.status"))


@CHECKS(
    "token.nobody_written",
    "a user whose tokens were all refused has no row in PostgreSQL",
    finding=DeviationKind.EFFECT,
)
async def nobody_written(bench: ContractClient) -> None:
    """Whoever is written before the whole token was looked at is."""
    ghost = await bench.user()
    made_of = await material(bench, ghost)
    for wrong in (made_of.with_claims(aud="another-project"), made_of.with_claims(exp=made_of.now_s - 7200)):
        exchange = needs(await bench.with_token(wrong).post({"title": "散歩"}), 401)
    must_be(message("rows of the user"), 0, await bench.user_rows(ghost.uid), exchange, DeviationKind.EFFECT)
