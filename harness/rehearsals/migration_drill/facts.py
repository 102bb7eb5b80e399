"""The facts of a migration drill: what was moved, refused and overwritten, and how the migrator went on. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from harness.base.message import gettext_noop
from harness.checks.stepwise import served_of, written_of
from harness.load.population.firestore_document import MOST_BYTES, size_bytes
from harness.load.population.schedule import accounts, stayers_due
from harness.migration.convert import MOST_LOCATIONS
from harness.model.evidence import Operation, RequestRow, Window
from harness.model.judgement import Verdict
from harness.model.message import Message, message
from harness.model.scenario import Scenario
from harness.rehearsals.migration_drill import plants
from harness.rehearsals.migration_drill.types import (
    ComparedStores,
    DrillDetails,
    DrillPlan,
    MigratorAttempt,
    OddDocument,
    Race,
    WeekSeen,
)
from harness.rules.rule import Fact, FactsOf

PHRASES = {
    "processes.killed": gettext_noop("killed {seen} of {planned} times while walks were there"),
    "process_s": gettext_noop("{ended} after {seen}; {walks} walks in PostgreSQL"),
    "processes.run": gettext_noop("{seen} processes of the migrator ran"),
    "processes.came_to_the_end": gettext_noop("{counts}"),
    "processes.broke": gettext_noop("{seen} processes that nobody killed broke"),
    "processes.began_again": gettext_noop("{seen} processes began again"),
    "wrong_walks": gettext_noop("{counts}"),
    "documents.as_moved": gettext_noop("{seen} documents are equal to what was moved"),
    "planted.not_compared": gettext_noop("{seen} of {of} walks written before the migration were not compared"),
    "odd.wrong_flaws": gettext_noop(
        "{good} of {of} documents out of the ordinary were moved whole, or refused and named"
    ),
    "largest.most_locations": gettext_noop("{counts}"),
    "largest.a_walk_s_locations": gettext_noop("a walk may have {seen} locations"),
    "race.lost_walks": gettext_noop("{counts}"),
    "race.written_walks": gettext_noop("{seen} of those that were to be written meanwhile were"),
    "race.planned_walks": gettext_noop("{seen} were to be written meanwhile"),
    "users.missing": gettext_noop("users missing: {names}"),
    "consents.planted": gettext_noop("{seen} consents in Firestore"),
    "consents.missing": gettext_noop("consents missing: {names}"),
    "consents.different": gettext_noop("{counts}"),
    "week1.wrong_walks": gettext_noop(
        "{wrong} of {of} moved walks that their owners asked the API for are not as moved"
    ),
    "week1.criteria_failed": gettext_noop("{seen} criteria of week 1 failed"),
    "week1.criteria_not_shown": gettext_noop("{seen} criteria of week 1 are not shown"),
    "stayers.requests": "",  # their samples say it
    "stayers.writes": "",
}
_ENDED = frozenset({0, 10})  # done; done, and something was refused
_EXAMPLES = 5


def facts(plan: DrillPlan, details: DrillDetails, requests: Iterable[RequestRow], seed: int) -> Iterator[Fact]:
    """All that was seen; ``seed`` is the run's."""
    fact = FactsOf(PHRASES)
    deleted = sum(row.operation is Operation.DELETE_WALK for row in requests)
    yield from _processes(fact, plan, details.attempts, deleted)
    if details.compared is not None and details.planted:
        yield from _whole(fact, details.compared, details.planted - len(details.odd))
    if details.odd:
        yield _odd(fact, details.odd)
    if any(each.name == plants.NEAR_1_MIB and each.there for each in details.odd):
        yield from _largest(fact, plan, seed)
    if details.race is not None:
        yield from _race(fact, plan, details.race)
    if details.compared is not None:
        yield from _people(fact, details)
    if plan.week is not None and details.week is not None:
        yield from _week(fact, plan.week, details.week)


def stayers(plan: DrillPlan, details: DrillDetails, rows: Iterable[RequestRow], seed: int) -> Iterator[Fact]:
    """Who stays on Firestore, by the requests that were due and the writes."""
    fact, there = FactsOf(PHRASES), [*rows]
    if details.origin_ns is not None and details.sent_ns is not None:
        window = Window(start_ns=details.origin_ns, end_ns=details.sent_ns)
        due = stayers_due(plan.population, plan.population, seed, details.origin_ns, window)
        yield fact.of_sample("stayers.requests", served_of(there, due))
    yield fact.of_sample("stayers.writes", written_of(there, 0 if details.race is None else details.race.written))


