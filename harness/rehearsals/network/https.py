"""One HTTPS request on a connection of its own, as a phone would send it: the name it asks for is not resolved."""

from __future__ import annotations

import asyncio
import ssl

import h11
import msgspec

from harness.base.http1 import asking, exchange
from harness.model.stack import Address
from harness.rehearsals.network.types import FrontOutcome

TIMEOUT_S = 5.0
_MOST_BODY = 1_000_000
_FROM_UPSTREAM = "x-envoy-upstream-service-time"  # Envoy's, on answers of a pod alone


class HttpsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """As ``harness.rehearsals.network.types.IngressAnswer``, with the body."""

    met: FrontOutcome
    status: int = 0
    reached: bool = False
    serial: str = ""
    body: bytes = b""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """``name`` goes into the TLS handshake, ``host`` into the header."""

    name: str
    host: str
    method: str
    path: str
    token: str = ""
    body: bytes = b""


def trusting(authority: bytes = b"") -> ssl.SSLContext:
    """A client's settings: ``authority`` (PEM) alone is trusted; without one the machine's are."""
    return ssl.create_default_context(cadata=authority.decode() or None)


async def ask(address: Address, wanted: Request, trust: ssl.SSLContext) -> HttpsAnswer:
    """What came of it, whatever it was, within 5 s."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await _ask(address, wanted, trust)
    except TimeoutError:
        return HttpsAnswer(met=FrontOutcome.TIMED_OUT)
    except ssl.SSLCertVerificationError:
        return HttpsAnswer(met=FrontOutcome.UNTRUSTED)
    except ConnectionRefusedError:
        return HttpsAnswer(met=FrontOutcome.REFUSED)
    except (OSError, EOFError, h11.RemoteProtocolError):  # ssl.SSLError is an OSError
        return HttpsAnswer(met=FrontOutcome.CLOSED)


async def _ask(address: Address, wanted: Request, trust: ssl.SSLContext) -> HttpsAnswer:
    reader, writer = await asyncio.open_connection(
        address.host, address.port, ssl=trust, server_hostname=wanted.name, ssl_handshake_timeout=TIMEOUT_S
    )
    serial = str((writer.get_extra_info("peercert") or {}).get("serialNumber", ""))
    asked = asking(
        wanted.method, wanted.path, host=wanted.host, token=wanted.token, body=wanted.body, most_bytes=_MOST_BODY
    )
    answer = await exchange((reader, writer), asked)
    return HttpsAnswer(
        met=FrontOutcome.ANSWERED,
        status=answer.status,
        reached=_FROM_UPSTREAM in answer.headers,
        serial=serial.lstrip("0"),
        body=answer.body,
    )
