"""JSON that somebody else's program wrote: what of it cannot be read is that program's mistake, no error of ours."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from harness.base.errors import NOT_JSON

_Kind = TypeVar("_Kind")


def read_json(text: bytes | str, kind: type[_Kind]) -> _Kind | None:
    """As ``kind``; ``None`` where it is no JSON, broken UTF-8, too deep, or of another form."""
    try:
        return msgspec.json.decode(text, type=kind)
    except NOT_JSON:
        return None
