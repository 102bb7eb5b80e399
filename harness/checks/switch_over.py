"""After the flag is off: when did each client leave the API? (ロールバック手順 2: within 5 minutes.) Pure."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import numpy as np

from harness.judge.ledger import Calls, Ledger
from harness.judge.window import NS


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
    rows = rows[rows["sent_ns"] >= published_ns]
    switched_ns = {user: _switched_ns(rows, ledger.users.get(user, -1)) for user in sorted(set(users))}
    took_s = {user: (at_ns - published_ns) / NS for user, at_ns in switched_ns.items() if at_ns is not None}
    return SwitchOver(
        clients=len(switched_ns),
        switched=len(took_s),
        last_s=max(took_s.values(), default=None),
        limit_s=limit_s,
        late_users=tuple(user for user in switched_ns if user not in took_s or took_s[user] > limit_s),
    )


def _switched_ns(rows: Calls, number: int) -> int | None:
    own = rows[rows["user"] == number]
    on_api = own["sent_ns"][own["api"]]
    on_firestore = own["sent_ns"][~own["api"]]
    after = on_firestore[on_firestore > on_api.max()] if len(on_api) else on_firestore
    return int(np.min(after)) if len(after) else None
