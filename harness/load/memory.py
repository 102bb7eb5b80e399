"""What a phone keeps of its walks: all their locations, and how many of them each side has confirmed.

A location that a side did not confirm goes there again with the walk's next PUT. So a failed PUT, a stretch without
network and a change of sides in mid-walk lose nothing, however the flag flips: the API is told all that it has not
confirmed, Firestore is always told the whole walk. The app under the document would send only what is new; what that
loses is ``harness.rehearsals.flag_proof``'s to show.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from harness.load.firestore_side import PhoneWalk
from harness.load.population.schedule import Planned
from harness.load.population.walk import Location, WalkUpdate
from harness.model.evidence import Operation, Side

#: The walk under way, the side walk, and walks whose end nobody has confirmed yet. Beyond it the oldest is forgotten.
MOST_WALKS = 20


class _Walk(msgspec.Struct):
    began: datetime
    latest: Planned
    locations: list[Location]
    confirmed: dict[Side, int]  # so many locations from the first

    @property
    def unsent(self) -> bool:
        """Whether no side has confirmed all of it."""
        return max(self.confirmed.values(), default=0) < len(self.locations)


class WalkMemory:
    """One user's. ``remember`` each PUT when it is due, ``confirm`` what was acknowledged."""

    def __init__(self) -> None:
        self._walks: dict[str, _Walk] = {}

    def remember(self, planned: Planned, began: datetime) -> None:
        """The phone has recorded these locations, whether or not they can be sent. Forgets walks that are over."""
        if planned.operation is Operation.DELETE_WALK:
            self._walks.pop(planned.walk_id, None)  # the user wants it gone: it is not sent again
        if not isinstance(planned.body, WalkUpdate):
            return
        walk = self._walks.pop(planned.walk_id, None)
        if walk is None:
            walk = _Walk(began=began, latest=planned, locations=[], confirmed={})
        walk.latest = planned
        walk.locations += planned.body.locations
        self._walks[planned.walk_id] = walk
        self._forget()

    def to_send(self, planned: Planned, side: Side) -> Planned:
        """``planned`` with all locations that ``side`` has not confirmed; as it is when there are no others."""
        walk = self._walks.get(planned.walk_id)
        if walk is None or side is Side.FIRESTORE or not isinstance(planned.body, WalkUpdate):
            return planned
        locations = tuple(walk.locations[walk.confirmed.get(side, 0) :])
        if locations == planned.body.locations:
            return planned
        return msgspec.structs.replace(planned, body=msgspec.structs.replace(planned.body, locations=locations))

    def confirm(self, planned: Planned, side: Side) -> None:
        """``side`` acknowledged ``planned``."""
        if isinstance(planned.body, WalkUpdate) and (walk := self._walks.get(planned.walk_id)) is not None:
            walk.confirmed[side] = len(walk.locations)

    def left_behind(self, current: Planned) -> Planned | None:
        """The last PUT of a walk that is over and that no side has confirmed whole; ``None`` when there is none."""
        for walk_id, walk in self._walks.items():
            if walk.unsent and walk_id != current.walk_id and walk is not self._newest():
                return walk.latest
        return None

    def whole(self, walk_id: str) -> PhoneWalk | None:
        """The walk as Firestore is told."""
        walk = self._walks.get(walk_id)
        return None if walk is None else PhoneWalk(began=walk.began, locations=tuple(walk.locations))

    def _newest(self) -> _Walk | None:
        return next(reversed(self._walks.values()), None)

    def _forget(self) -> None:
        over = [walk_id for walk_id, walk in list(self._walks.items())[:-2] if not walk.unsent]
        for walk_id in over:
            del self._walks[walk_id]
        while len(self._walks) > MOST_WALKS:
            del self._walks[next(iter(self._walks))]
