"""What an answer shows of a walk, and what is said of one that is not as it must be, by all who look at one. Pure."""

from __future__ import annotations

import msgspec

from harness.base.theirs import read_json
from harness.model.message import Message, message

_OK = 200


def of_walk(walk_id: str, user: str | Message, what: Message) -> Message:
    """``what`` is wrong with somebody's walk."""
    return message("walk {walk} of {user}: {what}", walk=walk_id, user=user, what=what)


def unlike(name: str | Message, found: str, must: str) -> Message:
    """A field holds another value than it must."""
    return message("{name} is {found}, must be {must}", name=name, found=found, must=must)


class _Location(msgspec.Struct):
    sequence_number: int


class _Walk(msgspec.Struct):
    """As far as the contract's answer is looked at."""

    id: str
    locations: list[_Location] = []


def locations_shown(status: int, body: bytes) -> int | None:
    """How many an answer to who asks for a walk has; ``None`` where it shows no walk of the contract."""
    walk = read_json(body, _Walk) if status == _OK else None
    return None if walk is None else len(walk.locations)


def shown_short(status: int, there: int | None, wanted: int) -> Message:
    """The API shows a walk with too few locations, or (``there`` is ``None``) not at all; ``status`` 0: no answer."""
    if there is None and status == _OK:
        return message("answered with no walk of the contract")
    if there is None:
        return message("answered with {status}", status=str(status)) if status else message("no answer")
    return message("{count} of {all} locations", count=str(there), all=str(wanted))


def says_nothing(status: int) -> bool:
    """Whether an answer says nothing of what was asked for: none at all, the rate limiter's, or one of who could not
    reach it, or take it, just then. 500 does: what was asked for may be what breaks the server."""
    return status in {0, 429, 502, 503, 504}
