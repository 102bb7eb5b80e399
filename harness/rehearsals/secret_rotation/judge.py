"""What a run says of the Secret Manager CSI pattern, from the facts that it left and its evidence. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.judge.ledger import Calls, Ledger
from harness.judge.window import Window
from harness.model.evidence import Side
from harness.model.judgement import Judgement
from harness.model.parts import ended
from harness.rehearsals.secret_rotation.judge_rotation import as_written, naive, started, two_roles
from harness.rehearsals.secret_rotation.types import (
    AsWritten,
    PartKind,
    Rotated,
    RotationDetails,
    RotationPart,
    RotationPlan,
    Started,
)


def judged(plan: RotationPlan, details: RotationDetails, ledger: Ledger) -> Iterator[Judgement]:
    """The claims of every part that was carried through."""
    for part, _, _ in ended(plan.parts, details.runs):
        yield from of_part(plan, part, details, ledger)


def of_part(plan: RotationPlan, part: RotationPart, details: RotationDetails, ledger: Ledger) -> list[Judgement]:
    """Those of one part."""
    found: list[Judgement] = []
    match details.did.get(part.name):
        case AsWritten() as did:
            found = as_written(part, did)
        case Started() as did:
            found = started(part, did)
        case Rotated() as did if part.kind is PartKind.NAIVE:
            found = naive(part, did.course, calls_of(did, ledger))
        case Rotated() as did:
            found = two_roles(part, did.course, calls_of(did, ledger), plan.poll_s)
    return [each for each in found if each.claim in part.claims]


def calls_of(did: Rotated, ledger: Ledger) -> Calls:
    """The requests that were due while the load lasted."""
    end_ns = did.course.loaded_ns or did.origin_ns
    return ledger.requests_due(Window(start_ns=did.origin_ns, end_ns=end_ns), Side.API)
