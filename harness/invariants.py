"""The checkers' word on a whole run, read once its load has ended: what was promised, against what is there.

Each checker stands outside what it checks: it knows what phones sent (recomputed from the seed), what they were
answered, what the stack told of itself, and what lies in the stores. Reading is bounded in rows and in time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from harness import agreement, stores
from harness.agreement import result, with_examples
from harness.checks.acknowledged import Acknowledged, acknowledged
from harness.checks.applied_once import Once, applied_once
from harness.checks.budget import BudgetKept, budget_kept
from harness.checks.dual_write import Comparison, Finding, Flaw, StoredWalk
from harness.checks.endpoints import NewConnections, new_connections
from harness.checks.isolation import Isolation, foreign_answers, isolation
from harness.checks.off_in_time import OffInTime, off_in_time
from harness.checks.photos import explained
from harness.checks.reconciled import STORAGE, outages, reconciled
from harness.checks.sent import Sent, api_writes, sent
from harness.clock import NS, Clock
from harness.collect import Collector
from harness.firebase.documents import Documents
from harness.model.errors import PartDied
from harness.model.evidence import Side
from harness.model.manifests import Manifests
from harness.model.message import Told, message, verbatim
from harness.model.run import SwitchOver
from harness.model.scenario import Scenario
from harness.model.stack import Endpoints, Target
from harness.model.units import Unit
from harness.model.verdict import CheckResult, Verdict
from harness.population.accounts import Account, accounts, canaries
from harness.trespass import trespass

ACKNOWLEDGED, ONCE, ISOLATION = "writes.acknowledged", "writes.applied_once", "walks.isolation"
BUDGET, NEW_CONNECTIONS, OFF = "pdb.budget", "service.new_connections", "flag.off_in_time"
CLAIM = {
    ACKNOWLEDGED: "dual_write.order",
    ONCE: "dual_write.order",
    ISOLATION: "api.identical",
    BUDGET: "manifest.pdb",
    NEW_CONNECTIONS: "manifest.service",
    OFF: "rollout.rollback.step2",
}
MOST_WALKS = 20_000
_EXAMPLES = 3


class Invariants:
    """One run's. ``results`` may be asked for once the load has ended and every fault is undone."""

    def __init__(
        self,
        endpoints: Endpoints,
        evidence: Collector,
        clock: Clock,
        *,
        scenario: Scenario,
        manifests: Manifests,
        target: Target,
        seed: int,
    ) -> None:
        self._endpoints = endpoints
        self._evidence = evidence
        self._clock = clock
        self._scenario = scenario
        self._manifests = manifests
        self._target = target
        self._seed = seed
        self._users: tuple[Account, ...] = accounts(scenario.population, seed)
        self._sent: Sent = sent(
            api_writes(evidence.requests),
            scenario.population,
            self._users,
            seed=seed,
            anchor_unix_ns=clock.anchor.unix_ns,
            bucket=endpoints.storage_bucket,
        )

    async def results(self) -> tuple[CheckResult, ...]:
        """All of them. A store that does not answer leaves its checks inconclusive."""
        stored = await self._stored()
        found = (
            list(self._of_writes(stored))
            if isinstance(stored, list)
            else [result(check, CLAIM[check], *stored) for check in (ACKNOWLEDGED, ONCE)]
        )
        found += await self._of_stores(stored if isinstance(stored, list) else [])
        found.append(await self._isolation(stored if isinstance(stored, list) else []))
        events = self._evidence.events
        found.append(budget_result(budget_kept(events, self._manifests.pdb, self._manifests.deployment.replicas)))
        found.append(connections_result(new_connections(events, self._evidence.probes)))
        return tuple(found)

    def off_in_time(self) -> CheckResult:
        """Of a run in which the flag may have gone off; a week's roll back is judged as it happens."""
        limit_s = self._scenario.switch_over_limit_s
        end_ns = max((row.done_ns for row in self._evidence.requests), default=0)
        found = off_in_time(self._evidence.events, self._evidence.requests, limit_s=limit_s, end_ns=end_ns)
        return off_result(found)

    async def _stored(self) -> list[StoredWalk] | tuple[Verdict, int | None, int, Told]:
        try:
            walks = await stores.read_walks(self._endpoints, MOST_WALKS)
        except stores.NotAsNamed as error:
            return Verdict.NOT_EXERCISED, None, 0, (verbatim(str(error)),)
        except PartDied as error:
            return Verdict.INCONCLUSIVE, None, 0, (verbatim(error.what),)
        if len(walks) >= MOST_WALKS:
            told = message("there are {walks} walks or more: not all were read", walks=str(MOST_WALKS))
            return Verdict.INCONCLUSIVE, None, 0, (told,)
        return walks

    def _of_writes(self, stored: Sequence[StoredWalk]) -> tuple[CheckResult, CheckResult]:
        everybody = canaries(self._scenario.probes.canary_users, self._seed)
        put = {probe.user for probe in self._evidence.probes if probe.method == "PUT" and probe.good}
        probed = {each.walk_id: each.account.user for each in everybody if each.account.user in put}
        users = [account.user for account in self._users]
        found = acknowledged(self._sent, {walk.id: walk for walk in stored}, probed)
        once = applied_once(self._sent, stored, users)
        return acknowledged_result(found, self._sent), once_result(once, self._sent)

    async def _of_stores(self, stored: Sequence[StoredWalk]) -> tuple[CheckResult, ...]:
        documents = Documents(self._endpoints.firestore, self._endpoints.project_id)
        writes = self._evidence.writes
        there = {walk.id for walk in stored}
        gone = {
            walk.walk_id: walk.user
            for walk in self._sent.walks.values()
            if walk.walk_id not in there and any(not each.acknowledged for each in walk.deletes)
        }
        try:
            held = await documents.all()
            compared = await stores.dual_write(
                self._endpoints, documents, writes, self._clock, perhaps_deleted=gone, held=held
            )
            seen = await stores.stored_photos(self._endpoints, documents, writes, self._clock, held=held)
        except stores.NotAsNamed as error:
            return agreement.unseen(Verdict.NOT_EXERCISED, (verbatim(str(error)),))
        except PartDied as error:
            return agreement.unseen(Verdict.INCONCLUSIVE, (verbatim(error.what),))
        finally:
            await documents.close()
        known = there | writes.direct | writes.deleted[Side.API].keys() | gone.keys()
        whole = with_unknown(compared, [*held], known)
        broken = outages(self._evidence.events, self._clock.now_ns())
        written_ns = self._written_ns(stored)
        seen = explained(seen, written_ns, outages(self._evidence.events, self._clock.now_ns(), STORAGE))
        found = reconciled(whole, written_ns, broken, names=held, direct=len(writes.direct))
        return (
            agreement.reconciled_result(found, compared, bundled=self._target.bundled),
            agreement.photos_result(seen, bundled=self._target.bundled),
        )

    def _written_ns(self, stored: Sequence[StoredWalk]) -> Mapping[str, int]:
        anchor = self._clock.anchor
        offset_ns = anchor.monotonic_ns - anchor.unix_ns
        written = {walk.walk_id: walk.last_ns for walk in self._sent.walks.values()}
        return written | {walk.id: round(walk.updated_at.timestamp() * NS) + offset_ns for walk in stored}

    async def _isolation(self, stored: Sequence[StoredWalk]) -> CheckResult:
        users = {account.user for account in self._users}
        own = [walk for walk in stored if walk.user in users]
        try:
            asked = await trespass(self._endpoints, self._users, own, self._seed, MOST_WALKS)
        except (PartDied, stores.NotAsNamed) as error:
            return result(ISOLATION, CLAIM[ISOLATION], Verdict.INCONCLUSIVE, None, 0, (verbatim(str(error)),))
        return isolation_result(isolation(foreign_answers(self._evidence.requests), asked))


