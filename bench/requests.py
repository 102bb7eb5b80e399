"""The requests of both sides: users with unsigned tokens, a list and a PUT of 30 locations of each, and odd ones."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from bench import clock
from bench.equality import Case

PROJECT = "demo-tekutoko"
LOCATIONS = 30
_ISSUER = f"https://securetoken.google.com/{PROJECT}"


def users(count: int) -> list[str]:
    """Firebase uids."""
    return [f"bench-{number:05d}" for number in range(count)]


def token(uid: str, **changes: object) -> str:
    """A token as the Auth emulator makes it: unsigned."""
    now = int(clock.unix_s())
    claims: dict[str, object] = {
        "iss": _ISSUER, "aud": PROJECT, "auth_time": now, "user_id": uid, "sub": uid, "iat": now, "exp": now + 3600,
        "firebase": {"identities": {}, "sign_in_provider": "password"},
    }  # fmt: skip
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims | changes)}."


def _part(content: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(content)).rstrip(b"=").decode()


def walk_id(number: int) -> str:
    """The id of a user's walk; the same for both sides, so that both write the same rows."""
    return str(UUID(int=(0xBE_0000_4000_8000 << 64 | number), version=4))


def body(number: int) -> bytes:
    """A PUT under way, with ``LOCATIONS`` locations."""
    began = datetime(2026, 10, 1, 7, tzinfo=UTC)
    locations = [
        {
            "latitude": 35.0 + number / 1e4 + n / 1e5, "longitude": 139.0 + n / 1e5, "altitude": 12.5 + n / 10,
            "timestamp": began + timedelta(seconds=n), "horizontal_accuracy": 4.5, "vertical_accuracy": 3.25,
            "speed": 1.3 if n % 8 else None, "course": 182.5 if n % 8 else None, "sequence_number": n,
        }
        for n in range(LOCATIONS)
    ]  # fmt: skip
    return msgspec.json.encode(
        {
            "title": f"Walk {number}", "status": "in_progress", "start_time": began, "total_distance": 812.5,
            "total_steps": 1160, "polyline_data": "_p~iF~ps|U" * 20, "locations": locations,
        }
    )  # fmt: skip


def http(method: str, path: str, bearer: str | None, sent: bytes = b"", kind: str = "application/json") -> bytes:
    """A whole request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
    if bearer is not None:
        head += f"Authorization: Bearer {bearer}\r\n"
    if method == "PUT":
        head += f"Content-Type: {kind}\r\nContent-Length: {len(sent)}\r\n"
    return head.encode() + b"\r\n" + sent


def lists(uids: list[str]) -> list[str]:
    """A GET of each user's newest page."""
    return [http("GET", "/v1/walks?page=1&limit=20", token(uid)).decode() for uid in uids]


def puts(uids: list[str]) -> list[str]:
    """A PUT of each user's own walk."""
    return [http("PUT", f"/v1/walks/{walk_id(n)}", token(uid), body(n)).decode() for n, uid in enumerate(uids)]


def cases(uids: list[str]) -> list[Case]:
    """What both must answer alike. ``uids``: three or more, whose first has not written yet."""
    first, second = token(uids[0]), token(uids[1])
    mine, list_ = walk_path(0), "/v1/walks"
    odd = [
        ("no token", http("GET", list_, None), 401),
        ("no JWT", http("GET", list_, "x.y"), 401),
        ("another project's token", http("GET", list_, token(uids[0], aud="demo-other")), 401),
        ("another issuer's token", http("GET", list_, token(uids[0], iss="https://example.invalid")), 401),
        ("an expired token", http("GET", list_, token(uids[0], iat=1, exp=2)), 401),
        ("a page of no number", http("GET", list_ + "?page=x", first), 400),
        ("a limit too large", http("GET", list_ + "?limit=101", first), 400),
        ("an id of no UUID", http("PUT", list_ + "/abc", first, b"{}"), 400),
        ("no JSON", http("PUT", mine, first, b"{"), 400),
        ("another content type", http("PUT", mine, first, b"{}", "text/plain"), 400),
        ("a latitude of 91", http("PUT", mine, first, body(0).replace(b'"latitude":35', b'"latitude":91')), 400),
        ("a number as title", http("PUT", mine, first, b'{"title":1}'), 400),
        ("an end without a start", http("PUT", walk_path(9), first, b'{"end_time":"2026-10-01T00:00:00Z"}'), 400),
        ("U+0000", http("PUT", mine, first, b'{"title":"a\\u0000"}'), 400),
        ("the year 1", http("PUT", mine, first, b'{"start_time":"0001-01-01T00:00:00Z"}'), 400),
    ]
    good = [
        ("PUT of a new walk", http("PUT", mine, first, body(0)), 200),
        ("PUT again", http("PUT", mine, first, body(0)), 200),
        ("PUT of one field", http("PUT", f"{list_}/{walk_id(1_000_000).upper()}", first, b'{"total_steps":7}'), 200),
        ("PUT of null", http("PUT", mine, first, b'{"description":null,"polyline_data":null}'), 200),
        ("PUT of another's walk", http("PUT", mine, second, body(0)), 404),
    ]
    reads = [
        ("list", http("GET", list_, first), 200),
        ("list, page 3 of 7", http("GET", list_ + "?page=3&limit=7", first), 200),
        ("list past the end", http("GET", list_ + "?page=900", first), 200),
    ]
    changing = [Case(name=name, request=request, status=status) for name, request, status in odd + good]
    return changing + [Case(name=n, request=r, status=s, same_times=True) for n, r, s in reads]


def walk_path(number: int) -> str:
    """Of a walk that is no user's to measure with."""
    return f"/v1/walks/{walk_id(1_000_000 + number)}"
