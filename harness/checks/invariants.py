"""The checkers' word on a whole run, read once its load has ended: what was promised, against what is there.

Each checker stands outside what it checks: it knows what phones sent (recomputed from the seed), what they were
answered, what the stack told of itself, and what lies in the stores. Reading is bounded in rows and in time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from harness.base.clock import NS, Clock
from harness.base.errors import PartDied, RehearsalError
from harness.base.units import Unit
from harness.checks import agreement, stores, walk_results
from harness.checks.acknowledged import ProbedWalk, acknowledged
from harness.checks.applied_once import applied_once
from harness.checks.budget import BudgetKept, budget_kept
from harness.checks.cross_user_access import OwnedWalk, ask_as_others
from harness.checks.dual_write import DocumentFlaw, StoreComparison, StoreDifference, StoredWalk
from harness.checks.endpoints import NewConnections, new_connections
from harness.checks.isolation import AnswerCounts, isolation, wrong_answers
from harness.checks.mirror_losses import by_firestore
from harness.checks.off_in_time import OffInTime, due_beside, off_in_time, unseen_words
from harness.checks.photos import explained
from harness.checks.read_facts import canary_body, judged_reads
from harness.checks.reconciled import FIRESTORE, STORAGE, Outage, outages, reconciled
from harness.checks.sent import Sent, api_writes, sent, untold
from harness.checks.stores import DocumentsRead, Stores
from harness.checks.walk_results import (
    ACKNOWLEDGED,
    ONCE,
    acknowledged_result,
    among,
    isolation_results,
    once_result,
    with_few,
)
from harness.checks.walk_tables import StoredWalks
from harness.evidence.store import Collector
from harness.load.population.schedule import Account, accounts, canaries, population_of
from harness.model.evidence import NOTHING_DUE, DueList, ProbeRow, Side
from harness.model.judgement import Judgement, Verdict
from harness.model.manifests import UNGUARDED, Manifests
from harness.model.message import Told, message, of_error, raw_text
from harness.model.scenario import ProbePlan, Scenario
from harness.rules.judged import result
from harness.rules.switch_over import SwitchOver
from harness.stack.firebase.documents import Fields

BUDGET, NEW_CONNECTIONS, OFF = "pdb.budget", "service.new_connections", "flag.off_in_time"
CLAIM = {
    **walk_results.CLAIM,
    BUDGET: "manifest.pdb",
    NEW_CONNECTIONS: "manifest.service",
    OFF: "rollout.rollback.step2",
    agreement.DUAL_WRITE: agreement.CLAIM_DUAL_WRITE,
    agreement.PHOTOS: agreement.CLAIM_PHOTOS,
}
#: What ``Invariants.results`` says a word of, whatever became of the stores.
CHECKS = (*walk_results.CLAIM, agreement.DUAL_WRITE, agreement.PHOTOS, BUDGET, NEW_CONNECTIONS)
_OF_PHOTOS = frozenset({"walks.user_id", "walks.thumbnail_image_url"})


class Invariants:
    """One run's. ``results`` may be asked for once the load has ended and every fault is undone. ``sides``: whose
    acknowledged writes PostgreSQL is to hold, Firestore's too where they were migrated. ``due``: what of calls is to be
    in evidence, where that is known; else all requests that were due by ``sent_ns``, which were sent before the load
    was ended, and answered."""

    def __init__(
        self,
        stores: Stores,
        evidence: Collector,
        clock: Clock,
        *,
        scenario: Scenario,
        manifests: Manifests,
        seed: int,
        sides: Collection[Side] = (Side.API,),
        due: DueList = NOTHING_DUE,
        sent_ns: int | None = None,
    ) -> None:
        if sent_ns is not None:
            due = DueList(requests=due_beside(evidence.requests, scenario.population, seed, sent_ns), probes=())
        self._stores = stores
        self._bucket = stores.endpoints.storage_bucket
        self._evidence = evidence
        self._clock = clock
        self._scenario = scenario
        self._manifests = manifests
        self._seed = seed
        self._due = due
        #: Walks whose mirror write an outage of Firestore lost, as ``by_firestore``, in ns of the run's clock; ``None``
        #: without an outage, or when stores were not compared.
        self.lost_by_firestore: Mapping[str, int] | None = None
        self._users: tuple[Account, ...] = accounts(scenario.population, seed)
        told = sent(
            api_writes(evidence.requests, sides),
            scenario.population,
            self._users,
            seed=seed,
            anchor_unix_ns=clock.anchor.unix_ns,
            bucket=self._bucket,
        )
        self._sent: Sent = msgspec.structs.replace(told, untold=untold(evidence.requests, due.requests))

    async def results(self) -> tuple[Judgement, ...]:
        """All of them. A store that does not answer, or holds more than is read, leaves its checks inconclusive."""
        answers = wrong_answers([*self._evidence.requests, *self._evidence.probes])
        documents = self._stores.documents()
        try:
            there = await _all(documents)
            # After the documents: what is still written meanwhile makes a document stale, and that is read again.
            stored = await self._stores.walks()
            found = [*self._of_writes(stored), *await self._of_stores(documents, there, stored)]
            found += await self._isolation(stored, answers)
        except (stores.NotAsNamed, stores.TooManyWalks, PartDied) as error:
            found = [*unread(error), *await self._isolation(None, answers, _unread(error))]
        finally:
            await documents.close()
        # No store is asked, so that it is known also where none answers.
        found.append(
            judged_reads(
                self._evidence.requests,
                self._evidence.probes,
                self._scenario,
                seed=self._seed,
                anchor_unix_ns=self._clock.anchor.unix_ns,
                bucket=self._bucket,
                due=self._due,
            )
        )
        events = self._evidence.events
        found.append(budget_result(budget_kept(events, self._manifests.pdb, self._manifests.deployment.replicas)))
        found.append(connections_result(new_connections(events, self._evidence.probes)))
        return tuple(found)

    def off_in_time(self) -> Judgement:
        """Of a run in which the flag may have gone off; a week's roll back is judged as it happens."""
        limit_s, rows, due = self._scenario.switch_over_limit_s, self._evidence.requests, self._due.requests
        end_ns = max((row.done_ns for row in rows), default=0)
        return off_result(off_in_time(self._evidence.events, rows, limit_s=limit_s, end_ns=end_ns, due=due))

    def _of_writes(self, stored: StoredWalks) -> tuple[Judgement, Judgement]:
        plan, anchor = self._scenario.probes, self._clock.anchor
        probed = probed_walks(self._evidence.probes, plan, self._seed, anchor.unix_ns)
        users = [account.user for account in self._users]
        found = acknowledged(self._sent, {walk.id: walk for walk in stored.walks}, probed)
        once = applied_once(self._sent, stored.walks, users)
        return acknowledged_result(found, self._sent, stored.layout), once_result(once, self._sent, stored.layout)

    async def _of_stores(
        self, documents: DocumentsRead, held: Mapping[str, Fields] | PartDied, read: StoredWalks
    ) -> tuple[Judgement, ...]:
        stored = read.walks
        if isinstance(held, PartDied):
            return agreement.unseen(*_unread(held))
        writes, there = self._evidence.writes, {walk.id for walk in stored}
        gone = {
            walk.walk_id: walk.user
            for walk in self._sent.walks.values()
            if walk.walk_id not in there and any(not each.acknowledged for each in walk.deletes)
        }
        try:
            compared = await stores.dual_write(stored, documents, writes, self._clock, held=held, perhaps_deleted=gone)
            seen = await stores.stored_photos(self._stores, stored, writes, self._clock, held=held)
        except (stores.NotAsNamed, stores.TooManyWalks, PartDied) as error:
            return agreement.unseen(*_unread(error))
        known = there | writes.direct | writes.deleted[Side.API].keys() | gone.keys()
        whole = with_unknown(compared, [*held], known)
        broken, broken_storage = self._outages(), self._outages(STORAGE)
        written_ns = self._written_ns(stored)
        seen = explained(seen, written_ns, broken_storage)
        found = reconciled(whole, written_ns, broken, names=held, direct=len(writes.direct))
        of_documents = agreement.reconciled_result(found, compared, unread=read.layout.why, by_app=writes.ever_direct)
        if of_documents.verdict in {Verdict.PASS, Verdict.FAIL} and any(FIRESTORE in each.what for each in broken):
            self.lost_by_firestore = by_firestore(found.explained, written_ns, broken)
        return of_documents, agreement.photos_result(seen, unread=among(read.layout, _OF_PHOTOS))

    def _outages(self, part: str = FIRESTORE) -> tuple[Outage, ...]:
        return outages(self._evidence.events, self._clock.now_ns(), part, self._clock.anchor)

    def _written_ns(self, stored: Sequence[StoredWalk]) -> Mapping[str, int]:
        anchor = self._clock.anchor
        offset_ns = anchor.monotonic_ns - anchor.unix_ns
        written = {walk.walk_id: walk.last_ns for walk in self._sent.walks.values()}
        return written | {
            walk.id: round(walk.updated_at.timestamp() * NS) + offset_ns
            for walk in stored
            if walk.updated_at is not None
        }

    async def _isolation(
        self, stored: StoredWalks | None, answers: AnswerCounts, unread: tuple[Verdict, Told] | None = None
    ) -> tuple[Judgement, ...]:
        """Also where the database could not be read, which ``unread`` says: which walks there are, phones know too."""
        users = {account.user for account in self._users}
        # Of a write that nobody confirmed the target may make something between the two looks at a walk.
        moving = {walk.walk_id for walk in self._sent.walks.values() if not walk.confirmed}
        read = [walk for walk in stored.walks if walk.user in users] if stored is not None else []
        quiet = [walk for walk in read if walk.id not in moving]
        own = [
            OwnedWalk(walk_id=walk.id, owner=walk.user, title=title_of(walk), before=walk if quiet else None)
            for walk in quiet or read
        ]
        if stored is not None and (why := among(stored.layout, {"walks.user_id"})):
            unread = Verdict.NOT_EXERCISED, why
        try:
            known = own if unread is None else self._told_of()
            population = population_of(self._scenario.population, self._scenario.probes, self._seed)
            asked = await ask_as_others(self._stores, self._users, known, population, stores.MOST_WALKS)
        except (PartDied, stores.TooManyWalks) as error:
            asked, unread = (), _unread(error)
        return isolation_results(isolation(answers, asked), unread)

    def _told_of(self) -> list[OwnedWalk]:
        """The walks that should be there by what phones were told, where nothing says what is."""
        return [
            OwnedWalk(walk_id=walk.walk_id, owner=walk.user, title=walk.puts[-1].body.title)
            for walk in self._sent.walks.values()
            if walk.puts and walk.puts[-1].acknowledged and not walk.deletes
        ]


