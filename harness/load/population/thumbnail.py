"""A walk's thumbnail as the app keeps it: a small image in Storage, its download URL on the walk. Pure, seeded.

The app uploads a picture of the map when a walk ends, then writes the walk with ``thumbnail_image_url``. Photos of a
walk lie in one folder of their owner's, so that who deletes a walk finds them all.
"""

from __future__ import annotations

import struct
import zlib
from urllib.parse import quote, unquote, urlsplit

from harness.base.seed import stream

CONTENT_TYPE = "image/png"
_SIDE_PX = 32
_HOST = "firebasestorage.googleapis.com"


def folder(user: str, walk_id: str) -> str:
    """Where all photos of the walk lie; the id in upper case, as everywhere on Firebase's side."""
    return f"users/{user}/walks/{walk_id.upper()}/"


def object_name(user: str, walk_id: str) -> str:
    """The thumbnail's object in the bucket."""
    return f"{folder(user, walk_id)}thumbnail.png"


def url(bucket: str, user: str, walk_id: str) -> str:
    """The download URL as Firebase's SDK gives it, but for its access token."""
    return f"https://{_HOST}/v0/b/{bucket}/o/{quote(object_name(user, walk_id), safe='')}?alt=media"


def object_of(thumbnail_url: str) -> str | None:
    """The object that a download URL names; ``None`` when it is no such URL."""
    parts = urlsplit(thumbnail_url)
    if parts.hostname != _HOST or "/o/" not in parts.path:
        return None
    return unquote(parts.path.partition("/o/")[2])


def image(seed: int, walk_id: str) -> bytes:
    """A grey PNG of 32 x 32 pixels, about 1 kB, each walk's its own."""
    chance = stream(seed, f"thumbnail:{walk_id}")
    rows = b"".join(b"\0" + chance.getrandbits(8 * _SIDE_PX).to_bytes(_SIDE_PX, "big") for _ in range(_SIDE_PX))
    head = struct.pack(">IIBBBBB", _SIDE_PX, _SIDE_PX, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