def _processes(fact: FactsOf, plan: DrillPlan, attempts: Sequence[MigratorAttempt], deleted: int) -> Iterator[Fact]:
    """A kill while no walk was there shows nothing; users ``deleted`` so many walks."""
    kills = sum(each.killed and each.walks > 0 for each in attempts)
    nothing = () if plan.kills else (message("no process was to be killed"),)
    broke = tuple(_ended_by_themselves(attempts))
    again = tuple(_begun_again(attempts, deleted))
    last = attempts[-1] if attempts else None
    yield fact("processes.killed", kills, of=kills, planned=str(plan.kills), lacks=nothing)
    yield fact("processes.run", len(attempts))
    for number, each in enumerate(attempts, 1):
        ended = message("SIGKILL") if each.killed else message("status {status}", status=str(each.status))
        yield FactsOf(PHRASES, case=str(number))("process_s", each.seconds, ended=ended, walks=f"{each.walks:,}")
    told = message("the migrator did not come to its end")
    if last is not None and not last.killed:
        seconds = f"{sum(each.seconds for each in attempts):.0f}"
        told = message(
            "the last process ended with status {status} after {seconds} s in all",
            status=str(last.status),
            seconds=seconds,
        )
    yield fact("processes.came_to_the_end", int(last is not None and not last.killed), counts=told)
    yield fact("processes.broke", len(broke), besides=broke)
    yield fact("processes.began_again", len(again), besides=again)


def _ended_by_themselves(attempts: Iterable[MigratorAttempt]) -> Iterator[Message]:
    """Processes that nobody killed, and that came to no end."""
    for each in attempts:
        if not each.killed and each.status not in _ENDED:
            yield message(
                "a process of the migrator that nobody killed ended with status {status}", status=str(each.status)
            )


def _begun_again(attempts: Sequence[MigratorAttempt], deleted: int) -> Iterator[Message]:
    """Processes behind which, or during which, fewer walks were there than before them, by more than users
    ``deleted``."""
    for before, after in pairwise(attempts):
        counts = {"before": f"{before.walks:,}"}
        if after.walks + deleted < before.walks:
            yield message(
                "PostgreSQL had {before} walks before a process of the migrator, {after} after it",
                after=f"{after.walks:,}", **counts,
            )  # fmt: skip
        elif after.least is not None and after.least + deleted < before.walks:
            yield message(
                "PostgreSQL had {before} walks before a process of the migrator, {least} during it",
                least=f"{after.least:,}", **counts,
            )  # fmt: skip


def _whole(fact: FactsOf, found: ComparedStores, planted: int) -> Iterator[Fact]:
    """Walks that are not as their document, nor a later write. So many were ``planted`` among them, and of one without
    a document nobody knows; a run of before says only how many were compared in all. What the API has written since
    says nothing of what was moved."""
    told = message(
        "{documents} documents against {walks} walks: {equal} equal field for field, {later} of a later write in "
        "PostgreSQL, {missing} missing, {older} older than their document, {different} different; {alone} walks have "
        "no document",
        documents=f"{found.documents:,}",
        walks=f"{found.walks:,}",
        equal=f"{found.equal:,}",
        later=str(found.later),
        missing=str(found.missing),
        older=str(found.older),
        different=str(found.different),
        alone=str(found.alone),
    )
    wrong = found.missing + found.older + found.different + found.strange
    yield fact(
        "wrong_walks", wrong, of=found.documents, examples=found.examples, counts=told, besides=tuple(_beside(found))
    )
    yield fact("documents.as_moved", found.equal + found.stamped)
    unseen = planted - found.documents if found.unseen is None else found.unseen
    yield fact("planted.not_compared", unseen, of=planted)


def _beside(found: ComparedStores) -> Iterator[Message]:
    """What there is only where a migrator is no good, or the database stamps what it stores."""
    if found.stamped:
        count = f"{found.stamped:,}"
        yield message("{count} more are equal but for a later updated_at, and nobody wrote them", count=count)
    if found.strange:
        count = str(found.strange)
        yield message("{count} that have no document were made by nobody, or deleted through the API", count=count)