def title_of(walk: StoredWalk) -> str:
    """ "" where it has none, or it was not read."""
    return str(walk.columns.get("title") or "")


async def _all(documents: DocumentsRead) -> Mapping[str, Fields] | PartDied:
    """Every document, or why they could not be read: PostgreSQL's walks are looked at nevertheless."""
    try:
        return await documents.all()
    except PartDied as error:
        return error


def unread(error: Exception) -> tuple[Judgement, ...]:
    """Every check that needs PostgreSQL's walks, when those were not read, or not all, for what ``error`` says.

    Lost writes and doubled ones hold the week all the same: what was not looked at was not shown to be well.
    """
    verdict, told = _unread(error)
    of_writes = (result(check, CLAIM[check], verdict, None, 0, told) for check in (ACKNOWLEDGED, ONCE))
    return (*of_writes, *agreement.unseen(verdict, told))


def _unread(error: Exception) -> tuple[Verdict, Told]:
    if isinstance(error, stores.NotAsNamed):
        return Verdict.NOT_EXERCISED, error.parts
    return Verdict.INCONCLUSIVE, (of_error(error) if isinstance(error, RehearsalError) else raw_text(str(error)),)


def probed_walks(probes: Sequence[ProbeRow], plan: ProbePlan, seed: int, anchor_unix_ns: int) -> tuple[ProbedWalk, ...]:
    """The walks of the canaries that had a PUT acknowledged, with what they put: a function of seed and anchor."""
    put = {probe.user for probe in probes if probe.method == "PUT" and probe.good}
    return tuple(
        ProbedWalk(walk_id=each.walk_id, user=each.account.user, body=canary_body(each, anchor_unix_ns))
        for each in canaries(plan, seed)
        if each.account.user in put
    )


