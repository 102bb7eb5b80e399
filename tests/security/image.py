"""An image as ``docker save`` writes it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

#: The form of one: its bytes are of nobody.
KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + b"QUJD" * 30 + b"\n-----END OPENSSH PRIVATE KEY-----\n"
CLEAN = {"app/main.py": b"print('so')\n", "etc/ssl/certs/ca.pem": b"-----BEGIN CERTIFICATE-----\nQUJD\n"}


def _tar(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return written.getvalue()


def archive(
    path: Path, layers: Sequence[dict[str, bytes]] = (CLEAN,), env: Sequence[str] = ("PATH=/bin",), made: str = "COPY ."
) -> Path:
    """With those ``layers``, files by path; ``made`` is the command that made the last."""
    config: dict[str, Any] = {"config": {"Env": [*env]}, "history": [{"created_by": made}]}
    names = [f"layer{number}.tar" for number in range(len(layers))]
    files = dict(zip(names, map(_tar, layers), strict=True))
    manifest = msgspec.json.encode([{"Config": "config.json", "Layers": names}])
    path.write_bytes(_tar({"manifest.json": manifest, "config.json": msgspec.json.encode(config), **files}))
    return path
