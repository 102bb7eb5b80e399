"""An answer other than success."""

from __future__ import annotations

import msgspec

CODES = {400: "INVALID_REQUEST", 401: "UNAUTHORIZED", 404: "NOT_FOUND", 429: "RATE_LIMITED", 503: "INTERNAL_ERROR"}


class Refusal(Exception):  # noqa: N818 - an outcome
    """``status``, the contract's body, and headers of its own."""

    def __init__(self, status: int, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.status = status
        self.body = msgspec.json.encode({"error": {"code": CODES[status], "message": message}})
        self.headers = headers


def bad(message: str) -> Refusal:
    """400."""
    return Refusal(400, message)


def stranger(message: str = "The token is malformed, expired or foreign") -> Refusal:
    """401."""
    return Refusal(401, message, (b"www-authenticate", b"Bearer"))
