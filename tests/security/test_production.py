"""Production mode: every signed token that is wrong is refused; each hole in its verification is found; no setting opens it."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import firebase_admin
import pytest

from api import firebase_app, serve
from api.certificates import CERTIFICATES_URL
from api.errors import Unauthorized
from api.firebase_tokens import FirebaseTokens
from api.model import User
from api.settings import SettingsError, read_settings
from harness.base.clock import MachineClock
from harness.base.progress import Progress
from harness.checks.contract.check import Check
from harness.checks.contract.logs import Logs
from harness.checks.contract.people import opened
from harness.checks.contract.run import CheckRun
from harness.checks.contract.runner import run_checks
from harness.rehearsals.security.checks import PRODUCTION
from harness.rehearsals.security.ground import Canaries, SecurityGround
from harness.rehearsals.security.issuer import Issuer
from harness.rehearsals.security.rehearsal import in_production
from harness.stack.sim.production import service_account
from tests.conformance.in_process import InProcess
from tests.conformance.outcomes import Outcome, ended

pytestmark = pytest.mark.process


async def in_production_mode(checks: tuple[Check, ...], folder: Path) -> dict[str, CheckRun]:
    """The checks on the bundled API as production has it, by real sockets of this machine."""
    clock, found = MachineClock(), list[CheckRun]()
    issuer = Issuer(clock)
    async with in_production(issuer, InProcess.endpoints, folder, 1) as reach:
        ground = SecurityGround(
            reach=reach,
            clock=clock,
            documents=cast(Any, None),
            logs=Logs(folder, clock),
            seed=1,
            run_id="production",
            hides_tokens=True,
            canaries=Canaries(),
            folder=folder,
            issuer=issuer,
        )
        await run_checks(checks, ground, folder, Progress(clock), found.append)
    return {result.id: result for result in found}


async def test_nothing_is_found_on_the_bundled_api(tmp_path: Path) -> None:
    found = await in_production_mode(PRODUCTION, tmp_path)
    assert ended(found, Outcome.PASSED) == {check.id for check in PRODUCTION}, found
    assert b"eyJ" not in (tmp_path / "production.log").read_bytes()


Verify = Callable[[FirebaseTokens, str], Any]


def _user(claims: dict[str, Any]) -> User:
    return User(str(claims["sub"]), expires_unix_s=float(claims["exp"]))


def _head(token: str) -> dict[str, Any]:
    return opened(token)[0]


async def _none_taken(_: FirebaseTokens, token: str) -> User | None:
    return _user(opened(token)[1]) if _head(token).get("alg", "").lower() == "none" else None


async def _hs256_taken(_: FirebaseTokens, token: str) -> User | None:
    return _user(opened(token)[1]) if _head(token).get("alg") == "HS256" else None


async def _unsigned_taken(_: FirebaseTokens, token: str) -> User | None:
    return _user(opened(token)[1]) if not token.split(".")[2] else None


async def _jwk_taken(_: FirebaseTokens, token: str) -> User | None:
    return _user(opened(token)[1]) if "jwk" in _head(token) else None


async def _kid_left_out(_: FirebaseTokens, token: str) -> User | None:
    return _user(opened(token)[1]) if "kid" not in _head(token) else None


async def _jku_followed(_: FirebaseTokens, token: str) -> User | None:
    from api.certificates import fetch_https

    if "jku" in _head(token):
        await fetch_https(_head(token)["jku"])
    return None


async def _claims_before_signature(_: FirebaseTokens, token: str) -> User | None:
    claims = opened(token)[1]
    return _user(claims) if claims.get("admin") else None


#: By name: what is let in before the API's own verification, and the check that must find it.
HOLES: dict[str, tuple[Verify, str]] = {
    "none": (_none_taken, "production.none"),
    "hs256": (_hs256_taken, "production.hs256_public_key"),
    "unsigned": (_unsigned_taken, "production.stripped"),
    "jwk": (_jwk_taken, "production.jwk"),
    "kid": (_kid_left_out, "production.kid_absent"),
    "jku": (_jku_followed, "production.jku"),
    "changed": (_claims_before_signature, "production.changed"),
}


@pytest.mark.parametrize("name", HOLES)
async def test_a_hole_in_the_verification_is_found(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, finds = HOLES[name]
    real = FirebaseTokens.verify

    async def verify(self: FirebaseTokens, token: str) -> User:
        try:
            found: User | None = await first(self, token)
        except (ValueError, TypeError, AttributeError):
            found = None
        return found or await real(self, token)

    monkeypatch.setattr(FirebaseTokens, "verify", verify)
    checks = tuple(check for check in PRODUCTION if check.id in (finds, "production.good"))
    found = await in_production_mode(checks, tmp_path)
    assert ended(found, Outcome.DEVIATION) == {finds}, found


PRODUCTION_IS = {"ENVIRONMENT": "production", "FIREBASE_PROJECT_ID": "tekutoko", "MIRROR_SHARE_PERCENT": "0"}
#: What somebody may hope to turn verification off with, of the API's own and of libraries' below it.
HOPEFUL = {
    "FIREBASE_AUTH_EMULATOR_HOST": "127.0.0.1:9099",
    "FIRESTORE_EMULATOR_HOST": "127.0.0.1:8081",
    "STORAGE_EMULATOR_HOST": "http://127.0.0.1:9199",
    **dict.fromkeys(
        (
            "AUTH_DISABLED", "SKIP_AUTH", "INSECURE", "DEBUG", "TESTING", "VERIFY_TOKENS", "JWT_ALGORITHM", "JWT_SECRET",
            "CERTIFICATES_URL", "FIREBASE_CERTIFICATES_URL", "FIREBASE_CONFIG", "FIREBASE_EMULATOR_HUB",
            "GOOGLE_API_USE_CLIENT_CERTIFICATE", "GCE_METADATA_HOST", "PYTHONOPTIMIZE",
        ),
        "1",
    ),
}  # fmt: skip


class Recorded(dict[str, str]):
    """An environment that notes what is read of it."""

    def __init__(self, held: dict[str, str]) -> None:
        super().__init__(held)
        self.asked = set[str]()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


def test_no_variable_names_certificates_keys_or_algorithms() -> None:
    """What the API reads is a list, and none of it is about verification but the emulator's address."""
    environment = Recorded(PRODUCTION_IS)
    read_settings(environment)
    words = ("AUTH", "TOKEN", "JWT", "CERT", "KEY", "VERIFY", "SECRET", "ALGORITHM", "INSECURE", "SKIP", "DEBUG")
    assert {name for name in environment.asked if any(word in name for word in words)} == {
        "FIREBASE_AUTH_EMULATOR_HOST"
    }


