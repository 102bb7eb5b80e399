"""How many examples the dear properties draw: at each change the same few, by night as many as they are made for."""

from __future__ import annotations

from hypothesis import settings

#: What a change draws of the night's number: the same ones each time, so that more of them find little more.
SHARE = 1 / 4
#: Of a property that names no number, at each change; by night it is hypothesis' own, 100.
SAME = 25
LEAST = 5


def examples(by_night: int) -> int:
    """The number of a property that by night is held to ``by_night`` examples, new ones each night."""
    return max(LEAST, round(by_night * SHARE)) if settings.get_current_profile_name() == "same" else by_night
