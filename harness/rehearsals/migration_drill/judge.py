"""A migration drill, judged: what was moved, refused and overwritten, and who could work meanwhile. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from harness.base.units import Unit
from harness.checks.stepwise import served_of, written_of
from harness.judge.window import Window
from harness.load.population.accounts import accounts
from harness.load.population.due import stayers_due
from harness.load.population.firestore_document import MOST_BYTES, size_bytes
from harness.migration.convert import MOST_LOCATIONS
from harness.model.evidence import Operation, RequestRow
from harness.model.judgement import Judgement, observation
from harness.model.message import Message, message, verbatim
from harness.model.scenario import Scenario
from harness.model.verdict import Verdict
from harness.rehearsals.migration_drill import plants
from harness.rehearsals.migration_drill.types import (
    CLAIM_PLAN,
    CLAIM_SCRIPT,
    Attempt,
    Compared,
    DrillDetails,
    DrillPlan,
    OddDocument,
    Race,
    WeekSeen,
)

ERRATUM_SIZE = "dual_write.document_of_one_mebibyte"
_ENDED = frozenset({0, 10})  # done; done, and something was refused
_EXAMPLES = 5


def judged(plan: DrillPlan, details: DrillDetails, requests: Iterable[RequestRow], seed: int) -> Iterator[Judgement]:
    """All that was seen; ``seed`` is the run's."""
    rows = list(requests)
    yield killed(plan, details, rows)
    if details.compared is not None and details.planted:
        yield whole(details.compared, details.planted - len(details.odd))
    if details.odd:
        yield of_odd(details.odd)
    if any(each.name == plants.NEAR_1_MIB and each.there for each in details.odd):
        yield largest(plan, seed)
    if details.race is not None:
        yield overwritten(plan, details.race, moved=bool(details.attempts))
    if details.compared is not None:
        yield people(details)
    if details.origin_ns is not None and details.sent_ns is not None:
        window = Window(start_ns=details.origin_ns, end_ns=details.sent_ns)
        yield served_of(rows, stayers_due(plan.population, plan.population, seed, details.origin_ns, window))
    yield written_of(rows, 0 if details.race is None else details.race.written)
    if plan.week is not None:
        yield week(plan.week, details.week)


def whole(found: Compared, planted: int) -> Judgement:
    """Is every document in PostgreSQL, as it is, or in a later write, and nothing else? So many were ``planted`` among
    them, and of one without a document nobody knows; a run of before says only how many were compared in all."""
    wrong = found.missing + found.older + found.different + found.strange
    nothing = not (found.equal + found.stamped)  # what the API has written since says nothing of what was moved
    unseen = planted - found.documents if found.unseen is None else found.unseen
    short = (
        message(
            "{count} of {all} walks written before the migration were not compared",
            count=f"{unseen:,}",
            all=f"{planted:,}",
        ),
    )
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
    return Judgement(
        id="migration.whole",
        claim=CLAIM_SCRIPT,
        verdict=Verdict.FAIL if wrong else Verdict.INCONCLUSIVE if nothing or unseen > 0 else Verdict.PASS,
        asked=(message("every walk of Firestore is in PostgreSQL, in this version or a later one"),),
        told=(told, *(short if unseen > 0 else ()), *_beside(found)),
        value=wrong,
        limit=0,
        unit=Unit.WALKS,
        samples=found.documents,
        examples=found.examples,
    )


def _beside(found: Compared) -> Iterator[Message]:
    """What there is only where a migrator is no good, or the database stamps what it stores."""
    if found.stamped:
        count = f"{found.stamped:,}"
        yield message("{count} more are equal but for a later updated_at, and nobody wrote them", count=count)
    if found.strange:
        count = str(found.strange)
        yield message("{count} that have no document were made by nobody, or deleted through the API", count=count)


