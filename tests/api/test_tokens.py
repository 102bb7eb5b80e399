"""Tokens: unsigned ones against an emulator, signed ones without, and nothing fetched for a verification."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import firebase_admin
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt, jwt

from api import firebase_app
from api.auth import Authenticator
from api.certificates import CERTIFICATES_URL, Certificates, fetch_https
from api.clock import SystemClock
from api.errors import Unauthorized, Unavailable
from api.firebase_tokens import FirebaseTokens
from api.logs import Bridge, Log
from tests.api.world import PROJECT, settings, unsigned_token

CLOCK = SystemClock()


@pytest.fixture
def emulated() -> Iterator[FirebaseTokens]:
    app = firebase_app.start(settings(auth_emulator_host="127.0.0.1:1"))  # nothing listens there: nothing may ask
    yield FirebaseTokens(app, CLOCK, None)
    firebase_admin.delete_app(app)
    os.environ.pop("FIREBASE_AUTH_EMULATOR_HOST", None)


async def test_an_emulator_token_names_its_user(emulated: FirebaseTokens) -> None:
    user = await emulated.verify(unsigned_token("uid-1", name="歩\x00く", exp=int(time.time()) + 60))
    assert (user.uid, user.display_name, user.auth_provider) == ("uid-1", "歩く", "password")
    assert 58 <= user.expires_unix_s - time.time() <= 60


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another-project"},
        {"aud": None},
        {"iss": "https://securetoken.google.com/another-project"},
        {"iss": None},
        {"exp": 1},
        {"exp": int(time.time()) - 1},
        {"exp": None},
        {"exp": "soon"},
        {"exp": float("nan")},
        {"iat": int(time.time()) + 3600},
        {"iat": None},
        {"auth_time": None},
        {"auth_time": int(time.time()) + 3600},
        {"sub": None},
        {"sub": ""},
        {"sub": 5},
        {"sub": "x" * 129},
        {"sub": "\ud800"},
    ],
)
async def test_a_foreign_expired_or_malformed_token_is_refused(emulated: FirebaseTokens, changes: Any) -> None:
    with pytest.raises(Unauthorized):
        await emulated.verify(unsigned_token("uid-1", **changes))


@pytest.mark.parametrize("token", ["x", "..", "a.b.c", "e30.e30.", "e30.W10.", "[].[].", "e30.e30.e30.e30", "é.é.é"])
async def test_what_is_no_token_is_refused(emulated: FirebaseTokens, token: str) -> None:
    with pytest.raises(Unauthorized):
        await emulated.verify(token)


async def test_uids_that_the_log_or_the_database_cannot_hold_are_refused(emulated: FirebaseTokens) -> None:
    authenticator = Authenticator(emulated, CLOCK)
    for uid in ("a\x00b", "a\nb"):
        with pytest.raises(Unauthorized):
            await authenticator.user([(b"authorization", f"Bearer {unsigned_token(uid)}".encode())])


async def test_verification_needs_no_network(emulated: FirebaseTokens, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a verification opened a socket")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    token = unsigned_token("uid-1")
    started = time.process_time()
    for _ in range(200):
        await emulated.verify(token)
    assert (time.process_time() - started) / 200 < 0.002


async def test_a_remembered_token_still_expires() -> None:
    class Frozen(SystemClock):
        now = time.time()

        def unix_s(self) -> float:
            return self.now

    clock = Frozen()
    app = firebase_app.start(settings(auth_emulator_host="127.0.0.1:1"))
    try:
        authenticator = Authenticator(FirebaseTokens(app, clock, None), clock)
        headers = [(b"authorization", b"bearer " + unsigned_token("uid-1", exp=int(clock.now) + 30).encode())]
        assert await authenticator.user(headers) is await authenticator.user(headers)
        clock.now += 31
        with pytest.raises(Unauthorized):
            await authenticator.user(headers)
    finally:
        firebase_admin.delete_app(app)
        os.environ.pop("FIREBASE_AUTH_EMULATOR_HOST", None)


class Signer:
    """Google's part: a key, its certificate, and tokens signed with it."""

    def __init__(self, key_id: str = "kid-1") -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "securetoken")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(self.key, hashes.SHA256())
        )
        self.certificates = json.dumps({key_id: certificate.public_bytes(serialization.Encoding.PEM).decode()})
        pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        self._signer = crypt.RSASigner.from_string(pem, key_id=key_id)  # type: ignore[no-untyped-call]

    def token(self, uid: str, **changes: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": f"https://securetoken.google.com/{PROJECT}",
            "aud": PROJECT,
            "sub": uid,
            "auth_time": now,
            "iat": now,
            "exp": now + 60,
        }
        return jwt.encode(self._signer, claims | changes).decode()  # type: ignore[no-untyped-call,no-any-return]


