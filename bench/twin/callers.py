"""Who calls: unsigned tokens of the Auth emulator, checked once each and remembered, and the limit a minute."""

from __future__ import annotations

import base64
from collections import deque

import msgspec

from bench import clock
from bench.twin.refusal import Refusal, stranger
from bench.twin.shapes import Claims, Head

MISSING = "An Authorization header with a bearer token is needed"
MINUTE_NS = 60_000_000_000
MOST_REMEMBERED = 10_000

_head = msgspec.json.Decoder(Head)
_claims = msgspec.json.Decoder(Claims)


class Caller(msgspec.Struct):
    """A verified caller. ``seen``: the monotonic times of its requests within the last minute, as many as allowed."""

    uid: str
    name: str | None
    provider: str | None
    until_s: float


class Callers:
    """Raises ``Refusal`` 401 and 429."""

    def __init__(self, project: str, per_minute: int) -> None:
        self._project = project
        self._most = per_minute
        self._known: dict[bytes, Caller] = {}
        self._seen: dict[str, deque[int]] = {}

    def admit(self, headers: list[tuple[bytes, bytes]]) -> Caller:
        """The caller of a request, counted."""
        token = _token(headers)
        caller = self._known.get(token)
        if caller is None:
            caller = self._verify(token)
            if len(self._known) >= MOST_REMEMBERED:
                self._known.pop(next(iter(self._known)))
            self._known[token] = caller
        if caller.until_s <= clock.unix_s():
            self._known.pop(token, None)
            raise stranger()
        self._count(caller.uid)
        return caller

    def _verify(self, token: bytes) -> Caller:
        try:
            head, body, signature = token.split(b".")
            if _head.decode(_bytes(head)).alg != "none" or signature:
                raise stranger()
            claims = _claims.decode(_bytes(body))
        except (ValueError, msgspec.MsgspecError) as error:
            raise stranger() from error
        issuer = f"https://securetoken.google.com/{self._project}"
        mine = claims.aud == self._project and claims.iss == issuer
        if not mine or not 1 <= len(claims.sub) <= 128 or not claims.sub.isprintable():
            raise stranger()
        if not claims.iat - 10 <= clock.unix_s() < claims.exp:
            raise stranger()
        provider = claims.firebase.get("sign_in_provider")
        return Caller(claims.sub, claims.name, provider if isinstance(provider, str) else None, claims.exp)

    def _count(self, uid: str) -> None:
        now = clock.now_ns()
        seen = self._seen.pop(uid, None)
        if seen is None:
            seen = deque(maxlen=self._most)
            if len(self._seen) >= MOST_REMEMBERED:
                self._seen.pop(next(iter(self._seen)))
        self._seen[uid] = seen  # at the end: the first is who has been silent longest
        if len(seen) == self._most and (passed := now - seen[0]) < MINUTE_NS:
            seconds = -(-(MINUTE_NS - passed) // 1_000_000_000)
            raise Refusal(429, "Too many requests; try again later", (b"retry-after", b"%d" % seconds))
        seen.append(now)


def _token(headers: list[tuple[bytes, bytes]]) -> bytes:
    given = [value for name, value in headers if name == b"authorization"]
    if len(given) != 1:
        raise stranger(MISSING)
    scheme, _, token = given[0].partition(b" ")
    token = token.strip()
    if scheme.lower() != b"bearer" or not token:
        raise stranger(MISSING)
    if len(token) > 8192 or not token.isascii():
        raise stranger()
    return token


def _bytes(part: bytes) -> bytes:
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
