"""Who calls: the bearer token of a request, verified once and remembered until it expires."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable

from api.errors import Unauthorized
from api.model import User
from api.ports import Clock, Tokens

REMEMBERED_MAX = 10_000
TOKEN_BYTES_MAX = 8192
UID_MAX = 128  # Firebase's own limit
#: What a token is written in (RFC 6750, b64token). Decoders of base64 pass over other characters: against an emulator,
#: where no signature is looked at, a token with a space in its midst would be good.
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
_MISSING = "An Authorization header with a bearer token is needed"
_REFUSED = "The token is malformed, expired or foreign"


class Authenticator:
    """Verification depends on the token and the time alone, so a verified token is good until its ``exp``."""

    def __init__(self, tokens: Tokens, clock: Clock) -> None:
        self._tokens = tokens
        self._clock = clock
        self._verified: OrderedDict[bytes, User] = OrderedDict()

    async def user(self, headers: Iterable[tuple[bytes, bytes]]) -> User:
        """The caller. Raises ``Unauthorized``, or ``Unavailable`` when it cannot be told now."""
        token = _bearer(headers)
        user = self._verified.get(token)
        if user is None:
            user = await self._tokens.verify(token.decode("ascii"))
            if not 1 <= len(user.uid) <= UID_MAX or not user.uid.isprintable():
                raise Unauthorized(_REFUSED)
            self._verified[token] = user
            if len(self._verified) > REMEMBERED_MAX:
                self._verified.popitem(last=False)
        if user.expires_unix_s <= self._clock.unix_s():
            self._verified.pop(token, None)
            raise Unauthorized(_REFUSED)
        return user


def _bearer(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    values = [value for name, value in headers if name == b"authorization"]
    if len(values) != 1:
        raise Unauthorized(_MISSING)
    scheme, _, token = values[0].partition(b" ")
    token = token.strip()
    if scheme.lower() != b"bearer" or not token:
        raise Unauthorized(_MISSING)
    if len(token) > TOKEN_BYTES_MAX or not _TOKEN.fullmatch(token):
        raise Unauthorized(_REFUSED)
    return token
