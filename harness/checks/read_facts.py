"""What answers showed, as facts, and what they mean: the rule is ``scenarios/rules/reads.yaml``. Pure.

Used by weeks, experiments, deploys, recoveries, one stack, and load in steps, of the rows alone.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from harness.base.data import CLAIMS
from harness.checks.reads import Reads, probe_reads, reads
from harness.checks.walk_results import CLAIM, READS, with_few
from harness.checks.written import Plans
from harness.load.population.arrivals import due_of_step
from harness.load.population.content import updated
from harness.load.population.schedule import Canary, accounts, canaries
from harness.load.population.walk import WalkUpdate
from harness.load.probe import content
from harness.load.stages.plan import population
from harness.model.evidence import NOTHING_DUE, DueList, ProbeRow, RequestRow, probe_call
from harness.model.judgement import Expected, Judgement, Kind
from harness.model.message import Message, gettext_noop, message
from harness.model.scenario import Scenario, Step
from harness.model.section import Row, Table
from harness.rules.engine import RunFacts, judge
from harness.rules.judged import result
from harness.rules.ledger import missing_samples
from harness.rules.rule import Fact, FactsOf, Rule, read

PHRASES = {
    "reads.wrong": gettext_noop(
        "{lists} lists, {walks} walks, {writes} answers to writes and {probes} probes judged, {after} of them "
        "requested from the API after an acknowledged write: {seen} wrong"
    ),
    "reads.proving": gettext_noop(
        "{seen} of {of} answers after an acknowledged write could be told from older ones, "
        "{soon} of them asked for within 1 s of it"
    ),
    "probes.alike": gettext_noop(
        "{seen} of {of} probes after an acknowledged write could not be told from older ones: they show an updated_at "
        "that the write did not move on, or that no PUT was answered with"
    ),
    "probes.proving": gettext_noop("{seen} of {of} probes after an acknowledged write could be told from older ones"),
}
#: What is asked of a run with load in steps.
READS_EXPECTED = Expected("", READS, CLAIM[READS], kind=Kind.CHECK)


@functools.cache
def rule() -> Rule:
    """What the facts mean."""
    return read([CLAIMS.with_name("rules") / "reads.yaml"], tuple(PHRASES))["answers"]


def facts(found: Reads, *, idle: bool = False) -> Iterator[Fact]:
    """What is not known may be wrong. ``idle``: where nobody read after a write, there was nothing to see."""
    fact, wrong = FactsOf(PHRASES), len(found.wrong)
    unknown = found.unread + found.missing + len(found.unmatched) + found.unproved
    words: dict[str, Any] = {name: f"{getattr(found, name):,}" for name in ("lists", "walks", "writes", "probes")}
    first = fact(
        "reads.wrong", wrong, high=wrong + unknown, of=found.judged, besides=tuple(_unknown(found)),
        after=f"{found.bound:,}", **words,
    )  # fmt: skip
    yield first
    nothing = idle and found.writes and not found.bound + wrong + unknown
    yield fact(
        "reads.proving", found.bound, high=found.bound + unknown, of=found.bound + found.alike,
        soon=f"{found.soon:,}", lacks=first.told if nothing else (),
    )  # fmt: skip
    probes = found.dated + found.undated
    yield fact("probes.proving", found.dated, of=probes)
    yield fact("probes.alike", found.undated, of=probes)


def reads_result(found: Reads, *, idle: bool = False) -> Judgement:
    """The judgement of what answers showed, by the rule, with the calls that contradict each other."""
    given = {each.name: each for each in facts(found, idle=idle)}
    verdict = judge(READS_EXPECTED, rule(), RunFacts(given.values(), None), ()).verdict
    thin = found.judged and (found.alike or not found.soon)
    shown = [name for name, yes in (("reads.proving", thin), ("probes.alike", found.undated)) if yes]
    told = (*given["reads.wrong"].told, *(each for name in shown for each in given[name].told))
    judged = result(
        READS, CLAIM[READS], verdict, len(found.wrong), found.judged,
        with_few(told, [wrong.told for wrong in found.examples]),
    )  # fmt: skip
    return msgspec.structs.replace(judged, examples=next((each.story for each in found.wrong if each.story), ()))


def _unknown(found: Reads) -> Iterator[Message]:
    """What else is to be said of the counts."""
    if found.from_other_side:
        yield message("{count} show a write of the other side", count=f"{found.from_other_side:,}")
    if found.unread:
        yield message("what {count} of them showed is not known", count=f"{found.unread:,}")
    if found.unproved:
        yield message(
            "{count} of them prove nothing: of {walks} walks more than 12 calls were under way at once",
            count=f"{found.unproved:,}", walks=str(found.crowded),
        )  # fmt: skip
    if found.missing:
        yield message("{count} requests that were due have no row", count=f"{found.missing:,}")
    if found.unmatched:
        count, first = str(len(found.unmatched)), found.unmatched[0]
        yield message("{count} users' requests do not fit the schedule: {first}", count=count, first=first)


def timeline(judgements: Iterable[Judgement]) -> Iterator[Table]:
    """The calls that contradict each other in the first wrong answer, in the order of their begin."""
    for each in judgements:
        calls = [call for call in each.examples if isinstance(call, Message) and {"begun", "call"} <= {*call.values}]
        if each.id == READS and calls:
            names = ("begun", "ended", "call", "what")
            yield Table(
                title=message("Calls on one walk that contradict each other"),
                heads=(message("Begun (s)"), message("Ended (s)"), message("Call"), message("What was seen")),
                rows=tuple(Row(cells=tuple(call.values[name] for name in names)) for call in calls),
                numbers=(0, 1),
                note=(message("No order of these calls explains what was seen; without any of them one does."),),
            )


def canary_body(canary: Canary, anchor_unix_ns: int) -> WalkUpdate:
    """What each of the canary's PUTs says."""
    return msgspec.json.decode(content(canary, anchor_unix_ns), type=WalkUpdate)


