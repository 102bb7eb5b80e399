"""What answers showed the accounts of load in steps: the check of reads, of the evidence alone. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from harness.checks.reads import reads
from harness.checks.walk_results import CLAIM, READS, reads_result
from harness.checks.written import Plans
from harness.judge.lacking import lacking
from harness.load.population.accounts import accounts
from harness.load.population.arrivals import due_of_step
from harness.load.stages.plan import population
from harness.model.evidence import RequestRow
from harness.model.expected import Expected
from harness.model.judgement import Judgement, Kind
from harness.model.step import Step
from harness.model.verdict import Verdict

#: What is asked of a run with load in steps.
READS_EXPECTED = Expected("", READS, CLAIM[READS], kind=Kind.CHECK)


def reads_of_steps(
    requests: Sequence[RequestRow],
    *,
    users: int,
    seed: int,
    anchor_unix_ns: int,
    steps: Iterable[tuple[Step, int]] = (),
) -> Iterator[Judgement]:
    """The judgement on all ``requests`` of a run whose load was that of steps with so many ``users``; none without
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
        found.missing = max(found.missing, len(lacking(of_plan, (row.due_ns for row in requests))))
        judgement = reads_result(found)
        if found.writes and not (found.bound or found.wrong or found.unknown):
            judgement = msgspec.structs.replace(judgement, verdict=Verdict.NOT_EXERCISED, gates=False)
        yield judgement
