"""Tokens that are wrong in one way each, and what a target may make of a request with one. Pure.

A mutation makes the headers of a request from a good token. What the contract refuses gets 401 on every call; what it
does not speak of may be taken or refused, but never breaks the target, and never shows or changes what is not of whom
the token names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

import msgspec

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

    @property
    def project(self) -> str:
        """The project that the token is for."""
        return str(self.claims["aud"])

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


def bearer(token: str) -> Headers:
    """The header that carries a token."""
    return (("Authorization", f"Bearer {token}"),)


def _header(name: str, kind: str, value: Callable[[Material], str], expects: Expects = Expects.REFUSED) -> Mutation:
    return Mutation(name=name, kind=kind, make=lambda of: (("Authorization", value(of)),), expects=expects)


def token(
    name: str,
    kind: str,
    made: Callable[[Material], str],
    expects: Expects = Expects.REFUSED,
    *,
    names_victim: bool = True,
    advice: bool = False,
) -> Mutation:
    """A mutation of the token alone."""
    return Mutation(
        name=name, kind=kind, make=lambda of: bearer(made(of)), expects=expects, names_victim=names_victim,
        advice=advice,
    )  # fmt: skip


def _claims(
    name: str, kind: str, expects: Expects = Expects.REFUSED, *, advice: bool = False, **claims: object
) -> Mutation:
    return token(name, kind, lambda of: of.with_claims(**claims), expects, advice=advice)


def _of(name: str, kind: str, claims: Callable[[Material], Claims], *, advice: bool = False) -> Mutation:
    """Refused claims that depend on the project or the time."""
    return token(name, kind, lambda of: of.with_claims(**claims(of)), advice=advice)


def _parts(of: Material) -> Sequence[str]:
    return of.token.split(".")


#: Headers in which a proxy says who calls.
SAID_USER = ("X-User-Id", "X-Forwarded-User", "X-Remote-User", "X-Goog-Authenticated-User-Id")
#: How the header carries it.
CARRIED = (
    Mutation(name="absent", kind="no Authorization header", make=lambda _: ()),
    _header("empty", "an empty Authorization header", lambda _: ""),
    _header("scheme_alone", "the scheme without a token", lambda _: "Bearer"),
    _header("no_scheme", "a good token without a scheme", lambda of: of.token),
    _header("basic", "a good token as Basic", lambda of: f"Basic {of.token}"),
    _header("other_scheme", "a good token under the scheme Token", lambda of: f"Token {of.token}"),
    _header("joined", "scheme and token without a space", lambda of: f"Bearer{of.token}"),
    _header("quoted", "a good token in quotation marks", lambda of: f'Bearer "{of.token}"'),
    _header("listed", "two good tokens in one header", lambda of: f"Bearer {of.token}, Bearer {of.other}"),
    _header("cut", "a good token with a space in its midst", lambda of: f"Bearer {of.token[:40]} {of.token[40:]}"),
    _header("not_ascii", "a token that is not ASCII", lambda _: "Bearer 散.歩.道"),
    _header("lower_case", "a good token under the scheme bearer", lambda of: f"bearer {of.token}", Expects.ODD),
    _header("two_spaces", "a good token after two spaces", lambda of: f"Bearer  {of.token}", Expects.ODD),
    _header("space_after", "a good token before a space and a tab", lambda of: f"Bearer {of.token} \t", Expects.ODD),
    _header("nul", "a good token with a NUL behind it", lambda of: f"Bearer {of.token}\x00", Expects.CLOSED),
    _header("huge", "a token of 64 KiB", lambda _: f"Bearer {'a' * 65536}", Expects.CLOSED),
    Mutation(
        name="query", kind="no header, a good token in the query", make=lambda _: (),
        query=lambda of: f"access_token={of.token}&token={of.token}",
    ),
    Mutation(
        name="cookie", kind="no header, a good token in cookies",
        make=lambda of: (("Cookie", f"token={of.token}; __session={of.token}; Authorization={of.token}"),),
    ),
    Mutation(
        name="other_headers", kind="a good token in other headers than Authorization",
        make=lambda of: tuple(
            (name, f"Bearer {of.token}")
            for name in ("Proxy-Authorization", "X-Authorization", "X-Forwarded-Authorization")
        ),
    ),
    Mutation(
        name="said_user", kind="no token, headers that say who calls",
        make=lambda of: tuple((name, str(of.claims["sub"])) for name in SAID_USER),
    ),
    Mutation(
        name="two_headers", kind="two Authorization headers, the first good", expects=Expects.REFUSED, advice=True,
        make=lambda of: (*bearer(of.token), *bearer("a.b.c")),
    ),
    Mutation(
        name="two_users", kind="two Authorization headers of two users", expects=Expects.REFUSED, advice=True,
        make=lambda of: (*bearer(of.other), *bearer(of.token)),
    ),
)  # fmt: skip

#: What a token is made of.
FORMED = (
    token("one_part", "one part of a token", lambda of: _parts(of)[1]),
    token("two_parts", "head and claims without a third part", lambda of: ".".join(_parts(of)[:2])),
    token("four_parts", "a token with a fourth part", lambda of: f"{of.token}.{_parts(of)[1]}"),
    token("five_parts", "a token in five parts, as an encrypted one", lambda of: f"{of.token}..{_parts(of)[1]}"),
    token("no_parts", "three empty parts", lambda _: ".."),
    token("swapped", "claims before head", lambda of: ".".join((_parts(of)[1], _parts(of)[0], _parts(of)[2]))),
    token("head_twice", "the head in the place of the claims", lambda of: f"{_parts(of)[0]}.{_parts(of)[0]}."),
    token("claims_last", "the claims in the place of the signature", lambda of: f"{_parts(of)[0]}..{_parts(of)[1]}"),
    token("no_base64", "claims that are no base64", lambda of: f"{_parts(of)[0]}.!!!!."),
    token("no_json", "claims that are no JSON", lambda of: of.seal(of.head, b"sub=me")),
    token("claims_list", "claims that are a list", lambda of: of.seal(of.head, [of.claims])),
    token("claims_null", "claims that are null", lambda of: of.seal(of.head, None)),
    token("claims_text", "claims that are a text", lambda of: of.seal(of.head, "me")),
    token("claims_empty", "claims without any", lambda of: of.seal(of.head, {})),
    token("claims_deep", "claims that are nested 2,000 deep", lambda of: of.seal(of.head, b"[" * 2000 + b"]" * 2000)),
    token("claims_utf8", "claims that are no UTF-8", lambda of: of.seal(of.head, b'{"sub":"\xff\xfe"}')),
    token("head_list", "a head that is a list", lambda of: of.seal([of.head], of.claims)),
    token("head_no_json", "a head that is no JSON", lambda of: of.seal(b"RS256", of.claims)),
    token("opaque", "an opaque access token of Google's", lambda _: "ya29.a0AfH6SMB-not-a-real-one"),
    token(
        "sub_twice", "two claims sub of two users",
        lambda of: of.seal(of.head, _twice(of.claims, "sub", "somebody-else")), Expects.ODD,
    ),
)  # fmt: skip


def _twice(claims: Claims, name: str, value: object) -> bytes:
    """The claims with one of them a second time."""
    whole = msgspec.json.encode(claims)
    return whole[:-1] + b"," + msgspec.json.encode({name: value})[1:]


#: Whose it is, for whom, and when.
CLAIMED = (
    _claims("aud_other", "aud of another project", aud="another-project"),
    _claims("aud_absent", "no aud", aud=...),
    _claims("aud_number", "aud that is a number", aud=1234567890),
    _of("aud_list", "aud that is a list with the project", lambda of: {"aud": [of.project, "another-project"]}),
    _of("aud_space", "aud with a space behind it", lambda of: {"aud": f"{of.project} "}),
    _of("aud_case", "aud in capitals", lambda of: {"aud": of.project.upper()}),
    _claims("iss_other", "iss of another project", iss="https://securetoken.google.com/another-project"),
    _claims("iss_absent", "no iss", iss=...),
    _claims("iss_google", "iss of Google's own accounts", iss="https://accounts.google.com"),
    _of("iss_session", "iss of session cookies", lambda of: {"iss": f"https://session.firebase.google.com/{of.project}"}),
    _of("iss_http", "iss without TLS", lambda of: {"iss": f"http://securetoken.google.com/{of.project}"}),
    _of("iss_slash", "iss with a slash behind it", lambda of: {"iss": f"https://securetoken.google.com/{of.project}/"}),
    _of("iss_longer", "iss that begins with the right one", lambda of: {"iss": f"https://securetoken.google.com/{of.project}-2"}),
    _of("custom", "a custom token, as a server makes it", lambda of: {
        "iss": "firebase-adminsdk@x.iam.gserviceaccount.com", "sub": "firebase-adminsdk@x.iam.gserviceaccount.com",
        "aud": "https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit",
        "uid": of.claims["sub"],
    }),
    _of("exp_past", "exp two hours ago", lambda of: {
        "iat": of.now_s - 3 * HOUR_S, "auth_time": of.now_s - 3 * HOUR_S, "exp": of.now_s - 2 * HOUR_S,
    }),
    _claims("exp_absent", "no exp", exp=...),
    _claims("exp_text", "exp that is a text", exp="tomorrow"),
    _claims("exp_null", "exp that is null", exp=None),
    _claims("exp_list", "exp that is a list", exp=[]),
    _claims("exp_zero", "exp that is 0", exp=0),
    _claims("exp_negative", "exp below 0", exp=-1),
    _claims("exp_true", "exp that is true", exp=True),
    _claims("exp_huge", "exp beyond every integer", Expects.ODD, exp=1e300),
    _of("iat_ahead", "iat a day ahead", lambda of: {"iat": of.now_s + 24 * HOUR_S, "exp": of.now_s + 25 * HOUR_S}),
    _claims("iat_text", "iat that is a text", iat="yesterday"),
    _claims("iat_absent", "no iat", Expects.ODD, iat=...),
    _of("auth_time_ahead", "auth_time a day ahead", lambda of: {"auth_time": of.now_s + 24 * HOUR_S}, advice=True),
    _claims("auth_time_absent", "no auth_time", Expects.ODD, auth_time=...),
    _claims("sub_absent", "no sub", sub=..., user_id=..., uid=...),
    _claims("sub_empty", "an empty sub", sub=""),
    _claims("sub_long", "a sub of 129 characters", sub="x" * 129),
    _claims("sub_number", "a sub that is a number", sub=5),
    _claims("sub_null", "a sub that is null", sub=None),
    _claims("sub_list", "a sub that is a list", sub=["me"]),
)  # fmt: skip


def _named(name: str, kind: str, claims: Callable[[Material], Claims]) -> Mutation:
    return token(name, kind, lambda of: of.with_claims(**claims(of)), Expects.ODD, names_victim=False)


#: Tokens that the emulator's own rules let in: they name others than the victim, and must not reach what is its.
NAMED = tuple(
    _named(name, kind, claims)
    for name, kind, claims in (
        ("sub_sql", "a sub that is a condition of SQL", lambda _: {"sub": "' OR '1'='1"}),
        ("sub_wild", "a sub that is a wildcard", lambda _: {"sub": "%"}),
        ("sub_nul", "a sub with a NUL in it", lambda of: {"sub": f"{of.claims['sub']}\x00"}),
        ("sub_line", "a sub with a line's end in it", lambda of: {"sub": f"{of.claims['sub']}\r\nX-Injected: 1"}),
        ("sub_space", "the victim's sub with a space behind it", lambda of: {"sub": f"{of.claims['sub']} "}),
        ("sub_case", "the victim's sub in capitals", lambda of: {"sub": str(of.claims["sub"]).upper()}),
        ("sub_path", "a sub that climbs folders", lambda of: {"sub": f"x/../{of.claims['sub']}"}),
        ("user_id_other", "somebody's sub beside the victim's user_id and uid", lambda of: {
            "sub": "somebody-else", "user_id": of.claims["sub"], "uid": of.claims["sub"]}),
        ("admin", "somebody's token with claims of an administrator", lambda _: {
            "sub": "somebody-else", "admin": True, "role": "admin", "scope": "*", "roles": ["admin"]}),
    )
)  # fmt: skip

#: What any target is asked, of the emulator's users.
EMULATED = (*CARRIED, *FORMED, *CLAIMED, *NAMED)
