"""What an answer to a request for another's walk tells: its content is a leak under any status, an echo is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.checks.cross_user_access import OwnedWalk, shows

WALK = OwnedWalk(walk_id="0b3a6c9e-aaaa-4222-8333-444455556666", owner="u1", title="Walk one")
WHOLE = {"id": WALK.walk_id, "user_id": "u1", "title": "Walk one", "start_time": "2025-10-20T12:00:00Z"}
REFUSED = {"error": {"code": "NOT_FOUND", "message": f"no walk {WALK.walk_id}"}}
#: A PUT of "not yours" that made the asker a walk of its own, or says so.
ECHO: dict[str, Any] = {"id": WALK.walk_id, "user_id": "u2", "title": "not yours", "start_time": None, "locations": []}


@pytest.mark.parametrize(
    ("status", "body", "leaks"),
    [
        (200, WHOLE, True),
        (403, WHOLE, True),
        (500, WHOLE, True),
        (200, {**WHOLE, "user_id": None, "title": ""}, True),
        (403, {"error": {"message": "Walk one is not yours"}}, True),
        (404, REFUSED, False),
        (200, REFUSED, False),
        (200, ECHO, False),
        (200, {}, False),
        (403, {**ECHO, "start_time": "x"}, False),
    ],
)
def test_the_content_is_a_leak_and_nothing_else_is(status: int, body: object, leaks: bool) -> None:
    assert shows(status, json.dumps(body).encode(), WALK, "u2") is leaks
    assert not shows(status, b"<html>", WALK, "u2")
