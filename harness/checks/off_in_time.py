"""Was every client off the API within five minutes of the flag's publish? (ロールバック手順 2.) Pure, of any run.

``switch_over`` follows the clients of a roll back as it happens; this looks at the evidence of every ``false`` that
stood: no request may have been sent to the API once the limit had passed, and everybody who had been on the API must be
seen on Firestore after the publish, with all that was due after the limit: what is missing may be the late request.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence

import msgspec

from harness.base.ticks import NS
from harness.checks.sent import by_place, is_scheduled, number_of
from harness.load.population.pacing import Pacing
from harness.load.population.schedule import accounts, due_ns, requests_due, slots
from harness.model.evidence import Due, EventRow, RequestRow, Side
from harness.model.message import Told, message
from harness.model.scenario import PopulationPlan

FLAG = "use_go_backend"


class OffInTime(msgspec.Struct, frozen=True, kw_only=True):
    """``offs`` are publishes of ``false`` that stood for the whole limit, ``short`` those that did not.

    ``late`` are users who sent to the API after the limit, ``unseen`` others who had sent to it and have no request to
    Firestore while the flag stood off, or of whom a request that was due after the limit is not in evidence.
    ``clients``: so many users, whose switch could be seen, had sent to the API since the flag had been off before.
    """

    offs: int
    short: int
    late: tuple[str, ...]
    limit_s: float
    unseen: tuple[str, ...] = ()
    clients: int = 0

    @property
    def told(self) -> Told:
        """All counts, for people."""
        return (
            message(
                "the flag went off {times} times, {offs} of them for {limit} s or more: {late} users sent to the API "
                "after that",
                times=str(self.offs + self.short),
                offs=str(self.offs),
                limit=f"{self.limit_s:g}",
                late=str(len(self.late)),
            ),
            *unseen_words(self.unseen),
        )


def unseen_words(users: Sequence[str]) -> Told:
    """Says of whom a request may be missing that was late; () for nobody."""
    if not users:
        return ()
    words = {"count": str(len(users)), "first": users[0]}
    return (message("of {count} users not every request is in evidence that would show it: {first} first", **words),)


def not_whole_since(rows: Iterable[RequestRow], users: Collection[str], since_ns: int) -> tuple[str, ...]:
    """Of ``users`` those of whom a request is not in evidence that was due before another one, which was sent after
    ``since_ns``: the missing one may have gone to either side."""
    gaps = {
        user
        for user, own in by_place(row for row in rows if row.user in users).items()
        for before, after in itertools.pairwise(sorted(own))
        if after - before > 1 and own[after] > since_ns
    }
    return tuple(sorted(gaps))


def off_in_time(
    events: Iterable[EventRow], requests: Iterable[RequestRow], *, limit_s: float, end_ns: int, due: Iterable[Due]
) -> OffInTime:
    """``events`` of kind "flag" on ``FLAG`` carry ``on``: for how many users. The evidence ends at ``end_ns``; what was
    to be sent by then, to whichever side, is ``due``.
    """
    published = sorted(
        (event.at_ns, int(event.data["on"]))
        for event in events
        if event.kind == "flag" and event.subject == FLAG and "on" in event.data
    )
    ends = itertools.pairwise([*published, (end_ns, 0)])  # none where nothing was ever published
    stretches = [(at_ns, to_ns) for (at_ns, on), (to_ns, _) in ends if not on]
    limit_ns = round(limit_s * NS)
    whole = [(at_ns, to_ns) for at_ns, to_ns in stretches if to_ns - at_ns >= limit_ns]
    rows = [*requests]
    late = {row.user for row in rows if row.side is Side.API and _after(row.sent_ns, whole, limit_ns)}
    there = {row.operation_id for row in rows}
    lost = {each.user for each in due if each.id not in there and _after(each.due_ns, whole, limit_ns)}
    clients, unseen = _clients(rows, stretches, whole)
    return OffInTime(
        offs=len(whole),
        short=len(stretches) - len(whole),
        late=tuple(sorted(late)),
        limit_s=limit_s,
        unseen=tuple(sorted((unseen | lost) - late)),
        clients=len(clients),
    )


def due_beside(rows: Iterable[RequestRow], plan: PopulationPlan, seed: int, end_ns: int) -> tuple[Due, ...]:
    """What everybody has due until ``end_ns``, by a schedule whose begin any of ``rows`` tells; none without one."""
    placed, pacing = slots(plan, accounts(plan, seed), seed), Pacing(plan)
    told = (row for row in rows if row.user in placed and is_scheduled(row))
    first = next((row for row in told if number_of(row.operation_id) >= placed[row.user].earlier), None)
    if first is None:
        return ()
    origin_ns = first.due_ns - due_ns(pacing, placed[first.user], number_of(first.operation_id))
    return requests_due(plan, seed, origin_ns, end_ns)


def _clients(
    rows: Sequence[RequestRow], stretches: Sequence[tuple[int, int]], whole: Sequence[tuple[int, int]]
) -> tuple[set[str], set[str]]:
    """Who sent to the API since the flag had been off before, and of them who in one of the ``whole`` stretches sent to
    no other."""
    clients: set[str] = set()
    unseen: set[str] = set()
    for at_ns, to_ns in whole:
        since_ns = max((to for _, to in stretches if to <= at_ns), default=0)
        on_api = {row.user for row in rows if row.side is Side.API and since_ns <= row.sent_ns < to_ns}
        clients |= on_api
        unseen |= on_api - {r.user for r in rows if r.side is Side.FIRESTORE and at_ns <= r.sent_ns < to_ns}
    return clients, unseen


def _after(at_ns: int, stretches: Sequence[tuple[int, int]], limit_ns: int) -> bool:
    return any(from_ns + limit_ns < at_ns < to_ns for from_ns, to_ns in stretches)
