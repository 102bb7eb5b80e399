"""Google's certificates for Firebase ID tokens, fetched with the event loop and held until they expire.

Stands in for the transport that firebase-admin would fetch them with (``google.auth.transport.Request``): what it is
asked for it answers from memory. An answer that is no certificates (a proxy's page, say) replaces nothing, and nobody
waits for a renewal while old ones are at hand. firebase-admin's own fetch keeps them too, but renews them with a
blocking request (its timeout is 120 s) in the midst of a verification, and without an answer no token is verified,
though the old ones would do; moved to a thread, that verification would wait all the same. The event loop resolves the
host name on a thread of its own (``getaddrinfo`` has no other way); the rehearsal, against emulators, never comes here.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import h11
import msgspec
from cryptography import x509
from google.auth import exceptions, transport

from api.ports import Clock

CERTIFICATES_URL = "https://www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com"
FETCH_TIMEOUT_S = 5.0
LIFETIME_DEFAULT_S = 3600.0
LIFETIME_MIN_S = 60.0  # whatever the answer says: not a fetch for each verification
LIFETIME_MAX_S = 86_400.0  # nor past the next rotation of the keys
RETRY_AFTER_S = 10.0
BODY_BYTES_MAX = 1024 * 1024

_LOG = logging.getLogger(__name__)

#: Fetches a URL: the body, and for how many seconds it holds. Raises ``OSError`` when it cannot.
Fetch = Callable[[str], Awaitable[tuple[bytes, float]]]


class _Response(transport.Response):
    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def status(self) -> int:
        return 200

    @property
    def headers(self) -> Mapping[str, str]:
        return {}

    @property
    def data(self) -> bytes:
        return self._data


class Certificates(transport.Request):
    """Holds the certificates. When they cannot be renewed the old ones are kept, and a warning is logged: keys
    are published well ahead."""

    def __init__(self, clock: Clock, fetch: Fetch | None = None, url: str = CERTIFICATES_URL) -> None:
        self._clock = clock
        self._fetch = fetch or fetch_https
        self._url = url
        self._data = b""
        self._due_ns = clock.monotonic_ns()  # not of the clock on the wall, which is set forward and back
        self._renewal: asyncio.Task[None] | None = None
        self._keys: frozenset[str] = frozenset()
        self._failed = False

    def may_be_of_a_new_key(self, key_id: str) -> bool:
        """Whether a token of that key is refused for want of certificates that could not be renewed."""
        return self._failed and key_id not in self._keys

    async def refresh(self, key_id: str = "") -> None:
        """Has them fetched when due, one fetch at a time. Waits for it only while there are none, or none of a token's
        ``key_id``. Raises nothing."""
        if self._renewal is None or self._renewal.done():
            if self._clock.monotonic_ns() < self._due_ns:
                return
            self._renewal = asyncio.create_task(self._renew())
        if not self._data or key_id not in self._keys:
            await asyncio.shield(self._renewal)

    async def _renew(self) -> None:
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                data, lifetime_s = await self._fetch(self._url)
            self._keys = _checked(data)
            self._data, self._failed = data, False
            lifetime_s = min(max(lifetime_s, LIFETIME_MIN_S), LIFETIME_MAX_S)
        except Exception as error:  # no answer, or whatever a wrong one breaks in a parser
            held = "the old ones are kept" if self._data else "there are none, and no token can be verified"
            _LOG.warning("Google's certificates could not be renewed, %s: %r", held, error)
            lifetime_s, self._failed = RETRY_AFTER_S, True
        self._due_ns = self._clock.monotonic_ns() + round(lifetime_s * 1e9)

    def __call__(self, url: str, method: str = "GET", *_: Any, **__: Any) -> _Response:
        """What firebase-admin calls. Raises google-auth's ``TransportError`` when there is nothing to answer."""
        if url != self._url or method != "GET" or not self._data:
            raise exceptions.TransportError(f"no certificates of {url} at hand")  # type: ignore[no-untyped-call]
        return _Response(self._data)


def _checked(data: bytes) -> frozenset[str]:
    """The key ids. Raises ``ValueError`` unless ``data`` is a JSON object of certificates in PEM by key id, one at
    least."""
    try:
        found = msgspec.json.decode(data, type=dict[str, str])
    except msgspec.DecodeError as error:
        raise ValueError("the answer is no JSON object of texts") from error
    if not found:
        raise ValueError("the answer has no certificates")
    for pem in found.values():
        x509.load_pem_x509_certificate(pem.encode())
    return frozenset(found)


async def fetch_https(url: str) -> tuple[bytes, float]:
    """GETs ``url`` (https, or http for tests). Raises ``OSError`` for anything but a complete 200."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or (443 if secure else 80), ssl=ssl.create_default_context() if secure else None
    )
    try:
        wire = h11.Connection(h11.CLIENT)
        headers = [("Host", parts.netloc), ("Connection", "close"), ("Accept", "application/json")]
        for event in (h11.Request(method="GET", target=parts.path, headers=headers), h11.EndOfMessage()):
            writer.write(wire.send(event) or b"")
        await writer.drain()
        return await _answer(wire, reader)
    except h11.RemoteProtocolError as error:
        raise OSError(f"{url} does not speak HTTP: {error}") from error
    finally:
        writer.close()


async def _answer(wire: h11.Connection, reader: asyncio.StreamReader) -> tuple[bytes, float]:
    body, lifetime_s = b"", LIFETIME_DEFAULT_S
    while True:
        event = wire.next_event()
        if event is h11.NEED_DATA:
            wire.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Response):
            if event.status_code != 200:
                raise OSError(f"status {event.status_code}")
            cache = dict(event.headers).get(b"cache-control", b"")
            if match := re.search(rb"max-age=([0-9]{1,8})", cache):
                lifetime_s = float(match[1])
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > BODY_BYTES_MAX:
                raise OSError("the answer is too large")
        elif isinstance(event, h11.EndOfMessage):
            return body, lifetime_s
        else:
            raise OSError("the answer was cut off")
