"""Was a repeated write applied once? Nothing is there twice, and nothing that nobody sent. Pure.

A unique key would hide a doubled row, and a target may have none: so walks are counted by their title, which is one
walk's alone, and locations by what they say, not only by their number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec

from harness.checks.dual_write import StoredWalk
from harness.checks.sent import Sent
from harness.model.message import Message, Told, message


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """``walks`` and ``locations`` of the population that are stored; what of them is there too often.

    ``twice`` is so whatever was sent; ``strange`` is what nobody is known to have sent.
    """

    walks: int
    locations: int
    twice: Told
    strange: Told

    @property
    def repeated(self) -> Told:
        """All of it."""
        return (*self.twice, *self.strange)

    @property
    def told(self) -> Told:
        """All counts, for people."""
        return (
            message(
                "{walks} walks with {locations} locations: {count} stored more than once",
                walks=f"{self.walks:,}",
                locations=f"{self.locations:,}",
                count=f"{len(self.repeated):,}",
            ),
        )


def applied_once(sent: Sent, stored: Sequence[StoredWalk], users: Collection[str]) -> Once:
    """``stored`` are all walks as read, doubled ones included; those of others than ``users`` are passed over."""
    named = set(users)
    own = [walk for walk in stored if walk.user in named]
    rows = Counter(walk.id for walk in own)
    twice = [message("walk {walk}: {count} rows", walk=each, count=str(n)) for each, n in rows.items() if n > 1]
    ids = Counter(create.walk_id for create in sent.creates if create.acknowledged)
    twice += [
        message("walk {walk}: given to {count} CREATEs", walk=each, count=str(n)) for each, n in ids.items() if n > 1
    ]
    strange = _created(sent, own)
    for walk in own:
        numbers = Counter(row["sequence_number"] for row in walk.locations)
        twice += [
            message(
                "walk {walk}: location {number} is there {count} times",
                walk=walk.id,
                number=str(number),
                count=str(count),
            )
            for number, count in numbers.items()
            if count > 1
        ]
        strange += _not_sent(walk, numbers, sent)
    located = sum(len(walk.locations) for walk in own)
    return Once(walks=len(own), locations=located, twice=tuple(twice), strange=tuple(strange))


def _created(sent: Sent, own: Sequence[StoredWalk]) -> list[Message]:
    """Walks that no PUT named: each CREATE made at most one, an acknowledged one that of its id."""
    found: list[Message] = []
    creates = {(create.user, create.body.title): create for create in sent.creates}
    known = {create.walk_id: (create.user, create.body.title) for create in sent.creates if create.acknowledged}
    made: Counter[tuple[str, str]] = Counter()
    for walk in own:
        if walk.id in sent.walks:
            continue
        if "title" not in walk.layout.walks and walk.id not in known:
            continue  # it may be that of a CREATE whose answer was lost
        key = (walk.user, str(walk.columns["title"])) if "title" in walk.layout.walks else known[walk.id]
        create = creates.get(key)
        if create is None:
            found.append(message("walk {walk} of {user}: nobody sent it", walk=walk.id, user=walk.user))
            continue
        made[key] += 1
        if made[key] > 1 or (create.acknowledged and create.walk_id != walk.id):
            again = message("walk {walk} of {user}: made once more by one CREATE", walk=walk.id, user=walk.user)
            found.append(again)
    return found


def _not_sent(walk: StoredWalk, numbers: Collection[int], sent: Sent) -> list[Message]:
    told = sent.walks.get(walk.id)
    recorded = {location.sequence_number for _, location in told.recorded} if told is not None else set()
    strange = [number for number in numbers if number not in recorded]
    if not strange:
        return []
    return [
        message(
            "walk {walk}: {count} locations that were not sent, the first is number {number}",
            walk=walk.id,
            count=str(len(strange)),
            number=str(strange[0]),
        )
    ]
