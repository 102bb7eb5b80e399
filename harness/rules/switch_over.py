"""After the flag is off: when did each client leave the API? (ロールバック手順 2: within 5 minutes.) Pure."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import numpy as np

from harness.base.ticks import NS
from harness.rules.ledger import Calls, Ledger


class SwitchOver(msgspec.Struct, frozen=True, kw_only=True):
    """The roll back's measured switch: from the publish of ``false`` to each client's first request on Firestore."""

    clients: int
    switched: int
    last_s: float | None
    limit_s: float
    late_users: tuple[str, ...] = ()


def switch_over(ledger: Ledger, published_ns: int, users: Collection[str], limit_s: float) -> SwitchOver:
    """The switch of ``users`` (those whose flag was on) after ``false`` was published at ``published_ns``.

    A client has switched with the first request it sent to Firestore after which it sent none to the API. Late is
    who has not switched in the evidence, or took longer than ``limit_s``: a client that was never heard of again
    is late too.
    """
    rows = ledger.requests
    first_ns = _switched_ns(rows[rows["sent_ns"] >= published_ns], len(ledger.users))
    switched_ns = {user: first_ns.get(ledger.users.get(user, -1)) for user in sorted(set(users))}
    took_s = {user: (at_ns - published_ns) / NS for user, at_ns in switched_ns.items() if at_ns is not None}
    return SwitchOver(
        clients=len(switched_ns),
        switched=len(took_s),
        last_s=max(took_s.values(), default=None),
        limit_s=limit_s,
        late_users=tuple(user for user in switched_ns if user not in took_s or took_s[user] > limit_s),
    )


def _switched_ns(rows: Calls, users: int) -> dict[int, int]:
    """By user's number: when each of those who switched sent its first request to Firestore after its last to the
    API.
    """
    api = rows["api"]
    last_ns = np.full(users, np.iinfo(np.int64).min)
    np.maximum.at(last_ns, rows["user"][api], rows["sent_ns"][api])
    after = rows[~api & (rows["sent_ns"] > last_ns[rows["user"]])]
    first_ns = np.full(users, np.iinfo(np.int64).max)
    np.minimum.at(first_ns, after["user"], after["sent_ns"])
    return {number: int(first_ns[number]) for number in np.unique(after["user"]).tolist()}
