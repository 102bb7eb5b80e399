"""What is said of a walk that is not as it must be, by all who look at one. Pure."""

from __future__ import annotations

from harness.model.message import Message, message


def of_walk(walk_id: str, user: str | Message, what: Message) -> Message:
    """``what`` is wrong with somebody's walk."""
    return message("walk {walk} of {user}: {what}", walk=walk_id, user=user, what=what)


def unlike(name: str | Message, found: str, must: str) -> Message:
    """A field holds another value than it must."""
    return message("{name} is {found}, must be {must}", name=name, found=found, must=must)


def shown_short(status: int, there: int | None, wanted: int) -> Message:
    """The API shows a walk with too few locations, or (``there`` is ``None``) not at all."""
    if there is None:
        return message("answered with {status}", status=str(status))
    return message("{count} of {all} locations", count=str(there), all=str(wanted))