def killed(plan: DrillPlan, details: DrillDetails, rows: Iterable[RequestRow]) -> Judgement:
    """Did the migrator come to its end, killed as often as was planned, and go on where it was? One that was not to be
    killed shows nothing, and neither does a kill while no walk was there; ``rows``: users delete walks, too."""
    kills = sum(each.killed and each.walks > 0 for each in details.attempts)
    last = details.attempts[-1] if details.attempts else None
    deleted = sum(row.operation is Operation.DELETE_WALK for row in rows)
    broke = (*_ended_by_themselves(details.attempts), *_begun_again(details.attempts, deleted))
    if last is None or last.killed:
        told = message("the migrator did not come to its end")
        verdict = Verdict.INCONCLUSIVE
    else:
        ended = {
            "kills": str(kills),
            "planned": str(plan.kills),
            "status": str(last.status),
            "seconds": f"{sum(each.seconds for each in details.attempts):.0f}",
        }
        told = message(
            "killed {kills} of {planned} times, resumed each time, ended with status {status} after {seconds} s in all",
            **ended,
        )
        if broke:
            told = message(
                "killed {kills} of {planned} times, ended with status {status} after {seconds} s in all", **ended
            )
        shown = Verdict.PASS if plan.kills else Verdict.NOT_EXERCISED
        verdict = Verdict.INCONCLUSIVE if kills < plan.kills else shown
    return Judgement(
        id="migration.killed",
        claim=CLAIM_PLAN,
        verdict=Verdict.FAIL if broke else verdict,
        asked=(message("a migration that is killed goes on where it was, and comes to its end"),),
        told=(told, *broke),
        samples=kills,
    )


def _ended_by_themselves(attempts: Iterable[Attempt]) -> Iterator[Message]:
    """Processes that nobody killed, and that came to no end."""
    for each in attempts:
        if not each.killed and each.status not in _ENDED:
            yield message(
                "a process of the migrator that nobody killed ended with status {status}", status=str(each.status)
            )


def _begun_again(attempts: Sequence[Attempt], deleted: int) -> Iterator[Message]:
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


def of_odd(odd: list[OddDocument]) -> Judgement:
    """Did each document out of the ordinary become what it must?"""
    wrong = [each for each in odd if not each.good]
    told = message(
        "{good} of {all} documents out of the ordinary were moved whole, or refused and named",
        good=str(len(odd) - len(wrong)),
        all=str(len(odd)),
    )
    return Judgement(
        id="migration.odd",
        claim=CLAIM_SCRIPT,
        verdict=Verdict.FAIL if wrong else Verdict.PASS,
        asked=(message("what can be moved is moved whole, and what cannot is refused with its reason"),),
        told=(told,),
        value=len(wrong),
        limit=0,
        unit=Unit.FLAWS,
        samples=len(odd),
        examples=tuple(
            message("{what}: {why}", what=Message(text=each.name), why=how(each)) for each in wrong[:_EXAMPLES]
        ),
    )


def largest(plan: DrillPlan, seed: int) -> Judgement:
    """The planted document near 1 MiB, which was moved, by the size that Firestore counts, whatever an emulator takes:
    of how many locations it could be at most, which is fewer than a walk may have."""
    user = accounts(plan.population, seed)[0].user
    [plant] = [each for each in plants.odd(user, seed, 0) if each.what == plants.NEAR_1_MIB]
    points = plant.fields["location_data"]
    counted = size_bytes(plant.path, plant.fields)
    location = counted - size_bytes(plant.path, {**plant.fields, "location_data": points[1:]})
    told = message(
        "the document of {locations} locations that was moved is {bytes} bytes as Firestore counts, {each} a location; "
        "Firestore takes {limit} bytes at most, which are {most} of them, and a walk may have {all}",
        locations=f"{len(points):,}",
        bytes=f"{counted:,}",
        each=str(location),
        limit=f"{MOST_BYTES:,}",
        most=f"{len(points) + (MOST_BYTES - counted) // location:,}",
        all=f"{MOST_LOCATIONS:,}",
    )
    return observation("migration.largest", (told,), erratum=ERRATUM_SIZE)


def how(odd: OddDocument) -> Message:
    """What became of a document, for people."""
    if odd.wrong:
        return odd.wrong if isinstance(odd.wrong, Message) else verbatim(odd.wrong)
    if odd.there:
        return message("moved, and named among the rejects") if odd.named else message("moved")
    return message("refused and named") if odd.named else message("vanished without a line")


