"""Tokens whose signature is wrong in one way each: what only a target that verifies signatures can refuse. Pure.

Against the Auth emulator nobody verifies one: its tokens carry none, and Firebase's own libraries look at none there.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.contract.people import part
from harness.rehearsals.security.issuer import Issuer
from harness.rehearsals.security.mutations import CARRIED, CLAIMED, FORMED, Claims, Expects, Material, Mutation, token


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
