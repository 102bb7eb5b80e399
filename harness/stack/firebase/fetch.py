"""A client's side of Remote Config: what it sends, what it reads, when it may ask again. Pure; the load executes it.

After the Apple SDK (FirebaseRemoteConfig: ``RCNConfigFetch``, ``RCNConfigSettings``), as the app uses it: every attempt
is a ``fetchAndActivate``, so a fetched value counts at once.
"""

from __future__ import annotations

import hashlib
import re

import msgspec

from harness.model.flag import Client

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


def body(client: Client) -> bytes:
    """The JSON a client sends."""
    sent = _Sent(app_instance_id=client.instance_id, analytics_user_properties={"audience": client.audience})
    return msgspec.json.encode({name: value for name, value in msgspec.structs.asdict(sent).items() if value})


def client(sent: bytes) -> Client:
    """The client that sent ``body``; camel case is read too, as JSON of protocol buffers is. Raises ``ValueError``."""
    fields = msgspec.json.decode(sent, type=dict[str, msgspec.Raw])
    snake = {re.sub(r"[A-Z]", lambda letter: "_" + letter[0].lower(), name): value for name, value in fields.items()}
    read = msgspec.json.decode(msgspec.json.encode(snake), type=_Sent)
    if not read.app_instance_id:
        raise ValueError("appInstanceId is empty")
    return Client(instance_id=read.app_instance_id, audience=read.analytics_user_properties.get("audience", ""))


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
