"""Base images of Debian packages, made by mmdebstrap and kept by Docker."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from offline_kind.running import LABEL, REPOSITORY, docker, has_image, locked, run, say

LAYOUT = 1  # rises when the image is made differently
LIMIT_S = 900.0
# The mirror of the machine that made it is no image's matter, and nothing in an image asks APT.
_NO_SOURCES = '--customize-hook=rm -rf "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d "$1"/etc/apt/auth.conf.d'
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")


def tag(packages: Iterable[str], suite: str) -> str:
    """Return the image's name: the same packages and suite have the same."""
    key = hashlib.sha256(f"{LAYOUT} {suite} {' '.join(sorted(set(packages)))}".encode()).hexdigest()[:12]
    return f"{REPOSITORY}/base:{suite}-{key}"


def ensure(packages: Iterable[str], suite: str, store: Path, scratch: Path) -> str:
    """Return the name of an image of ``suite`` with Debian's essential packages and ``packages``.

    It is made once (about 60 s), without documentation and locales, and kept by Docker: package updates come in when
    the image is removed. Raises ``Failed``.
    """
    wanted = sorted(set(packages))
    name = tag(wanted, suite)
    if has_image(name):
        return name
    with locked(store / f"base-{name.rpartition(':')[2]}.lock"):
        if not has_image(name):
            say(f"making the base image {name} of {len(wanted)} Debian packages (about a minute, once)")
            _make(name, wanted, suite, scratch)
    return name


def _make(name: str, packages: list[str], suite: str, scratch: Path) -> None:
    tar = scratch / "base.tar"
    left_out = [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
    included = [f"--include={','.join(packages)}"] if packages else []
    words = ["--quiet", "--variant=minbase", *included, *left_out, _NO_SOURCES, suite, str(tar)]
    run(
        "mmdebstrap",
        *words,
        what=f"making a base image of Debian {suite}",
        limit_s=LIMIT_S,
        remedy="install mmdebstrap (apt install mmdebstrap): it needs a Debian mirror and root or user namespaces. Or "
        "let Docker reach docker.io, or a mirror of it",
    )
    change = f"LABEL harness.packages={','.join(packages) or 'none'} {LABEL[1]}"
    docker("import", "--change", change, tar, name, what="importing a base image", limit_s=300)
    tar.unlink()
