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
from harness.model.message import Told, message


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """``walks`` and ``locations`` of the population that are stored; what of them is there too often."""

    walks: int
    locations: int
    repeated: tuple[str, ...]

    @property
    def told(self) -> Told:
        """All counts, for people."""
        return (
            message(
                "{walks} walks with {locations} locations: {count} stored more than once",
                walks=str(self.walks),
                locations=str(self.locations),
                count=str(len(self.repeated)),
            ),
        )


def applied_once(sent: Sent, stored: Sequence[StoredWalk], users: Collection[str]) -> Once:
    """``stored`` are all walks as read, doubled ones included; those of others than ``users`` are passed over."""
    own = [walk for walk in stored if walk.user in set(users)]
    found = [f"walk {walk_id}: {count} rows" for walk_id, count in Counter(w.id for w in own).items() if count > 1]
    ids = Counter(create.walk_id for create in sent.creates if create.acknowledged)
    found += [f"walk {walk_id}: given to {count} CREATEs" for walk_id, count in ids.items() if count > 1]
    found += _created(sent, own)
    for walk in own:
        found += _locations(walk, sent)
    return Once(walks=len(own), locations=sum(len(walk.locations) for walk in own), repeated=tuple(found))


def _created(sent: Sent, own: Sequence[StoredWalk]) -> list[str]:
    """Walks that no PUT named: each CREATE made at most one, an acknowledged one that of its id."""
    found: list[str] = []
    creates = {(create.user, create.body.title): create for create in sent.creates}
    made: Counter[tuple[str, str]] = Counter()
    for walk in own:
        if walk.id in sent.walks:
            continue
        key = (walk.user, str(walk.columns["title"]))
        create = creates.get(key)
        if create is None:
            found.append(f"walk {walk.id} of {walk.user}: nobody sent it")
            continue
        made[key] += 1
        if made[key] > 1 or (create.acknowledged and create.walk_id != walk.id):
            found.append(f"walk {walk.id} of {walk.user}: made once more by one CREATE")
    return found


def _locations(walk: StoredWalk, sent: Sent) -> list[str]:
    told = sent.walks.get(walk.id)
    numbers = Counter(row["sequence_number"] for row in walk.locations)
    twice = [number for number, count in numbers.items() if count > 1]
    found = [f"walk {walk.id}: location {number} is there {numbers[number]} times" for number in twice]
    recorded = {location.sequence_number for _, location in told.recorded} if told is not None else set()
    strange = [number for number in numbers if number not in recorded]
    if strange:
        found.append(f"walk {walk.id}: {len(strange)} locations that were not sent, the first is number {strange[0]}")
    return found
