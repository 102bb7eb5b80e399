"""Where the document's claims stand by the stored results, for the weekly and the monthly review."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.model.stack import Rung, Target
from harness.model.verdict import Verdict
from harness.rehearsals.operations.seen.facts import Reviewed
from harness.signoff.gather import gather
from harness.signoff.states import runs, standings
from harness.signoff.types import Asked, Run, Standing
from harness.stack.identity import digest
from harness.stack.rungs import for_rung
from scenarios import claims

_JUDGED = (Verdict.PASS, Verdict.FAIL, Verdict.ERRATUM_SHOWN)


def reviewed(reports: Path, topics: Sequence[str], target: Target, now_utc: str) -> Iterator[Reviewed]:
    """The claims whose id begins with one of ``topics``, as the sign-off page has them now."""
    stored, _ = gather(reports)
    digests = dict.fromkeys(digest(for_rung(target, rung)) for rung in (Rung.LOCAL, Rung.KIND))
    asked = Asked(target=target.name, now_utc=now_utc, digests=tuple(filter(None, digests)))
    known = {run.folder: run for run in runs(stored, asked)}
    for each in standings(claims.REGISTER, stored, asked):
        if each.claim.partition(".")[0] in topics:
            yield row(each, known)


def row(standing: Standing, known: dict[str, Run]) -> Reviewed:
    """Where it stands, as a review has it."""
    first = standing.evidence[0] if standing.evidence else None
    return Reviewed(
        claim=standing.claim,
        state=str(standing.state),
        why=standing.told,
        folder="" if first is None else first.folder,
        age_s=None if first is None else known[first.folder].age_s,
        judged=any(each.judgement.verdict in _JUDGED for each in standing.evidence),
    )
