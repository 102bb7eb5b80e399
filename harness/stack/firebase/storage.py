"""The Storage emulator: ``python -m harness.stack.firebase.storage --host 127.0.0.1 --port 9199 --bucket NAME``.

Kept as it comes (PyPI ``gcp-storage-emulator``), in memory, with one bucket that keeps nothing of what is deleted. It
speaks Cloud Storage's JSON API, not Firebase's own ``v0`` one, and asks for no credentials.
"""

from __future__ import annotations

import argparse
import signal
import sys
from functools import partial
from http.server import HTTPServer
from urllib.parse import quote

import msgspec

from harness.base.errors import PartDied
from harness.model.message import message
from harness.model.stack import Address
from harness.stack.firebase import rest

#: It answers one connection at a time: one that says nothing must not hold up the others.
_SILENCE_S = 2.0


class StoredObject(msgspec.Struct, frozen=True, kw_only=True):
    """One object of a bucket; ``size`` in bytes."""

    name: str
    size: int


class _Page(msgspec.Struct):
    items: list[StoredObject] = []


async def objects(address: Address, bucket: str, prefix: str = "") -> tuple[StoredObject, ...]:
    """What lies in the bucket, by name. Raises ``PartDied`` when the emulator fails."""
    path = f"/storage/v1/b/{bucket}/o?prefix={quote(prefix, safe='')}"
    answer = await _asked(address, "GET", path)
    page = msgspec.json.decode(answer.body, type=_Page, strict=False)  # sizes come as text
    return tuple(sorted(page.items, key=lambda each: each.name))


async def put(address: Address, bucket: str, name: str, content: bytes, content_type: str) -> None:
    """Stores one object. Raises ``PartDied``."""
    path = f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(name, safe='')}"
    await _asked(address, "POST", path, content, content_type)


async def _asked(address: Address, method: str, path: str, body: bytes = b"", content_type: str = "") -> rest.Answer:
    headers = {"Content-Type": content_type} if content_type else {}
    try:
        answer = await rest.request(address, method, path, body=body, headers=headers)
    except OSError as error:
        raise PartDied(
            message("the Storage emulator failed: {why}", why=repr(error)),
            where=str(address),
            remedy="read storage.log",
        ) from error
    if answer.status != 200:
        raise PartDied(
            message("the Storage emulator answered {status}", status=str(answer.status)), where=f"{method} {path}"
        )
    return answer


def serve(host: str, port: int, bucket: str) -> int:
    """Until SIGTERM; nothing in memory is worth an orderly end."""
    from gcp_storage_emulator.handlers.buckets import create_bucket
    from gcp_storage_emulator.server import RequestHandler
    from gcp_storage_emulator.storage import Storage

    class Handler(RequestHandler):  # type: ignore[misc]  # the package has no types
        timeout = _SILENCE_S

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    storage = Storage(use_memory_fs=True)
    resource = create_bucket(bucket, storage)
    storage.create_bucket(bucket, resource | {"softDeletePolicy": {"retentionDurationSeconds": "0"}})
    server = HTTPServer((host, port), partial(Handler, storage))
    sys.stdout.write(f"Storage emulator listens on {host}:{port}, bucket {bucket}\n")
    sys.stdout.flush()
    server.serve_forever()
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The Storage emulator.", allow_abbrev=False)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bucket", required=True)
    words = parser.parse_args()
    sys.exit(serve(words.host, words.port, words.bucket))
