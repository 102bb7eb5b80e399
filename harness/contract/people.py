"""Users of the Auth emulator and their ID tokens, and tokens that must be refused."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from harness.stack.firebase.sign_up import User, sign_up

__all__ = ["User", "changed", "sign_up"]


def changed(token: str, **claims: object) -> str:
    """``token`` with other claims (``None`` takes one out); the emulator's tokens carry no signature to break."""
    head, payload, signature = token.split(".")
    held = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=dict[str, Any])
    held = {name: value for name, value in (held | claims).items() if value is not None}
    return ".".join((head, _part(held), signature))


def _part(content: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(content)).rstrip(b"=").decode()
