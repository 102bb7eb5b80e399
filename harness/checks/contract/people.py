"""Users of the Auth emulator and their ID tokens, and tokens that must be refused."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from harness.stack.firebase.rest import SignedUpUser, sign_up

__all__ = ["SignedUpUser", "changed", "opened", "part", "sign_up", "unsigned"]


def changed(token: str, **claims: object) -> str:
    """``token`` with other claims (``None`` takes one out); the emulator's tokens carry no signature to break."""
    head, held = opened(token)
    return unsigned(head, {name: value for name, value in (held | claims).items() if value is not None})


def opened(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The head and the claims of ``token``."""
    head, claims = (base64.urlsafe_b64decode(each + "=" * (-len(each) % 4)) for each in token.split(".")[:2])
    return msgspec.json.decode(head, type=dict[str, Any]), msgspec.json.decode(claims, type=dict[str, Any])


def unsigned(head: object, claims: object) -> str:
    """A token as the Auth emulator makes it; its third part is empty."""
    return f"{part(head)}.{part(claims)}."


def part(content: object) -> str:
    """A part of a token: ``content`` as JSON, bytes as they are."""
    raw = content if isinstance(content, bytes) else msgspec.json.encode(content)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
