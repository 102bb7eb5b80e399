"""Go's integers, where Kubernetes' rules depend on how they round and overflow (Go specification, "Conversions")."""

from __future__ import annotations

import math

_BITS_32 = 32
_BITS_64 = 64


def int32(number: float) -> int:
    """``int32(x)``: towards zero, then the low 32 bits, as Go on amd64 and arm64's usual range does."""
    return _wrapped(math.trunc(number), _BITS_32)


def int64(number: int) -> int:
    """The low 64 bits, signed: what a sum or product of ``int64`` keeps."""
    return _wrapped(number, _BITS_64)


def quotient(number: int, divisor: int) -> int:
    """``number / divisor`` of integers: towards zero, where Python's ``//`` goes down."""
    whole = abs(number) // abs(divisor)
    return whole if (number < 0) == (divisor < 0) else -whole


def _wrapped(number: int, bits: int) -> int:
    half = 1 << (bits - 1)
    return (number + half) % (2 * half) - half
