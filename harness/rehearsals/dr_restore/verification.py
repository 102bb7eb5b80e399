"""What a restored instance of the stack holds, against what phones and probes sent. No traffic reaches it yet.

Content is recomputed from the seed (``harness.checks.sent``) and compared column by column, location by location: the
old instance, whose digests one would compare with, is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import asyncpg
import msgspec

from harness.checks import stores
from harness.checks.acknowledged import acknowledged
from harness.checks.dual_write import StoredWalk
from harness.checks.invariants import probed_walks
from harness.checks.off_in_time import unseen_words
from harness.checks.sent import Sent, api_writes, sent, untold
from harness.load.population.accounts import accounts, canaries
from harness.model.evidence import Operation, ProbeRow, RequestRow
from harness.model.message import Message, joined, message, of_error, verbatim
from harness.model.scenario import PopulationPlan, ProbePlan
from harness.model.stack import Endpoints
from harness.rehearsals.dr_restore.cases import Check
from harness.rehearsals.dr_restore.sentinel import closing
from harness.rehearsals.dr_restore.server import Server

_EXAMPLES = 3
CONTENT = message("content of the users' and the probes' walks acknowledged before the last recovered commit")
COUNT = message("no walk that nobody sent")
LOCATIONS = message("no location that nobody sent, none twice")


class Phones(msgspec.Struct, frozen=True, kw_only=True):
    """Who sent what, to be recomputed."""

    population: PopulationPlan
    probes: ProbePlan
    seed: int
    anchor_unix_ns: int
    bucket: str


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore may hold: the users' writes, and the probes whose writes it must hold. Of ``untold`` users not
    every request is in evidence: the missing one may have written, or deleted, what looks lost or strange."""

    writes: list[RequestRow]
    probes: list[ProbeRow]
    untold: tuple[str, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[RequestRow], probes: Iterable[ProbeRow], last_ns: int, gone_ns: int) -> Held:
        """Of a restore up to ``last_ns``: writes sent before ``gone_ns``, to be there for certain only when they were
        answered before ``last_ns``. ``rows`` are all there are, so that one that is missing shows as a gap.
        """
        rows = [*rows]
        writes = [
            row if row.done_ns < last_ns else msgspec.structs.replace(row, acknowledged=False)
            for row in api_writes(rows)
            if row.sent_ns <= gone_ns
        ]
        kept = [probe for probe in probes if probe.done_ns < last_ns]
        return cls(writes=writes, probes=kept, untold=untold(rows, ()))


def content_checks(phones: Phones, held: Held, stored: Mapping[str, StoredWalk]) -> list[Check]:
    """``stored``: all walks there are, by id in lower case. Pure."""
    known = sent(
        held.writes,
        phones.population,
        accounts(phones.population, phones.seed),
        seed=phones.seed,
        anchor_unix_ns=phones.anchor_unix_ns,
        bucket=phones.bucket,
    )
    probed = probed_walks(held.probes, phones.probes.canary_users, phones.seed, phones.anchor_unix_ns)
    found = acknowledged(known, stored, probed)
    told = [*found.told, *(lost.told for lost in found.lost[:_EXAMPLES])]
    if known.unmatched:
        told.append(message("{count} writes are not of the schedule", count=str(len(known.unmatched))))
    told += unseen_words(held.untold)
    lost = [each for each in found.lost if each.user not in held.untold]
    whole = found.writes > 0 and not known.unmatched
    return [
        Check(
            name=CONTENT,
            ok=whole and not found.lost and not held.untold,
            told=joined(tuple(told)),
            unknown=whole and not lost,
        ),
        _nothing_else(phones, held, known, stored),
        _no_other_location(known, stored, held.untold),
    ]


