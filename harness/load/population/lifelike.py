"""What makes users like people, and canaries like users: names in no order, titles as they are typed, clocks as phones
have them (docs/scenarios.md#users). Pure and seeded.
"""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from functools import lru_cache

import msgspec

from harness.base.seed import stream

_NAMES = 9_999  # more than users and canaries there may be
_TITLES = (
    "朝の散歩 🌅",
    "犬と河川敷 🐕\u200d🦺",
    "いつもの道 🚶\u200d♀️",
    "桜を見に 🌸",
    "雨の日 ☔️",
    "家族で公園 👨\u200d👩\u200d👧\u200d👦",
    "神社めぐり ⛩️",
    "𠮷野家まで 🍚",
)
#: Every offset from UTC in use, in minutes.
OFFSETS_MIN = (
    -720, -660, -600, -570, -540, -480, -420, -360, -300, -240, -210, -180, -150, -120, -60, 0, 60, 120, 180, 210, 240,
    270, 300, 330, 345, 360, 390, 420, 480, 525, 540, 570, 600, 630, 660, 720, 765, 780, 840,
)  # fmt: skip
#: One phone in ten is so many hours off, in turn.
_HOURS_OFF = (-9, 9, -1, 14, -26, 3)
_ONE_IN = 10


class PhoneClock(msgspec.Struct, frozen=True):
    """How far a phone's clock is off (ns), and the zone in which it writes times."""

    off_ns: int = 0
    zone: timezone = UTC


def clock(rank: int) -> PhoneClock:
    """The clock of the phone of a side's user number ``rank``."""
    wrong = rank % _ONE_IN == _ONE_IN - 1
    hours = _HOURS_OFF[rank // _ONE_IN % len(_HOURS_OFF)] if wrong else 0
    minutes = OFFSETS_MIN[rank % len(OFFSETS_MIN)]
    return PhoneClock(hours * 3_600_000_000_000, timezone(timedelta(minutes=minutes)) if minutes else UTC)


def title(seed: int, walk: str) -> str:
    """What the user calls the ``walk``, which is named by its owner and number."""
    return _TITLES[int(stream(seed, f"title:{walk}").random() * len(_TITLES))]


def user_name(seed: int, number: int) -> str:
    """The name of user ``number``, from 0; canaries count from -1 down."""
    return f"u{_numbers(seed)[number]:04d}"


@lru_cache(maxsize=8)
def _numbers(seed: int) -> tuple[int, ...]:
    chance = stream(seed, "names")
    return tuple(sorted(range(1, _NAMES + 1), key=lambda _: chance.random()))


@lru_cache(maxsize=8)
def names(seed: int, users: int, canaries: int) -> frozenset[bytes]:
    """The names of so many users and canaries."""
    numbers = (*range(users), *range(-canaries, 0))
    return frozenset(user_name(seed, number).encode() for number in numbers)
