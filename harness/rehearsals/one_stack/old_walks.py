"""Users who have just moved ask the API for their old walks: those that they have not written since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from harness.checks.dual_write import document_id
from harness.checks.stores import Stores
from harness.checks.told import locations_shown, of_walk, says_nothing, shown_short
from harness.load.population.accounts import Account
from harness.model.evidence import WRITES, Operation, RequestRow, Side
from harness.model.message import Message
from harness.rehearsals.one_stack.types import Asked

#: Of each user.
_MOST_WALKS = 3
_EXAMPLES = 5
_NOT_FOUND = 404


async def ask(
    stores: Stores, requests: Iterable[RequestRow], moved: Sequence[Account], since_ns: int, *, most: int
) -> Asked:
    """The first ``most`` of ``moved`` that have such walks. ``since_ns`` is when they were told to move. Raises
    ``PartDied`` where Auth or Firestore does not answer."""
    rows = [row for row in requests if row.operation in WRITES]
    old, since = _old(rows, {each.user for each in moved}, since_ns), _since(rows)
    asked = [each for each in moved if each.user in old][:most]
    documents = stores.documents()
    walks = short = unknown = behind = unread = 0
    lacking: list[Message] = []
    try:
        for account in asked:
            token = await stores.sign_in(account)
            held = await documents.get_many([document_id(each) for each in old[account.user]])
            for walk_id in old[account.user]:
                document = held.get(document_id(walk_id))
                if document is None:
                    continue
                walks += 1
                answer = await stores.exchange("GET", f"/v1/walks/{walk_id}", token, b"")
                there = locations_shown(answer.status, answer.body)
                wanted = len(document["location_data"].value) if "location_data" in document else 0
                if there is not None and there >= wanted:
                    continue
                lacking.append(of_walk(walk_id, account.user, shown_short(answer.status, there, wanted)))
                if says_nothing(answer.status):
                    unread += 1
                    continue
                short += there is not None
                behind += there is not None and walk_id in since
                unknown += answer.status == _NOT_FOUND
    finally:
        await documents.close()
    missing, examples = len(lacking) - short - unread, tuple(lacking[:_EXAMPLES])
    counts = {"missing": missing, "short": short, "unknown": unknown, "behind": behind, "unread": unread}
    return Asked(users=len(asked), walks=walks, **counts, examples=examples)


def _since(requests: Iterable[RequestRow]) -> set[str]:
    """Walks that the API was asked to write once, and Firestore alone since: who was put back goes on there."""
    api, since = set[str](), set[str]()
    for row in sorted(requests, key=lambda row: row.sent_ns):
        walk_id = row.walk_id.lower()
        if row.operation in WRITES and row.side is Side.API:
            api.add(walk_id)
            since.discard(walk_id)
        elif row.operation in WRITES and walk_id in api:
            since.add(walk_id)
    return since


def _old(requests: Iterable[RequestRow], users: set[str], since_ns: int) -> dict[str, list[str]]:
    """By user, at most ``_MOST_WALKS`` walks that Firestore acknowledged before ``since_ns`` and that nobody has asked
    to write or to delete since, the first written first."""
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    touched = set()
    for row in sorted(requests, key=lambda row: row.sent_ns):
        if row.user not in users or row.operation not in WRITES:
            continue
        walk_id = row.walk_id.lower()
        if row.operation is Operation.DELETE_WALK or row.done_ns >= since_ns:
            touched.add(walk_id)
        elif row.side is Side.FIRESTORE and row.acknowledged:
            found[row.user][walk_id] = None
    left = {user: [each for each in walks if each not in touched] for user, walks in found.items()}
    return {user: walks[:_MOST_WALKS] for user, walks in left.items() if walks}