def with_unknown(compared: Comparison, names: Sequence[str], known: set[str]) -> Comparison:
    """``compared`` with the documents of walks that nothing else knows of, as extra ones."""
    extra = [Finding(flaw=Flaw.EXTRA, walk_id=name.lower(), user="") for name in names if name.lower() not in known]
    return msgspec.structs.replace(compared, findings=(*compared.findings, *extra))


def acknowledged_result(found: Acknowledged, sent: Sent) -> CheckResult:
    """No write is not enough, and evidence that does not fit the schedule proves nothing."""
    walks = {lost.walk_id for lost in found.lost}
    verdict = Verdict.FAIL if found.lost else Verdict.PASS if found.writes else Verdict.INCONCLUSIVE
    if sent.unmatched and not found.lost:
        verdict = Verdict.INCONCLUSIVE
    told = (*_with_examples(found.told, [str(lost) for lost in found.lost]), *_unmatched(sent))
    return result(ACKNOWLEDGED, CLAIM[ACKNOWLEDGED], verdict, len(walks), found.writes, told)


def once_result(found: Once, sent: Sent) -> CheckResult:
    """As above. A row whose sending is not known would look like one that nobody sent."""
    verdict = Verdict.FAIL if found.repeated else Verdict.PASS if found.walks else Verdict.INCONCLUSIVE
    if sent.unmatched:
        verdict = Verdict.INCONCLUSIVE
    told = (*_with_examples(found.told, found.repeated), *_unmatched(sent))
    return result(ONCE, CLAIM[ONCE], verdict, len(found.repeated), found.walks, told)