@pytest.fixture(scope="module")
def google() -> Signer:
    return Signer()


@pytest.fixture
def app() -> Iterator[Any]:
    """Started with a stray variable in the environment, which must not turn signatures off."""
    os.environ["FIREBASE_AUTH_EMULATOR_HOST"] = "127.0.0.1:9099"
    app = firebase_app.start(settings(project_id=PROJECT, firestore_emulator_host="127.0.0.1:1"))
    assert "FIREBASE_AUTH_EMULATOR_HOST" not in os.environ
    yield app
    firebase_admin.delete_app(app)
    os.environ.pop("FIRESTORE_EMULATOR_HOST", None)


async def test_signed_tokens_are_verified_with_certificates_fetched_once(app: Any, google: Signer) -> None:
    fetched: list[str] = []

    async def fetch(url: str) -> tuple[bytes, float]:
        fetched.append(url)
        await asyncio.sleep(0.01)
        return google.certificates.encode(), 3600.0

    tokens = FirebaseTokens(app, CLOCK, Certificates(CLOCK, fetch))
    users = await asyncio.gather(*(tokens.verify(google.token(f"uid-{n}")) for n in range(5)))
    assert [user.uid for user in users] == [f"uid-{n}" for n in range(5)]
    assert fetched == [CERTIFICATES_URL]
    other = Signer()
    for bad in (
        unsigned_token("uid-1"),
        other.token("uid-1"),
        google.token("uid-1", exp=int(time.time()) - 60, iat=int(time.time()) - 120),
        google.token("uid-1", aud="another-project"),
        google.token("uid-1")[:-4] + "AAAA",
    ):
        with pytest.raises(Unauthorized):
            await tokens.verify(bad)


async def test_without_certificates_it_cannot_be_told(app: Any, google: Signer) -> None:
    async def fetch(url: str) -> tuple[bytes, float]:
        raise ConnectionRefusedError

    with pytest.raises(Unavailable):
        await FirebaseTokens(app, CLOCK, Certificates(CLOCK, fetch)).verify(google.token("uid-1"))


class Watch(SystemClock):
    """Both clocks, each set by hand."""

    def __init__(self) -> None:
        self.wall_s = time.time()
        self.now_s = 1000.0

    def unix_s(self) -> float:
        return self.wall_s

    def monotonic_ns(self) -> int:
        return round(self.now_s * 1e9)


class Issuer:
    """What is fetched next, and how often it was asked for. ``None`` is no answer at all."""

    def __init__(self, google: Signer, lifetime_s: float = 3600.0) -> None:
        self.answer: bytes | None = google.certificates.encode()
        self.lifetime_s = lifetime_s
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, url: str) -> tuple[bytes, float]:
        self.asked += 1
        await self.gate.wait()
        if self.answer is None:
            raise TimeoutError
        return self.answer, self.lifetime_s


async def renewed(certificates: Certificates) -> None:
    assert certificates._renewal is not None
    await certificates._renewal


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What the certificates tell the pod's log, from warnings on."""
    lines: list[str] = []
    bridge = Bridge(Log(CLOCK, pod_name="p", write=lambda line: lines.append(json.loads(line)["message"])))
    logger = logging.getLogger("api.certificates")
    logger.addHandler(bridge)
    yield lines
    logger.removeHandler(bridge)