@pytest.mark.parametrize("name", [*(each for each in HOPEFUL if "EMULATOR_HOST" in each), "all others"])
async def test_no_environment_variable_relaxes_verification(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is set for the API and for the process: either it refuses to start, or it refuses an unsigned token."""
    others = {each: value for each, value in HOPEFUL.items() if "EMULATOR_HOST" not in each}
    base = PRODUCTION_IS | {"FIREBASE_CREDENTIALS_PATH": str(service_account(tmp_path, "tekutoko"))}
    given = others if name == "all others" else {name: HOPEFUL[name]}
    for each, value in given.items():
        monkeypatch.setenv(each, value)
    try:
        settings = read_settings(base | given)
    except SettingsError as error:
        assert name in str(error)
        assert "EMULATOR_HOST" in name
        settings = read_settings(base)  # the variable is then one of the process alone
    if "FIREBASE_CONFIG" in given:
        monkeypatch.delenv("FIREBASE_CONFIG")  # a file of options, none of which is about verification
    try:
        tokens = serve.ports(settings).tokens
        assert isinstance(tokens, FirebaseTokens)
        assert "FIREBASE_AUTH_EMULATOR_HOST" not in os.environ
        certificates = tokens._certificates
        assert certificates is not None
        assert certificates._url == CERTIFICATES_URL
        certificates._data = json.dumps({"kid": "x"}).encode()  # nothing is fetched for this test
        certificates._due_ns = 2**62
        for head in ({"alg": "none", "typ": "JWT"}, {"alg": "RS256", "kid": "kid", "typ": "JWT"}):
            parts = [
                base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in (head, CLAIMS)
            ]
            with pytest.raises(Unauthorized):
                await tokens.verify(".".join((*parts, "")))
    finally:
        firebase_admin.delete_app(firebase_admin.get_app("walk-api"))


CLAIMS = {
    "iss": "https://securetoken.google.com/tekutoko", "aud": "tekutoko", "sub": "somebody", "user_id": "somebody",
    "iat": 1_700_000_000, "auth_time": 1_700_000_000, "exp": 4_000_000_000,
}  # fmt: skip


def test_the_address_of_certificates_is_a_constant() -> None:
    assert CERTIFICATES_URL.startswith("https://www.googleapis.com/")
    assert firebase_app._EMULATORS == ("FIREBASE_AUTH_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST")