def with_unknown(compared: StoreComparison, names: Sequence[str], known: set[str]) -> StoreComparison:
    """``compared`` with the documents of walks that nothing else knows of, as extra ones."""
    extra = [
        StoreDifference(flaw=DocumentFlaw.EXTRA, walk_id=name.lower(), user="")
        for name in names
        if name.lower() not in known
    ]
    return msgspec.structs.replace(compared, findings=(*compared.findings, *extra))


def switch_over_result(found: SwitchOver, unseen: Sequence[str] = ()) -> Judgement:
    """Of a roll back: every client on Firestore, and in time. ``unseen`` are those of whom a request since then is not
    in evidence."""
    known = found.clients and not unseen
    verdict = Verdict.FAIL if found.late_users else Verdict.PASS if known else Verdict.INCONCLUSIVE
    counts = message(
        "{switched} of {clients} clients back on Firestore, limit {limit} s",
        switched=str(found.switched),
        clients=str(found.clients),
        limit=f"{found.limit_s:g}",
    )
    last = () if found.last_s is None else (message("the last after {seconds} s", seconds=f"{found.last_s:.1f}"),)
    told = with_few((counts, *last, *unseen_words(unseen)), found.late_users)
    return result(OFF, CLAIM[OFF], verdict, len(found.late_users), found.clients, told, unit=Unit.USERS)


