"""Tokens that are wrong in one way each, and what a target may make of a request with one. ``scenarios/checks/
tokens.yaml`` has most of them.

A mutation makes the headers of a request from a good token. What the contract refuses gets 401 on every call; what it
does not speak of may be taken or refused, but never breaks the target, and never shows or changes what is not of whom
the token names.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

import msgspec

from harness.checks.contract.rows import NOW, table, text
from harness.rehearsals.security.issuer import Issuer

Claims = dict[str, Any]
Headers = tuple[tuple[str, str], ...]
HOUR_S = 3600


class Expects(StrEnum):
    """What a target does with it."""

    REFUSED = "refused"  # 401, in the contract's form
    CLOSED = "closed"  # any 4xx, or the end of the connection: what may be no HTTP, or too large a head
    ODD = "odd"  # below 500; taken only as whom it names


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """What a mutation is made of. ``head`` and ``claims`` are those of ``token``, which is good; ``seal`` makes a token
    of any as its issuer does, which is ``issuer`` where it signs. ``now_s`` is the time since 1970. ``other`` is a good
    token of somebody else.
    """

    token: str
    other: str
    head: Claims
    claims: Claims
    seal: Callable[[object, object], str]
    now_s: int
    issuer: Issuer | None = None

    def with_claims(self, **changes: object) -> str:
        """Another token with other claims; ``...`` takes one out."""
        return self.seal(self.head, {name: each for name, each in (self.claims | changes).items() if each is not ...})


Make = Callable[[Material], Headers]


class Mutation(msgspec.Struct, frozen=True, kw_only=True):
    """``kind`` is what people read in the token's place. ``names_victim``: whom the token names is whose walks are
    looked at, so that an odd one may well show them. ``query`` is added to the path. ``advice``: no contract asks."""

    name: str
    kind: str
    make: Make
    expects: Expects = Expects.REFUSED
    names_victim: bool = True
    query: Callable[[Material], str] = lambda _: ""
    advice: bool = False


class MutationText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mutation as the file says it: the claims that are other or gone, the token, or the headers."""

    kind: str
    claims: dict[str, Any] = {}
    without: tuple[str, ...] = ()
    token: str = ""
    authorization: Any = None
    headers: tuple[tuple[str, str], ...] = ()
    query: str = ""
    expects: Expects = Expects.REFUSED
    advice: bool = False

    def made(self, of: Material) -> Headers:
        """The headers."""
        if self.claims or self.without:
            return bearer(of.with_claims(**_filled(self.claims, of), **dict.fromkeys(self.without, ...)))
        if self.token:
            return bearer(_filled(self.token, of))
        headers = self.headers if self.authorization is None else (("Authorization", text(self.authorization)),)
        return tuple((name, _filled(value, of)) for name, value in headers)


def bearer(token: str) -> Headers:
    """The header that carries a token."""
    return (("Authorization", f"Bearer {token}"),)


def _filled(value: Any, of: Material) -> Any:
    """With what stands for its places."""
    if isinstance(value, dict):
        return text(value) if "times" in value else {name: _filled(each, of) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, of) for each in value]
    if not isinstance(value, str):
        return value
    if now := NOW.fullmatch(value):
        return of.now_s + int(now[1])
    head, claims, signature = of.token.split(".")
    sub, project = str(of.claims["sub"]), str(of.claims["aud"])
    places = {"token": of.token, "other": of.other, "head": head, "claims": claims, "signature": signature, "sub": sub}
    places |= {"project": project, "SUB": sub.upper(), "PROJECT": project.upper()}
    return re.sub(r"\{(\w+)\}", lambda place: places[place[1]], value)


_TABLE = table("tokens.yaml", MutationText)


def _group(group: str) -> Iterator[Mutation]:
    for name, said in _TABLE[group].items():
        query = functools.partial(_filled, said.query)
        yield Mutation(
            name=name, kind=said.kind, make=said.made, expects=said.expects, names_victim=group != "named",
            query=query, advice=said.advice,
        )  # fmt: skip


def token(name: str, kind: str, made: Callable[[Material], str], expects: Expects = Expects.REFUSED) -> Mutation:
    """A mutation of the token alone."""
    return Mutation(name=name, kind=kind, make=lambda of: bearer(made(of)), expects=expects)


#: Headers in which a proxy says who calls.
SAID_USER = ("X-User-Id", "X-Forwarded-User", "X-Remote-User", "X-Goog-Authenticated-User-Id")
CARRIED = (*_group("carried"),)
FORMED = (
    *_group("formed"),
    token("no_json", "claims that are no JSON", lambda of: of.seal(of.head, b"sub=me")),
    token("claims_list", "claims that are a list", lambda of: of.seal(of.head, [of.claims])),
    token("claims_null", "claims that are null", lambda of: of.seal(of.head, None)),
    token("claims_text", "claims that are a text", lambda of: of.seal(of.head, "me")),
    token("claims_empty", "claims without any", lambda of: of.seal(of.head, {})),
    token("claims_deep", "claims that are nested 2,000 deep", lambda of: of.seal(of.head, b"[" * 2000 + b"]" * 2000)),
    token("claims_utf8", "claims that are no UTF-8", lambda of: of.seal(of.head, b'{"sub":"\xff\xfe"}')),
    token("head_list", "a head that is a list", lambda of: of.seal([of.head], of.claims)),
    token("head_no_json", "a head that is no JSON", lambda of: of.seal(b"RS256", of.claims)),
    token(
        "sub_twice", "two claims sub of two users",
        lambda of: of.seal(of.head, _twice(of.claims, "sub", "somebody-else")), Expects.ODD,
    ),
)  # fmt: skip


def _twice(claims: Claims, name: str, value: object) -> bytes:
    """The claims with one of them a second time."""
    whole = msgspec.json.encode(claims)
    return whole[:-1] + b"," + msgspec.json.encode({name: value})[1:]


CLAIMED = (*_group("claimed"),)
#: What any target is asked, of the emulator's users.
EMULATED = (*CARRIED, *FORMED, *CLAIMED, *_group("named"))
