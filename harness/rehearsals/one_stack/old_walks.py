"""Users who have just moved ask the API for their old walks, as the app does: those that were over before they moved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from harness.checks.dual_write import document_id
from harness.checks.stores import Stores
from harness.load.population.accounts import Account
from harness.load.population.walk import Status
from harness.model.evidence import WRITES, Operation, RequestRow, Side
from harness.rehearsals.one_stack.types import Asked
from harness.stack.firebase.documents import Fields

#: Of each user.
_MOST_WALKS = 3
_EXAMPLES = 5


class _Location(msgspec.Struct):
    sequence_number: int


class _Walk(msgspec.Struct):
    """As far as the contract's answer is compared."""

    id: str
    locations: list[_Location] = []


async def ask(
    stores: Stores, requests: Iterable[RequestRow], moved: Sequence[Account], since_ns: int, *, most: int
) -> Asked:
    """The first ``most`` of ``moved`` that have such walks. ``since_ns`` is when they were told to move. Raises
    ``PartDied`` where Auth, Firestore or the target does not answer."""
    old = _old(requests, {each.user for each in moved}, since_ns)
    asked = [each for each in moved if each.user in old][:most]
    documents = stores.documents()
    users = walks = short = 0
    missing: list[str] = []
    try:
        for account in asked:
            token = await stores.sign_in(account)
            held = await documents.get_many([document_id(each) for each in old[account.user]])
            over = [each for each in old[account.user] if _is_over(held.get(document_id(each)))][:_MOST_WALKS]
            users += bool(over)
            for walk_id in over:
                walks += 1
                answer = await stores.exchange("GET", f"/v1/walks/{walk_id}", token, b"")
                there = _locations(answer.body) if answer.status == 200 else None
                wanted = len(held[document_id(walk_id)]["location_data"].value)
                if there is None:
                    missing.append(f"walk {walk_id} of {account.user}: {answer.status}")
                elif there < wanted:
                    short += 1
                    missing.append(f"walk {walk_id} of {account.user}: {there} of {wanted} locations")
    finally:
        await documents.close()
    return Asked(
        users=users, walks=walks, missing=len(missing) - short, short=short, examples=tuple(missing[:_EXAMPLES])
    )


def _old(requests: Iterable[RequestRow], users: set[str], since_ns: int) -> dict[str, list[str]]:
    """By user, the walks that Firestore acknowledged before ``since_ns`` and that were not asked to be deleted, the
    first written first."""
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    gone = set()
    for row in sorted(requests, key=lambda row: row.sent_ns):
        if row.user not in users or row.operation not in WRITES:
            continue
        if row.operation is Operation.DELETE_WALK:
            gone.add(row.walk_id.lower())
        elif row.side is Side.FIRESTORE and row.acknowledged and row.done_ns < since_ns:
            found[row.user][row.walk_id.lower()] = None
    left = {user: [each for each in walks if each not in gone] for user, walks in found.items()}
    return {user: walks for user, walks in left.items() if walks}


def _is_over(document: Fields | None) -> bool:
    return document is not None and "status" in document and document["status"].value == Status.COMPLETED


def _locations(body: bytes) -> int | None:
    """How many a walk of an answer has; ``None`` of what is no walk."""
    try:
        return len(msgspec.json.decode(body, type=_Walk).locations)
    except msgspec.DecodeError:
        return None