def judged_reads(
    requests: Sequence[RequestRow],
    probes: Sequence[ProbeRow],
    scenario: Scenario,
    *,
    seed: int,
    anchor_unix_ns: int,
    bucket: str,
    due: DueList = NOTHING_DUE,
) -> Judgement:
    """What answers showed phones and probes, of the rows alone: a stored run's as well as one under way. By the users'
    own numbers a user's last request is not missed, nor the last probe: by what is ``due`` they are."""
    users = accounts(scenario.population, seed)
    plans = Plans(scenario.population, users, seed=seed, anchor_unix_ns=anchor_unix_ns, bucket=bucket)
    found = reads(requests, plans)
    contents = {
        each.account.user: updated(canary_body(each, anchor_unix_ns)) for each in canaries(scenario.probes, seed)
    }
    probe_reads(probes, contents, found)
    there = (*(row.operation_id for row in requests), *(probe_call(probe.probe_id) for probe in probes))
    found.missing = max(found.missing, len(missing_samples((each.id for each in (*due.requests, *due.probes)), there)))
    return reads_result(found)


def reads_of_steps(
    requests: Sequence[RequestRow],
    *,
    users: int,
    seed: int,
    anchor_unix_ns: int,
    steps: Iterable[tuple[Step, int]] = (),
) -> Iterator[Judgement]:
    """The check of all ``requests`` of a run whose load was that of steps with so many ``users``; none without
    load. ``steps`` are those that were made, each with when it began (ns): by the users' own numbers a user's last
    request is not missed, by a step's plan it is.
    Their photos are uploaded beside them: no walk names one, so that the bucket is not asked for. Short steps of many
    users may have nobody read after a write of theirs was acknowledged: then there was nothing to see.
    """
    due_ns = [[*(due_of_step(step, seed, start_ns) or ())] for step, start_ns in steps]
    if requests or due_ns:
        plan = population(users)
        plans = Plans(plan, accounts(plan, seed), seed=seed, anchor_unix_ns=anchor_unix_ns, bucket="")
        found = reads(requests, plans)
        of_plan = itertools.chain.from_iterable(due_ns)
        found.missing = max(found.missing, len(missing_samples(of_plan, (row.due_ns for row in requests))))
        yield reads_result(found, idle=True)