def isolation_result(found: Isolation) -> CheckResult:
    """At least one walk of another's must have been asked for and answered."""
    answered = found.asked - found.unanswered
    verdict = Verdict.FAIL if found.wrong else Verdict.PASS if answered else Verdict.INCONCLUSIVE
    told = _with_examples(found.told, found.wrong)
    return result(ISOLATION, CLAIM[ISOLATION], verdict, len(found.wrong), found.answered + answered, told)


def switch_over_result(found: SwitchOver) -> CheckResult:
    """Of a roll back: every client on Firestore, and in time."""
    verdict = Verdict.FAIL if found.late_users else Verdict.PASS if found.clients else Verdict.INCONCLUSIVE
    counts = message(
        "{switched} of {clients} clients back on Firestore, limit {limit} s",
        switched=str(found.switched),
        clients=str(found.clients),
        limit=f"{found.limit_s:g}",
    )
    last = () if found.last_s is None else (message("the last after {seconds} s", seconds=f"{found.last_s:.1f}"),)
    told = _with_examples((counts, *last), found.late_users)
    return result(OFF, CLAIM[OFF], verdict, len(found.late_users), found.clients, told, unit=Unit.USERS)


def off_result(found: OffInTime) -> CheckResult:
    """Without a ``false`` that stood for the whole limit there is nothing to see."""
    verdict = Verdict.FAIL if found.late else Verdict.PASS if found.offs else Verdict.NOT_EXERCISED
    told = _with_examples(found.told, found.late)
    return result(OFF, CLAIM[OFF], verdict, len(found.late), found.offs, told, unit=Unit.USERS)


def budget_result(found: BudgetKept) -> CheckResult:
    """Without an eviction nothing was asked of the budget."""
    verdict = Verdict.FAIL if found.beyond else Verdict.PASS
    if not found.granted + found.refused:
        verdict = Verdict.NOT_EXERCISED
    told = _with_examples(found.told, found.beyond)
    return result(BUDGET, CLAIM[BUDGET], verdict, len(found.beyond), found.granted + found.refused, told)


def connections_result(found: NewConnections) -> CheckResult:
    """Without a pod that left, or a target that says which pod it is, nothing could go wrong."""
    verdict = Verdict.FAIL if found.late else Verdict.PASS
    if not found.left or not found.probes:
        verdict = Verdict.NOT_EXERCISED
    told = _with_examples(found.told, found.late)
    return result(NEW_CONNECTIONS, CLAIM[NEW_CONNECTIONS], verdict, len(found.late), found.probes, told)


def _with_examples(told: Told, examples: Sequence[str]) -> Told:
    return with_examples(told, examples[:_EXAMPLES])


def _unmatched(sent: Sent) -> Told:
    if not sent.unmatched:
        return ()
    count, first = str(len(sent.unmatched)), sent.unmatched[0]
    return (message("{count} writes do not fit the schedule, the first is {first}", count=count, first=first),)
