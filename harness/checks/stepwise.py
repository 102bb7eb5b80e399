"""Users are moved step by step, and those who stay are served by Firestore, which they write. Pure.

移行アプローチ: Firebase is never stopped as a whole, and its diagram has Firestore read only while both run.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.base.units import Unit
from harness.model.evidence import WRITES, Due, Outcome, RequestRow, Side
from harness.model.judgement import Judgement, Verdict
from harness.model.message import message
from harness.rules.bounds import ratio_lower, ratio_upper
from harness.rules.ledger import missing_samples
from harness.rules.planned import lost_words

STEPWISE, READ_ONLY = "migration.stepwise", "migration.firestore_read_only"
ERRATUM_WRITTEN = "migration.firestore_is_written"
#: The document's own ratio of errors (SLO定義, and week 1's criterion: エラー率 < 1%).
MOST_FAILED = 0.01


def served(requests: int, failed: int, missing: int) -> Judgement:
    """Of those who stay on Firestore: did fewer than 1 % of their requests fail, with 95 % confidence? It fails where
    the opposite bound says so, as every success criterion.

    So many are due and ``missing`` in evidence: they count as failed before a pass, and a fail stands without them.
    """
    due = requests + missing
    told = message(
        "{failed} of {requests} requests of users who stay on Firestore failed",
        failed=f"{failed:,}",
        requests=f"{requests:,}",
    )
    bound = ratio_upper(failed + missing, due) if requests else None
    verdict = Verdict.PASS if bound is not None and bound < MOST_FAILED else Verdict.INCONCLUSIVE
    if requests and (least := ratio_lower(failed, due)) >= MOST_FAILED:
        verdict, bound = Verdict.FAIL, least
    return Judgement(
        id=STEPWISE,
        claim=STEPWISE,
        verdict=verdict,
        asked=(message("Firebase goes on while users are moved: fewer than 1 % of its requests fail"),),
        told=(told, *lost_words(missing, requests)),
        value=failed / requests if requests else None,
        bound=bound,
        limit=MOST_FAILED,
        unit=Unit.RATIO,
        samples=requests,
    )


def served_of(rows: Iterable[RequestRow], due: Iterable[Due]) -> Judgement:
    """The same of requests on whichever side: those to Firestore count, and what of ``due`` has no row on any."""
    there = [*rows]
    outcomes = [row.outcome is Outcome.OK for row in there if row.side is Side.FIRESTORE]
    missing = missing_samples((each.id for each in due), (row.operation_id for row in there))
    return served(len(outcomes), outcomes.count(False), len(missing))


def written(direct: int, mirrored: int) -> Judgement:
    """Was Firestore only read while both ran? ``direct`` writes were confirmed by it, ``mirrored`` by the API, which
    writes them there too. That it is written is no failure, but the document's own error; where nobody was seen to
    write it, or to write the API, nothing is known."""
    shown = direct > 0 and mirrored > 0
    told = message(
        "{direct} writes went straight to Firestore, and {mirrored} to the API, which mirrors them there",
        direct=f"{direct:,}",
        mirrored=f"{mirrored:,}",
    )
    return Judgement(
        id=READ_ONLY,
        claim=READ_ONLY,
        verdict=Verdict.ERRATUM_SHOWN if shown else Verdict.INCONCLUSIVE,
        asked=(message("Firestore is only read while both run"),),
        told=(told,),
        samples=direct,
        erratum=ERRATUM_WRITTEN if shown else "",
    )


def written_of(rows: Iterable[RequestRow], mirrored: int = 0) -> Judgement:
    """The same of requests; ``mirrored`` more were made beside them."""
    sides = [row.side for row in rows if row.operation in WRITES and row.acknowledged]
    return written(sides.count(Side.FIRESTORE), sides.count(Side.API) + mirrored)