def _nothing_else(phones: Phones, held: Held, known: Sent, stored: Mapping[str, StoredWalk]) -> Check:
    """A CREATE whose answer told no id may have made one walk, of its user and its title."""
    rows = held.writes
    named = {row.walk_id.lower() for row in rows}
    named |= {each.walk_id.lower() for each in canaries(phones.probes.canary_users, phones.seed)}
    nameless, strange = _nameless(rows, known), []
    nameless_ids = sorted(stored.keys() - named)
    for walk_id in nameless_ids:
        walk = stored[walk_id]
        made_by = (walk.user, str(walk.columns["title"]))
        if not nameless[made_by]:
            strange.append(walk_id)
        nameless[made_by] -= 1
    counts = {"walks": str(len(stored)), "unknown": str(len(nameless_ids))}
    told = [message("{walks} walks, {unknown} of an id that no phone knows", **counts)]
    if made := len(nameless_ids) - len(strange):
        as_said = message("{count} of them as a CREATE says that was never answered with an id", count=str(made))
        told.append(as_said)
    told += [*map(verbatim, strange[:_EXAMPLES]), *(unseen_words(held.untold) if strange else ())]
    unknown = all(stored[walk_id].user in held.untold for walk_id in strange)
    return Check(name=COUNT, ok=not strange, told=joined(tuple(told)), unknown=unknown)


def _nameless(rows: Sequence[RequestRow], known: Sent) -> Counter[tuple[str, str]]:
    """By user and title: the CREATEs without an answer, or with a server's error, behind which a commit may lie.

    One that was refused (4xx) made nothing, and one answered with success told its walk's id.
    """
    titles = {(create.user, create.sent_ns): create.body.title for create in known.creates}
    return Counter(
        (row.user, titles[row.user, row.sent_ns])
        for row in rows
        if row.operation is Operation.CREATE_WALK
        and (row.status == 0 or row.status >= 500)
        and (row.user, row.sent_ns) in titles
    )


def _no_other_location(known: Sent, stored: Mapping[str, StoredWalk], untold: Collection[str]) -> Check:
    """A walk holds at most what was recorded by its last PUT, each once; what it must hold is ``CONTENT``'s."""
    wrong, count, unknown = list[Message](), 0, True
    for walk in stored.values():
        count += len(walk.locations)
        numbers = Counter(row["sequence_number"] for row in walk.locations)
        twice = [number for number, times in numbers.items() if times > 1]
        strange = sorted(numbers.keys() - _recorded(known, walk.id))
        wrong += [
            message(
                "walk {walk}: location {number} is there {count} times",
                walk=walk.id,
                number=str(number),
                count=str(numbers[number]),
            )
            for number in twice
        ]
        if strange:
            nobody = message(
                "walk {walk}: {count} locations that nobody sent, the first is number {number}",
                walk=walk.id,
                count=str(len(strange)),
                number=str(strange[0]),
            )
            wrong.append(nobody)
        unknown &= not twice and (not strange or walk.user in untold)
    told = message("{locations} locations of {walks} walks", locations=str(count), walks=str(len(stored)))
    return Check(name=LOCATIONS, ok=not wrong, told=joined((told, *wrong[:_EXAMPLES])), unknown=unknown)


def _recorded(known: Sent, walk_id: str) -> set[int]:
    """The numbers of the locations that the PUTs of a walk may have told; none for a walk without a PUT."""
    walk = known.walks.get(walk_id)
    last = max((put.number for put in walk.puts), default=-1) if walk is not None else -1
    return {location.sequence_number for by, location in walk.recorded if by <= last} if walk is not None else set()


async def verified(server: Server, endpoints: Endpoints, phones: Phones, held: Held) -> list[Check]:
    """The checks on a real instance; ``endpoints`` are the stack's, for the application's login.

    Raises ``PartDied`` when it does not answer, ``TooManyWalks``.
    """
    try:
        there = await stores.read_walks(msgspec.structs.replace(endpoints, database=server.address))
    except stores.NotAsNamed as error:
        return [Check(name=CONTENT, ok=False, told=of_error(error))]
    return content_checks(phones, held, {walk.id: walk for walk in there})


async def sessions(server: Server, user: str) -> int:
    """How many connections the application's ``user`` has to the instance."""
    connection: asyncpg.Connection = await server.connect()
    try:
        return int(await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE usename = $1", user))
    finally:
        await closing(connection)


async def archive_mode(connection: asyncpg.Connection) -> str:
    """An instance's setting: with "off" nothing backs it up."""
    return str(await connection.fetchval("SHOW archive_mode"))
