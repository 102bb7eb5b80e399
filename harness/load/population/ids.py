"""Ids as the phone makes them, drawn from a stream of the seed."""

from __future__ import annotations

import random


def uuid4_text(chance: random.Random) -> str:
    """A version-4 UUID in lower case (RFC 9562), as a walk's id."""
    bits = chance.getrandbits(128)
    bits = (bits & ~(0xF000 << 64)) | (0x4000 << 64)
    bits = (bits & ~(0xC000 << 48)) | (0x8000 << 48)
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def instance_id(chance: random.Random) -> str:
    """An app instance id as Firebase Installations gives: 22 characters."""
    return f"{chance.getrandbits(88):022x}"
