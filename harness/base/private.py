"""Files that hold a secret, such as the database's password: for this user alone from their first byte on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO


def open_private(path: Path) -> BinaryIO:
    """``path``, empty, to be written: mode 0600 whatever the umask, also where it was there before with another. A link
    in its place is not followed. Raises ``OSError``."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "wb")


def write_private(path: Path, content: bytes) -> None:
    """Writes ``content`` as ``open_private`` does. Raises ``OSError``."""
    with open_private(path) as file:
        file.write(content)


def open_beneath(top: Path, path: Path, flags: int, mode: int = 0o644) -> int:
    """A descriptor of ``path``, which lies below ``top``; no component below ``top`` may be a link.

    For what we do as root in folders that belong to another account: whoever has that account may put a link in any
    place at any time. Raises ``OSError``; ``ValueError`` when ``path`` does not lie there.
    """
    folders = path.relative_to(top).parts
    here = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in folders[:-1]:
            deeper = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = deeper
        return os.open(folders[-1], flags | os.O_CLOEXEC | os.O_NOFOLLOW, mode, dir_fd=here)
    finally:
        os.close(here)
