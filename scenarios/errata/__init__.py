"""What is known of the errata beside the register: the smallest patch of the document, and which commands show each."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

_FOLDER = Path(__file__).parent
#: Written by hand; see its first lines.
CORRECTIONS = _FOLDER / "corrections.patch"
#: Made by ``nox -s manual`` of the rehearsals' code, plans and patches.
SHOWN_BY = _FOLDER / "shown_by.json"
_HEAD = re.compile(r"^erratum: (\S+)$", re.MULTILINE)


def patches(text: str) -> dict[str, str]:
    """The patch of each erratum of ``text``, by its id. Pure."""
    _, *parts = _HEAD.split(text)
    return dict(zip(parts[::2], (patch.strip("\n") for patch in parts[1::2]), strict=True))


def hunks(patch: str) -> list[tuple[list[str], list[str]]]:
    """What each hunk of a patch takes and gives, by lines. Pure. Raises ``ValueError`` for a line of neither."""
    found = []
    for hunk in re.split(r"^@@$", patch, flags=re.MULTILINE):
        lines = hunk.strip("\n").split("\n")
        if strange := [line for line in lines if line[:1] not in {" ", "-", "+"}]:
            raise ValueError(f"neither stays, goes nor comes: {strange[0]!r}")
        takes = [line[1:] for line in lines if line[0] != "+"]
        gives = [line[1:] for line in lines if line[0] != "-"]
        found.append((takes, gives))
    return found


def read_patches() -> dict[str, str]:
    """The committed patches."""
    return patches(CORRECTIONS.read_text(encoding="utf-8"))


def read_shown_by() -> dict[str, tuple[str, ...]]:
    """The commands that can show an erratum, by its id; an erratum that none can is not there."""
    return msgspec.json.decode(SHOWN_BY.read_bytes(), type=dict[str, tuple[str, ...]])
