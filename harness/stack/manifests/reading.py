"""What reading a folder for one of the document's errata comes to."""

from __future__ import annotations

from typing import NamedTuple

from harness.model.manifests import FIXED_HERE, NOT_READABLE, STILL_THERE
from harness.model.message import Message


class Reading(NamedTuple):
    """What was read: the state, the sentence, the place ("" for none)."""

    state: str
    told: Message
    place: tuple[str, int] = ("", 0)


def still(told: Message, place: tuple[str, int] = ("", 0)) -> Reading:
    """The document's mistake stands in the folder, at the place."""
    return Reading(STILL_THERE, told, place)


def fixed(told: Message, place: tuple[str, int] = ("", 0)) -> Reading:
    """The folder does not have the document's mistake."""
    return Reading(FIXED_HERE, told, place)


def unread(told: Message) -> Reading:
    """The folder does not show it."""
    return Reading(NOT_READABLE, told)
