"""The tokens port on firebase-admin.

Against the Auth emulator tokens are unsigned (``alg: none``), and firebase-admin checks project, issuer and subject but
not the times; those are checked here. In production it checks the signature with Google's certificates, which it would
renew with a blocking request whenever its cache of them has run out: it is given ``api.certificates`` instead, which
holds them and fetches them with the event loop. Either way a verification does no network I/O of its own. Nobody is
asked whether a user was disabled or a token revoked since: as by Firebase's default, a token is good until it expires,
an hour at most.
"""

from __future__ import annotations

from typing import Any

from firebase_admin import auth
from google.auth import jwt

from api.certificates import Certificates
from api.errors import Unauthorized, Unavailable
from api.model import User
from api.ports import Clock

REFUSED = "The token is malformed, expired or foreign"
CLOCK_SKEW_S = 10
TEXT_MAX = 255


class FirebaseTokens:
    """Verifies ID tokens of ``app``'s project. ``certificates`` is ``None`` against the emulator."""

    def __init__(self, app: Any, clock: Clock, certificates: Certificates | None) -> None:
        self._client = auth.Client(app)
        self._clock = clock
        self._certificates = certificates
        if certificates is not None:
            # The one place where firebase-admin's inside is touched: it offers no hook for the certificates' fetch.
            self._client._token_verifier.request = certificates

    async def verify(self, token: str) -> User:
        """Who ``token`` speaks for. Raises ``Unauthorized``, or ``Unavailable`` without certificates, or without that
        of a key which may be new."""
        key_id = "" if self._certificates is None else _key_id(token)
        if self._certificates is not None:
            await self._certificates.refresh(key_id)
        try:
            claims = self._client.verify_id_token(token, clock_skew_seconds=CLOCK_SKEW_S)
            return self._user(claims)
        except auth.CertificateFetchError as error:
            raise Unavailable("The certificates of the token's issuer are not at hand") from error
        except Exception as error:  # whatever a stranger's token breaks in the parser is a refused token
            if key_id and self._certificates is not None and self._certificates.may_be_of_a_new_key(key_id):
                raise Unavailable("The certificate of the token's key is not at hand") from error
            raise Unauthorized(REFUSED) from error

    def _user(self, claims: dict[str, Any]) -> User:
        expires, issued, now = float(claims["exp"]), float(claims["iat"]), self._clock.unix_s()
        if not issued - CLOCK_SKEW_S <= now < expires:
            raise ValueError("the token is expired or not yet valid")
        if not float(claims["auth_time"]) - CLOCK_SKEW_S <= now:
            raise ValueError("the user signs in in the future")
        uid: str = claims["uid"]
        uid.encode()  # a lone surrogate raises
        firebase = claims.get("firebase")
        provider = firebase.get("sign_in_provider") if isinstance(firebase, dict) else None
        return User(uid, _text(claims.get("name")), _text(provider), expires)


def _key_id(token: str) -> str:
    """Of whose key a token says it is; "" where it says nothing that can be read."""
    try:
        key_id = jwt.decode_header(token).get("kid")  # type: ignore[no-untyped-call]
    except Exception:  # as above
        return ""
    return key_id if isinstance(key_id, str) else ""


def _text(claim: object) -> str | None:
    """A claim as the database can hold it; ``None`` for anything else."""
    if not isinstance(claim, str):
        return None
    return claim.replace("\x00", "").encode(errors="ignore").decode()[:TEXT_MAX] or None
