"""What tests of the API send, and how a refusal looks."""

from __future__ import annotations

from typing import Any

import httpx

START, END = "2025-10-20T09:00:00Z", "2025-10-20T10:30:00.250000Z"


def location(number: int, **changes: Any) -> dict[str, Any]:
    return {"latitude": 35.1, "longitude": 139.7, "timestamp": START, "sequence_number": number} | changes


def assert_error(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["code"] == code
    assert body["error"]["message"]
