"""One HTTP/1.1 request to an emulator on loopback: asyncio streams and h11, a new connection each.

Users of the Auth emulator, new ones too, signed in as the app does.
A client's side of Remote Config: what it sends, what it reads, when it may ask again. Pure; the load executes it.

After the Apple SDK (FirebaseRemoteConfig: ``RCNConfigFetch``, ``RCNConfigSettings``), as the app uses it: every attempt
is a ``fetchAndActivate``, so a fetched value counts at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import h11
import msgspec

from harness.base.errors import NOT_JSON, PartDied
from harness.base.http1 import Answer, asking, exchange
from harness.model.flag import FlagClient
from harness.model.message import message
from harness.model.stack import Address

_API = "/identitytoolkit.googleapis.com/v1"
_PASSWORD = "conformance"  # noqa: S105 - of accounts in a throw-away emulator


class AccountEnd(StrEnum):
    """How an account ends: itself, its right to sign in, or the sessions that it has."""

    DELETED = "deleted"
    DISABLED = "disabled"
    REVOKED = "revoked"


class SignedUpUser(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in user."""

    uid: str
    token: str


async def sign_up(auth: Address, project_id: str, uid: str) -> SignedUpUser:
    """A new account with that uid, signed in as the app does. Raises ``PartDied`` when the emulator does not answer."""
    email = f"{uid}@rehearsal.invalid"
    account = {"localId": uid, "email": email, "rawPassword": _PASSWORD, "emailVerified": True}
    await _post(auth, f"{_API}/projects/{project_id}/accounts:batchCreate", {"users": [account]})
    return await sign_in(auth, email, _PASSWORD)


async def _post(auth: Address, path: str, body: object) -> dict[str, Any]:
    where = f"POST http://{auth}{path.partition('?')[0]}"
    headers = {"Authorization": "Bearer owner"} if "/projects/" in path else {}
    try:
        answer = await request(auth, "POST", path, body=msgspec.json.encode(body), headers=headers, timeout_s=10.0)
        decoded = msgspec.json.decode(answer.body, type=dict[str, Any])
    except (OSError, *NOT_JSON) as error:
        raise PartDied(
            message("the Auth emulator does not answer: {why}", why=repr(error)), where=where, remedy="read auth.log"
        ) from error
    if answer.status != 200 or decoded.get("error"):
        raise PartDied(
            message("the Auth emulator refused: {body}", body=repr(answer.body[:300])),
            where=where,
            remedy="read auth.log",
        )
    return decoded


async def sign_in(auth: Address, email: str, password: str) -> SignedUpUser:
    """An account that is there, signed in as the app does. Raises ``PartDied``."""
    body = {"email": email, "password": password, "returnSecureToken": True}
    answer = await _post(auth, f"{_API}/accounts:signInWithPassword?key=rehearsal", body)
    return SignedUpUser(uid=str(answer["localId"]), token=str(answer["idToken"]))


async def end_account(auth: Address, project_id: str, uid: str, how: AccountEnd, now_s: int) -> None:
    """Whose tokens are still out there. ``now_s`` is the time since 1970. Raises ``PartDied``."""
    if how is AccountEnd.DELETED:
        await _post(auth, f"{_API}/projects/{project_id}/accounts:delete", {"localId": uid})
        return
    change = {"disableUser": True} if how is AccountEnd.DISABLED else {"validSince": str(now_s + 1)}
    await _post(auth, f"{_API}/projects/{project_id}/accounts:update", {"localId": uid, **change})


DEFAULT_MINIMUM_FETCH_INTERVAL_S = 43_200.0  # the SDK's 12 h
_NS = 1_000_000_000
_BACK_OFF_FIRST_S, _BACK_OFF_MAX_S = 120, 14_400  # kRCNExponentialBackoff{Minimum,Maximum}Interval
_BACK_OFF_STATUSES = frozenset({429, 500, 502, 503, 504})
_TRUE = re.compile(r"\s*[+-]?0*[YyTt1-9]")  # NSString.boolValue


class _Sent(msgspec.Struct, forbid_unknown_fields=True):
    """What the SDKs send; only two of the fields matter to the conditions this emulator knows."""

    app_instance_id: str
    analytics_user_properties: dict[str, str] = {}
    app_instance_id_token: str = ""
    app_id: str = ""
    app_version: str = ""
    app_build: str = ""
    country_code: str = ""
    language_code: str = ""
    package_name: str = ""
    platform_version: str = ""
    sdk_version: str = ""
    time_zone: str = ""
    custom_signals: dict[str, str] = {}
    first_open_time: str = ""


class FetchAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the service answers. ``entries`` is absent unless ``state`` is ``UPDATE`` or ``EMPTY_CONFIG``."""

    state: str
    entries: dict[str, str] | None = None
    templateVersion: str = "0"  # noqa: N815 - Firebase's own name


def path(project_id: str) -> str:
    """Where a client POSTs ``body`` to, with ``If-None-Match`` where it has an ETag."""
    return f"/v1/projects/{project_id}/namespaces/firebase:fetch?key=emulator"


def body(client: FlagClient) -> bytes:
    """The JSON a client sends."""
    sent = _Sent(app_instance_id=client.instance_id, analytics_user_properties={"audience": client.audience})
    return msgspec.json.encode({name: value for name, value in msgspec.structs.asdict(sent).items() if value})


def client(sent: bytes) -> FlagClient:
    """The client that sent ``body``; camel case is read too, as JSON of protocol buffers is. Raises ``ValueError``."""
    fields = msgspec.json.decode(sent, type=dict[str, msgspec.Raw])
    snake = {re.sub(r"[A-Z]", lambda letter: "_" + letter[0].lower(), name): value for name, value in fields.items()}
    read = msgspec.json.decode(msgspec.json.encode(snake), type=_Sent)
    if not read.app_instance_id:
        raise ValueError("appInstanceId is empty")
    return FlagClient(instance_id=read.app_instance_id, audience=read.analytics_user_properties.get("audience", ""))


def answer(received: bytes) -> FetchAnswer:
    """What came back with status 200. Raises ``ValueError``."""
    return msgspec.json.decode(received, type=FetchAnswer)


def etag(project_id: str, entries: dict[str, str]) -> str:
    """The same for the same values: a client whose values did not change is answered ``NO_CHANGE``."""
    digest = hashlib.sha256(msgspec.json.encode(entries, order="deterministic")).digest()
    return f"etag-{project_id}-firebase-fetch-{int.from_bytes(digest[:4], 'big')}"


class FlagCache:
    """A client's values, and the rule for asking again.

    * Within the minimum fetch interval after the last success an attempt gets the cached values and sends nothing.
    * A failure keeps the last good values. It does not start the interval anew (the SDK counts from the last success).
      429 and 5xx back off for 120 s, doubling to 4 h (the SDK's random half more or less is left out). Without an
      answer the SDK asks at the app's next attempt; here that is ``retry_s`` later, so that 500 clients of a dead
      service do not spin.
    """

    __slots__ = ("_back_off_s", "_entries", "_interval_ns", "_next_ns", "_retry_ns", "fetched", "version")

    def __init__(
        self, minimum_fetch_interval_s: float = DEFAULT_MINIMUM_FETCH_INTERVAL_S, *, retry_s: float = 10.0
    ) -> None:
        self._interval_ns = round(minimum_fetch_interval_s * _NS)
        self._retry_ns = min(round(retry_s * _NS), self._interval_ns)
        self._entries: dict[str, str] = {}
        self._next_ns: int | None = None
        self._back_off_s = 0
        self.version = 0
        self.fetched = False

    def due(self, now_ns: int) -> bool:
        """Whether an attempt now goes to the service."""
        return self._next_ns is None or now_ns >= self._next_ns

    def next_due_ns(self) -> int | None:
        """The earliest attempt that goes to the service; ``None`` before the first: at once."""
        return self._next_ns

    def store(self, entries: dict[str, str] | None, version: int, now_ns: int) -> None:
        """A fetch succeeded; ``entries`` is ``None`` when nothing changed. ``version`` is the template's."""
        if entries is not None:
            self._entries = dict(entries)
        self.version = version
        self.fetched = True
        self._back_off_s = 0
        self._next_ns = now_ns + self._interval_ns

    def failed(self, now_ns: int, status: int = 0) -> None:
        """A fetch failed with the HTTP ``status``, 0 when there was no answer."""
        if status in _BACK_OFF_STATUSES:
            self._back_off_s = min(max(_BACK_OFF_FIRST_S, 2 * self._back_off_s), _BACK_OFF_MAX_S)
            self._next_ns = now_ns + self._back_off_s * _NS
        else:
            self._next_ns = now_ns + self._retry_ns

    def value(self, key: str) -> bool:
        """The flag as the app reads it (``boolValue``): false before any fetch, and for an unknown key."""
        return _TRUE.match(self._entries.get(key, "")) is not None


__all__ = ["Answer", "request"]

MAX_ANSWER_BYTES = 16 * 1024 * 1024


async def request(
    address: Address,
    method: str,
    path: str,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 5.0,
) -> Answer:
    """Sends it and reads the whole answer.

    Raises ``OSError`` when the connection fails or breaks (``TimeoutError``, one of them, after ``timeout_s`` in all).
    """
    sent = {"Content-Length": str(len(body)), **(headers or {})}
    asked = asking(method, path, host=str(address), headers=sent, body=body, most_bytes=MAX_ANSWER_BYTES)
    async with asyncio.timeout(timeout_s):
        streams = await asyncio.open_connection(address.host, address.port)
        try:
            return await exchange(streams, asked)
        except (h11.ProtocolError, EOFError) as error:
            raise ConnectionError(f"{address} broke off or does not speak HTTP: {error}") from error