def overwritten(plan: DrillPlan, race: Race, *, moved: bool) -> Judgement:
    """Does PostgreSQL hold whatever the API acknowledged last? It is shown where each of the walks that were to be
    raced was written, and a migrator ran (``moved``)."""
    all_ = min(plan.racing, plan.walks)
    short = not moved or race.walks < all_ or not race.written
    counts = {"count": str(race.walks), "all": str(all_)}
    few = message("{count} of {all} walks that were to be written meanwhile were", **counts)
    nobody = message("no migrator ran meanwhile")
    told = message(
        "{written} writes through the API to {walks} walks while they were moved, {lost} overwritten by older values",
        written=f"{race.written:,}",
        walks=str(race.walks),
        lost=str(len(race.lost)),
    )
    return Judgement(
        id="migration.overwritten",
        claim=CLAIM_PLAN,
        verdict=Verdict.FAIL if race.lost else Verdict.INCONCLUSIVE if short else Verdict.PASS,
        asked=(message("an older value never overwrites a newer one"),),
        told=(told, *((few,) if race.walks < all_ else ()), *(() if moved else (nobody,))),
        value=len(race.lost),
        limit=0,
        unit=Unit.WALKS,
        samples=race.written,
        examples=race.lost[:_EXAMPLES],
    )


def people(details: DrillDetails) -> Judgement:
    """Are the users of Auth and their consents there, each consent as its document? Without a consent, or where nobody
    looked at all of it, nothing is known."""
    users, consents, differ = details.users_missing, details.consents_missing, details.consents_different
    missing = (*(users or ()), *(consents or ()))
    looked = None not in (users, consents, differ) and details.consents > 0
    told = message(
        "{consents} consents in Firestore; users missing: {users}; consents missing: {lost}",
        consents=str(details.consents),
        users="–" if users is None else ", ".join(users) or "0",
        lost="–" if consents is None else ", ".join(consents) or "0",
    )
    held = message("what the consents hold was not compared with their documents")
    if differ is not None:
        held = message("{count} consents hold other values than their documents", count=str(len(differ)))
    return Judgement(
        id="migration.people",
        claim=CLAIM_SCRIPT,
        verdict=Verdict.FAIL if missing or differ else Verdict.PASS if looked else Verdict.INCONCLUSIVE,
        asked=(message("the users of Auth and their consents are moved, too"),),
        told=(told, held, *details.consents_unread),
        samples=details.consents,
        examples=(differ or ())[:_EXAMPLES],
    )


def week(scenario: Scenario, seen: WeekSeen | None) -> Judgement:
    """Does week 1 hold on what was moved, by each criterion that its ``scenario`` has, and do users find old walks?"""
    if seen is None:
        found = Verdict.INCONCLUSIVE
        told: tuple[Message, ...] = (message("week 1 was not come to"),)
    else:
        verdicts = {each.verdict for each in seen.criteria}
        failed = seen.wrong > 0 or Verdict.FAIL in verdicts
        unseen = message("not in evidence: the run left nothing to judge it by")
        said = {each.id: unseen for each in scenario.criteria} | {each.id: each.told[0] for each in seen.criteria}
        complete = seen.asked and not seen.unread and len(said) == len(seen.criteria) and verdicts == {Verdict.PASS}
        found = Verdict.FAIL if failed else Verdict.PASS if complete else Verdict.INCONCLUSIVE
        unread = message("of {count} no answer said what became of them", count=str(seen.unread))
        told = (
            message(
                "{asked} moved walks asked for at the API by their owners, {wrong} not as moved",
                asked=str(seen.asked),
                wrong=str(seen.wrong),
            ),
            *((unread,) if seen.unread else ()),
            *(message("{what}: {why}", what=id_, why=why) for id_, why in said.items()),
        )
    return Judgement(
        id="migration.week1",
        claim=CLAIM_PLAN,
        verdict=found,
        asked=(message("week 1 keeps its criteria on what was moved, and its users find their old walks"),),
        told=told,
        samples=0 if seen is None else seen.asked,
        examples=() if seen is None else seen.examples,
    )
