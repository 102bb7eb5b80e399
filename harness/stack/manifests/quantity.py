"""Kubernetes quantities ("500m", "512Mi") as integers. Source: apimachinery ``resource.Quantity``."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

from harness.model.message import message

_QUANTITY = re.compile(r"^([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:([eE][+-]?[0-9]{1,2})|([numkMGTPE]|[KMGTPE]i)?)$")
_SCALE = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}


def parse(text: str | float) -> Decimal:
    """The number a quantity stands for. Raises ``ValueError`` naming the text and an example."""
    match = _QUANTITY.match(str(text)) if not isinstance(text, bool) else None
    if match is None:
        raise ValueError(
            message("{value} is not a Kubernetes quantity; write for example '500m' or '512Mi'", value=repr(text))
        )
    number = Decimal(match[1] + (match[2] or ""))
    return number * _SCALE.get(match[3] or "", Decimal(1))


def millicores(text: str | float) -> int:
    """CPU in millicores, rounded up as Kubernetes does; ``ValueError`` when negative or no quantity."""
    return _whole(parse(text) * 1000, text)


def whole_bytes(text: str | float) -> int:
    """Memory in bytes, rounded up as Kubernetes does; ``ValueError`` when negative or no quantity."""
    return _whole(parse(text), text)


def _whole(number: Decimal, text: str | float) -> int:
    if number < 0:
        raise ValueError(message("{value} is negative", value=repr(text)))
    return int(number.to_integral_value(rounding=ROUND_CEILING))
