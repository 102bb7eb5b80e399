"""What answers showed the accounts of load in steps: the check of reads, of the evidence alone. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from harness.checks.reads import reads
from harness.checks.walk_results import reads_result
from harness.checks.written import Plans
from harness.load.population.accounts import accounts
from harness.load.stages.plan import population
from harness.model.evidence import RequestRow
from harness.model.judgement import Judgement
from harness.model.verdict import Verdict


def reads_of_steps(
    requests: Sequence[RequestRow], *, users: int, seed: int, anchor_unix_ns: int, missing: int = 0
) -> Iterator[Judgement]:
    """The judgement on all ``requests`` of a run whose load was that of steps with so many ``users``; none without
    requests. ``missing`` are so many as the steps' plans show: by the users' own numbers a user's last is not missed.
    Their photos are uploaded beside them: no walk names one, so that the bucket is not asked for. Short steps of many
    users may have nobody read after a write of theirs was acknowledged: then there was nothing to see.
    """
    if requests:
        plan = population(users)
        plans = Plans(plan, accounts(plan, seed), seed=seed, anchor_unix_ns=anchor_unix_ns, bucket="")
        found = reads(requests, plans)
        found.missing = max(found.missing, missing)
        judgement = reads_result(found)
        if found.writes and not (found.bound or found.wrong or found.unknown):
            judgement = msgspec.structs.replace(judgement, verdict=Verdict.NOT_EXERCISED, gates=False)
        yield judgement