async def test_old_certificates_are_kept_when_they_cannot_be_renewed(
    app: Any, google: Signer, logged: list[str]
) -> None:
    clock, issuer = Watch(), Issuer(google)
    certificates = Certificates(clock, issuer)
    tokens = FirebaseTokens(app, clock, certificates)
    assert (await tokens.verify(google.token("uid-1"))).uid == "uid-1"
    issuer.answer = None
    for asked in (2, 3):
        clock.now_s += 3601
        assert (await tokens.verify(google.token("uid-2"))).uid == "uid-2"
        await renewed(certificates)
        assert issuer.asked == asked
        assert (await tokens.verify(google.token("uid-2"))).uid == "uid-2"
        assert issuer.asked == asked  # not with each verification
    clock.now_s += 10.5
    await tokens.verify(google.token("uid-2"))
    await renewed(certificates)
    assert issuer.asked == 4
    assert logged == ["Google's certificates could not be renewed, the old ones are kept: TimeoutError()"] * 3


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>Sign in to this network</html>",
        b"",
        b"{}",
        b"[]",
        b'{"kid-1": 5}',
        b'{"kid-1": "no certificate"}',
        b'{"kid-1": "-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n"}',
        b'{"error": "unavailable"}',
        b'\xff\xfe{"kid-1": ""}',
    ],
)
async def test_an_answer_that_is_no_certificates_replaces_nothing(
    app: Any, google: Signer, logged: list[str], answer: bytes
) -> None:
    clock, issuer = Watch(), Issuer(google)
    certificates = Certificates(clock, issuer)
    tokens = FirebaseTokens(app, clock, certificates)
    await tokens.verify(google.token("uid-1"))
    good, issuer.answer = issuer.answer, answer
    clock.now_s += 3601
    await tokens.verify(google.token("uid-2"))
    await renewed(certificates)
    assert (await tokens.verify(google.token("uid-3"))).uid == "uid-3"
    issuer.answer = good
    clock.now_s += 10.5  # asked again soon, not after the hour that the page said
    await tokens.verify(google.token("uid-4"))
    await renewed(certificates)
    assert issuer.asked == 3

    empty = FirebaseTokens(app, clock, Certificates(clock, Issuer(google)))
    refused = FirebaseTokens(app, clock, Certificates(clock, issuer))
    issuer.answer = answer
    with pytest.raises(Unavailable):  # a 503, not the 401 that signs a client out
        await refused.verify(google.token("uid-5"))
    assert "no token can be verified" in logged[-1]
    await empty.verify(google.token("uid-5"))


@pytest.mark.parametrize(
    ("lifetime_s", "held_s"), [(0.0, 60.0), (-1.0, 60.0), (61.0, 61.0), (3600.0, 3600.0), (99_999_999.0, 86_400.0)]
)
async def test_certificates_are_held_a_minute_at_least_and_a_day_at_most(
    google: Signer, lifetime_s: float, held_s: float
) -> None:
    clock, issuer = Watch(), Issuer(google, lifetime_s)
    certificates = Certificates(clock, issuer)
    for _ in range(5):
        await certificates.refresh()
        clock.wall_s -= 86_400  # a clock that is set back changes nothing
    clock.now_s += held_s - 0.5
    await certificates.refresh()
    assert issuer.asked == 1
    clock.now_s += 1
    await certificates.refresh()
    await renewed(certificates)
    assert issuer.asked == 2


@pytest.mark.process
async def test_nobody_waits_for_a_renewal_while_old_ones_are_at_hand(app: Any, google: Signer) -> None:
    clock, issuer = Watch(), Issuer(google)
    certificates = Certificates(clock, issuer)
    tokens = FirebaseTokens(app, clock, certificates)
    await tokens.verify(google.token("uid-1"))
    issuer.gate.clear()
    clock.now_s += 3601
    await asyncio.gather(*(tokens.verify(google.token(f"uid-{n}")) for n in range(5)))
    assert certificates._renewal is not None and not certificates._renewal.done()
    assert issuer.asked == 2
    issuer.gate.set()
    await renewed(certificates)


async def test_a_token_of_a_new_key_waits_for_the_renewal_that_is_due(app: Any, google: Signer) -> None:
    """It was refused as foreign: 401 signs a user out."""
    clock, issuer, rotated = Watch(), Issuer(google), Signer("kid-2")
    tokens = FirebaseTokens(app, clock, Certificates(clock, issuer))
    await tokens.verify(google.token("uid-1"))
    with pytest.raises(Unauthorized):  # while nothing is due it is nobody's
        await tokens.verify(rotated.token("uid-2"))
    issuer.answer = None
    clock.now_s += 3601
    with pytest.raises(Unavailable):
        await tokens.verify(rotated.token("uid-2"))
    assert (await tokens.verify(google.token("uid-1"))).uid == "uid-1", "the old ones do"
    issuer.answer = rotated.certificates.encode()
    clock.now_s += 10.5
    assert (await tokens.verify(rotated.token("uid-2"))).uid == "uid-2"


@pytest.mark.process
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=19302\r\nContent-Length: 2\r\n\r\n{}", (b"{}", 19302.0)),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", (b"{}", 3600.0)),
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}", None),
        (b"nonsense\r\n\r\n", None),
        (b"", None),
    ],
)
async def test_fetching(answer: bytes, expected: tuple[bytes, float] | None) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        assert request.startswith(b"GET /certificates HTTP/1.1\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/certificates"
        if expected is not None:
            assert await fetch_https(url) == expected
        else:
            with pytest.raises(OSError):
                await fetch_https(url)
        await asyncio.sleep(0.01)