def _odd(fact: FactsOf, odd: Sequence[OddDocument]) -> Fact:
    wrong = [each for each in odd if not each.good]
    examples = [message("{what}: {why}", what=Message(text=each.name), why=each.became) for each in wrong[:_EXAMPLES]]
    return fact("odd.wrong_flaws", len(wrong), of=len(odd), good=str(len(odd) - len(wrong)), examples=examples)


def _largest(fact: FactsOf, plan: DrillPlan, seed: int) -> Iterator[Fact]:
    """The planted document near 1 MiB, which was moved, by the size that Firestore counts, whatever an emulator takes:
    of how many locations it could be at most, which is fewer than a walk may have."""
    user = accounts(plan.population, seed)[0].user
    [plant] = [each for each in plants.odd(user, seed, 0) if each.what == plants.NEAR_1_MIB]
    points = plant.fields["location_data"]
    counted = size_bytes(plant.path, plant.fields)
    location = counted - size_bytes(plant.path, {**plant.fields, "location_data": points[1:]})
    most = len(points) + (MOST_BYTES - counted) // location
    told = message(
        "the document of {locations} locations that was moved is {bytes} bytes as Firestore counts, {each} a location; "
        "Firestore takes {limit} bytes at most, which are {most} of them, and a walk may have {all}",
        locations=f"{len(points):,}",
        bytes=f"{counted:,}",
        each=str(location),
        limit=f"{MOST_BYTES:,}",
        most=f"{most:,}",
        all=f"{MOST_LOCATIONS:,}",
    )
    yield fact("largest.most_locations", most, counts=told)
    yield fact("largest.a_walk_s_locations", MOST_LOCATIONS)


def _race(fact: FactsOf, plan: DrillPlan, race: Race) -> Iterator[Fact]:
    """Whatever the API acknowledged last is there, or lost."""
    told = message(
        "{written} writes through the API to {walks} walks while they were moved, {lost} overwritten by older values",
        written=f"{race.written:,}",
        walks=str(race.walks),
        lost=str(len(race.lost)),
    )
    yield fact("race.lost_walks", len(race.lost), of=race.written, examples=race.lost[:_EXAMPLES], counts=told)
    yield fact("race.written_walks", race.walks)
    yield fact("race.planned_walks", min(plan.racing, plan.walks))


def _people(fact: FactsOf, details: DrillDetails) -> Iterator[Fact]:
    """What nobody looked at may be any number."""
    of, differ = details.consents, details.consents_different
    for name, missing in (("users.missing", details.users_missing), ("consents.missing", details.consents_missing)):
        names = "–" if missing is None else ", ".join(missing) or "0"
        seen, high = (None, math.inf) if missing is None else (len(missing), None)
        yield fact(name, seen, low=0 if missing is None else None, high=high, of=of, names=names)
    if differ is None:
        held = message("what the consents hold was not compared with their documents")
        yield fact("consents.different", low=0, high=math.inf, of=of, counts=held, besides=details.consents_unread)
    else:
        held = message("{count} consents hold other values than their documents", count=str(len(differ)))
        yield fact(
            "consents.different", len(differ), of=of, counts=held, examples=differ[:_EXAMPLES],
            besides=details.consents_unread,
        )  # fmt: skip
    yield fact("consents.planted", of)


def _week(fact: FactsOf, scenario: Scenario, seen: WeekSeen) -> Iterator[Fact]:
    """Criteria are judged by the week's own rules. A walk of which no answer said what became of it may be wrong."""
    unread = (message("of {count} no answer said what became of them", count=str(seen.unread)),) if seen.unread else ()
    yield fact(
        "week1.wrong_walks", seen.wrong, high=seen.wrong + seen.unread, of=seen.asked, examples=seen.examples,
        besides=unread, wrong=str(seen.wrong),
    )  # fmt: skip
    unseen = message("not in evidence: the run left nothing to judge it by")
    open_ = {each.id: unseen for each in scenario.criteria}
    closed: dict[str, Message] = {}
    for each in seen.criteria:
        open_.pop(each.id, None)
        (closed if each.verdict in (Verdict.PASS, Verdict.FAIL) else open_)[each.id] = each.told[0]
    failed = sum(each.verdict is Verdict.FAIL for each in seen.criteria)
    for name, count, said in (("failed", failed, closed), ("not_shown", len(open_), open_)):
        besides = tuple(message("{what}: {why}", what=id_, why=why) for id_, why in said.items())
        yield fact(f"week1.criteria_{name}", count, of=len(scenario.criteria), besides=besides)
