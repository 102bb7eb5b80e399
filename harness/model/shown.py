"""What an answer showed of walks: a row's ``shown``, kept as JSON text, small enough for every row of evidence."""

from __future__ import annotations

import msgspec

from harness.base.errors import NOT_JSON

#: Of locations whose first is not number 0, or whose last is not that of their count: some are left out or displaced.
NOT_IN_ORDER = -1


class Track(msgspec.Struct, frozen=True, array_like=True):
    """The locations of a walk: ``runs`` are the first and last of each unbroken run of their numbers, ``columns`` the
    digests of ``harness.load.population.track.COLUMNS``."""

    runs: tuple[tuple[int, int], ...]
    columns: tuple[str, ...]


class ShownWalk(msgspec.Struct, frozen=True, array_like=True):
    """``content`` is ``harness.load.population.content.fingerprint``, "" where the fields could not be read.

    ``locations`` counts those of a single walk, from number 0 to the last, else ``NOT_IN_ORDER``; ``None`` where an
    answer has none. ``version`` is the answer's ``updated_at``. ``created``, its ``created_at``, is ``None`` where the
    answer was not read whole: by an older harness, and of most in load by steps. ``track`` is of a single walk whose
    locations can be read.
    """

    id: str  # in lower case
    content: str
    locations: int | None = None
    version: str = ""
    created: str | None = None
    track: Track | None = None


class Shown(msgspec.Struct, frozen=True, array_like=True):
    """``walks`` in the answer's order; ``total`` is a list's ``total_count``, ``None`` where there is none."""

    walks: tuple[ShownWalk, ...]
    total: int | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Shown)


def text(shown: Shown) -> str:
    """As a row keeps it."""
    return _encoder.encode(shown).decode()


def parse(kept: str) -> Shown | None:
    """What a row kept; ``None`` when it kept nothing (evidence of an older harness), or nothing that can be read."""
    try:
        return _decoder.decode(kept) if kept else None
    except NOT_JSON:
        return None
