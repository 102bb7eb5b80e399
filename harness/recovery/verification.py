"""What a restored instance of the stack holds, against what phones sent and were answered. No traffic reaches it yet.

Content is recomputed from the seed (``harness.checks.sent``) and compared column by column, location by location: the
old instance, whose digests one would compare with, is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import asyncpg
import msgspec

from harness import stores
from harness.checks.acknowledged import acknowledged
from harness.checks.dual_write import StoredWalk
from harness.checks.sent import api_writes, sent
from harness.model.evidence import Operation, RequestRow
from harness.model.scenario import PopulationPlan, ProbePlan
from harness.model.stack import Endpoints
from harness.population.accounts import accounts, canaries
from harness.recovery.result import Check
from harness.recovery.sentinel import closing
from harness.recovery.server import Server

_EXAMPLES = 3
CONTENT = "content of the users' walks acknowledged before the last recovered commit"
COUNT = "no walk that nobody sent"


class Phones(msgspec.Struct, frozen=True, kw_only=True):
    """Who sent what, to be recomputed."""

    population: PopulationPlan
    probes: ProbePlan
    seed: int
    anchor_unix_ns: int
    bucket: str


def as_of(rows: Iterable[RequestRow], last_ns: int, gone_ns: int) -> list[RequestRow]:
    """The writes that a restore up to ``last_ns`` may hold: sent before ``gone_ns``, and to be there for certain only
    when they were answered before ``last_ns``.
    """
    return [
        row if row.done_ns < last_ns else msgspec.structs.replace(row, acknowledged=False)
        for row in api_writes(rows)
        if row.sent_ns <= gone_ns
    ]


def content_checks(phones: Phones, rows: Sequence[RequestRow], stored: Mapping[str, StoredWalk]) -> list[Check]:
    """``rows`` as ``as_of`` gives them; ``stored``: all walks there are, by id in lower case. Pure."""
    known = sent(
        rows,
        phones.population,
        accounts(phones.population, phones.seed),
        seed=phones.seed,
        anchor_unix_ns=phones.anchor_unix_ns,
        bucket=phones.bucket,
    )
    found = acknowledged(known, stored)
    told = [*map(str, found.told), *(str(lost) for lost in found.lost[:_EXAMPLES])]
    told += [f"{len(known.unmatched)} writes are not of the schedule"] if known.unmatched else []
    return [
        Check(name=CONTENT, ok=found.writes > 0 and not found.lost and not known.unmatched, told="; ".join(told)),
        _nothing_else(phones, rows, stored),
    ]


def _nothing_else(phones: Phones, rows: Sequence[RequestRow], stored: Mapping[str, StoredWalk]) -> Check:
    """A CREATE without an answer may have made a walk whose id nobody was told."""
    named = {row.walk_id.lower() for row in rows}
    named |= {each.walk_id.lower() for each in canaries(phones.probes.canary_users, phones.seed)}
    unanswered = sum(row.operation is Operation.CREATE_WALK and not row.acknowledged for row in rows)
    unknown = sorted(stored.keys() - named)
    locations = sum(len(walk.locations) for walk in stored.values())
    told = [f"{len(stored)} walks with {locations} locations, {len(unknown)} of an id that no phone knows"]
    told += [f"{unanswered} CREATEs without an answer may have made such"] if unanswered else []
    told += unknown[:_EXAMPLES]
    return Check(name=COUNT, ok=len(unknown) <= unanswered, told="; ".join(told))


async def verified(server: Server, endpoints: Endpoints, phones: Phones, rows: Sequence[RequestRow]) -> list[Check]:
    """The checks on a real instance; ``endpoints`` are the stack's, for the application's login.

    Raises ``PartDied`` when it does not answer, ``TooManyWalks``.
    """
    try:
        there = await stores.read_walks(msgspec.structs.replace(endpoints, database=server.address))
    except stores.NotAsNamed as error:
        return [Check(name=CONTENT, ok=False, told=str(error))]
    return content_checks(phones, rows, {walk.id: walk for walk in there})


async def sessions(server: Server, user: str) -> int:
    """How many connections the application's ``user`` has to the instance."""
    connection: asyncpg.Connection = await server.connect()
    try:
        return int(await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE usename = $1", user))
    finally:
        await closing(connection)


async def archive_mode(server: Server) -> str:
    """The instance's setting: with "off" nothing backs it up."""
    connection: asyncpg.Connection = await server.connect()
    try:
        return str(await connection.fetchval("SHOW archive_mode"))
    finally:
        await closing(connection)