def off_result(found: OffInTime) -> Judgement:
    """Without a ``false`` that stood for the whole limit, or anybody on the API before, there is nothing to see."""
    seen = Verdict.INCONCLUSIVE if found.unseen else Verdict.PASS if found.clients else Verdict.NOT_EXERCISED
    verdict = Verdict.FAIL if found.late else seen if found.offs else Verdict.NOT_EXERCISED
    told = with_few(found.told, found.late)
    return result(OFF, CLAIM[OFF], verdict, len(found.late), found.offs, told, unit=Unit.USERS)


def budget_result(found: BudgetKept) -> Judgement:
    """Without an eviction nothing was asked of the budget, and one that keeps no pod answers nothing."""
    verdict = Verdict.FAIL if found.beyond else Verdict.PASS
    if not found.beyond and (found.unclear or found.untold):
        verdict = Verdict.INCONCLUSIVE
    told = with_few(found.told, found.beyond or found.unclear)
    if not found.granted + found.refused:
        verdict = Verdict.NOT_EXERCISED
    elif not found.keeps and not found.beyond:
        verdict, told = Verdict.NOT_EXERCISED, (UNGUARDED, *told)
    return result(BUDGET, CLAIM[BUDGET], verdict, len(found.beyond), found.granted + found.refused, told)


def connections_result(found: NewConnections) -> Judgement:
    """Without a pod that left, or a target that says which pod it is, or a connection after that, nothing could go
    wrong."""
    verdict = Verdict.FAIL if found.late else Verdict.INCONCLUSIVE if found.perhaps else Verdict.PASS
    if verdict is Verdict.PASS and not found.could:
        verdict = Verdict.NOT_EXERCISED
    told = with_few(found.told, found.late or found.perhaps)
    return result(NEW_CONNECTIONS, CLAIM[NEW_CONNECTIONS], verdict, len(found.late), found.probes, told)
