"""An issuer of signed ID tokens, in Google's place: a key, its certificate at an endpoint on loopback, and forgeries.

Keys are made for one run and kept in memory.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from datetime import datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from harness.base.clock import NS, Clock, unix_ns, utc
from harness.checks.contract.people import SignedUpUser, part
from harness.model.stack import Address

KEY_ID = "rehearsal-1"
PROJECT = "tekutoko-rehearsal"  # no "demo-" project: those have no signed tokens
_HOUR_S = 3600
_BITS = 2048
_HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


class Issuer:
    """``start`` serves the certificate; ``asked_by_token`` counts who followed an address that a token named."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
        self._other = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
        self._server: asyncio.Server | None = None
        self.asked_by_token = 0
        self.address = Address(host="127.0.0.1", port=0)

    async def start(self) -> None:
        """Listens on loopback."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = Address(host="127.0.0.1", port=self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Idempotent."""
        if self._server is not None:
            self._server.close()

    @property
    def url(self) -> str:
        """Where the certificates are."""
        return f"http://{self.address}/certificates"

    @property
    def url_of_strangers(self) -> str:
        """Where a token may say that they are; a certificate of the other key."""
        return f"http://{self.address}/strangers"

    def user(self, uid: str) -> SignedUpUser:
        """A user who signed in just now."""
        now_s = unix_ns(self._clock.anchor, self._clock.now_ns()) // NS
        claims = {
            "iss": f"https://securetoken.google.com/{PROJECT}",
            "aud": PROJECT,
            "auth_time": now_s,
            "user_id": uid,
            "sub": uid,
            "iat": now_s,
            "exp": now_s + _HOUR_S,
            "firebase": {"identities": {}, "sign_in_provider": "password"},
        }
        return SignedUpUser(uid=uid, token=self.seal({"alg": "RS256", "kid": KEY_ID, "typ": "JWT"}, claims))

    def seal(self, head: object, claims: object) -> str:
        """A token of those parts, signed by the key that the certificate is of, with RS256."""
        return self._signed(self._key, head, claims, "256")

    def by_other_key(self, head: object, claims: object) -> str:
        """The same, signed by a key that nobody knows."""
        return self._signed(self._other, head, claims, "256")

    def with_hash(self, head: object, claims: object, bits: str) -> str:
        """Signed by the right key, with RS384 or RS512."""
        return self._signed(self._key, head, claims, bits)

    def by_public_key(self, head: object, claims: object) -> str:
        """Signed with HS256, the secret being what everybody may fetch: the certificate, as PEM."""
        return self.by_secret(head, claims, self._certificate(self._key))

    def by_modulus(self, head: object, claims: object) -> str:
        """The same with the public key as PEM."""
        pem = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return self.by_secret(head, claims, pem)

    @staticmethod
    def by_secret(head: object, claims: object, secret: bytes) -> str:
        """Signed with HS256."""
        signed = f"{part(head)}.{part(claims)}"
        return f"{signed}.{part(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"

    def jwk_of_strangers(self) -> dict[str, str]:
        """The other key, as a head may hold it."""
        numbers = self._other.public_key().public_numbers()
        n = base64.urlsafe_b64encode(numbers.n.to_bytes(_BITS // 8, "big")).rstrip(b"=").decode()
        return {"kty": "RSA", "kid": KEY_ID, "alg": "RS256", "n": n, "e": "AQAB"}

    @staticmethod
    def _signed(key: rsa.RSAPrivateKey, head: object, claims: object, bits: str) -> str:
        signed = f"{part(head)}.{part(claims)}"
        return f"{signed}.{part(key.sign(signed.encode(), padding.PKCS1v15(), _HASHES[bits]))}"

    def _certificate(self, key: rsa.RSAPrivateKey) -> bytes:
        now = datetime.fromisoformat(utc(self._clock.anchor, self._clock.now_ns()))
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "securetoken.rehearsal")])
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            strangers = b" /strangers " in await reader.readuntil(b"\r\n\r\n")
            self.asked_by_token += strangers
            body = msgspec.json.encode({KEY_ID: self._certificate(self._other if strangers else self._key).decode()})
            lines = (
                "HTTP/1.1 200 OK",
                "Content-Type: application/json",
                "Cache-Control: max-age=3600",
                "Connection: close",
            )
            head = "".join(f"{each}\r\n" for each in (*lines, f"Content-Length: {len(body)}", ""))
            writer.write(head.encode() + body)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return
        finally:
            writer.close()
