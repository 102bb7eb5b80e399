"""Each check that ran as a judgement, and what of the checks asked for did not run. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.model.judgement import Judgement, Kind
from harness.model.message import Message, Told, message
from harness.model.verdict import Verdict
from harness.rehearsals.conformance.checks import ALL
from harness.rehearsals.conformance.grade import DOCUMENT, FINDINGS, GRADES, Grade, Source, SourceKind
from harness.rehearsals.conformance.types import CheckRun, ConformanceDetails, ConformancePlan

#: The claim that checks of a group are the verdict on.
_CLAIM = {
    "log": "logging.structured",
    "postgres": "related.schema",
    **dict.fromkeys(("walks", "upsert", "listing"), "related.api"),
}
_ORDER = {check.id: place for place, check in enumerate(ALL)}


def judged(plan: ConformancePlan, details: ConformanceDetails, asked: Sequence[str]) -> Iterator[Judgement]:
    """All of them in the order in which people read them. ``asked`` are the ids of the checks asked for: a contract is
    kept whole, and one check that was not made leaves it open.
    """
    for run in sorted(details.checks, key=lambda each: _ORDER.get(each.id, len(_ORDER))):
        yield judgement(run)
    missing = set(asked) - {run.id for run in details.checks}
    if missing:
        told = message("{count} of {all} checks were not made", count=str(len(missing)), all=str(len(asked)))
        yield _not_made("checks", told)
    if plan.fuzz_s and details.fuzz is None:
        yield _not_made("fuzz", message("no requests were drawn from the OpenAPI file"))


def _not_made(id_: str, told: Message) -> Judgement:
    return Judgement(id=id_, kind=Kind.CHECK, verdict=Verdict.INCONCLUSIVE, told=(told,))


def judgement(run: CheckRun) -> Judgement:
    """One check. A deviation that is advice alone is told, and holds nothing up."""
    advice = run.deviation is not None and run.deviation.grade is Grade.ADVICE
    verdict, told = _ended(run)
    return Judgement(
        id=run.id,
        kind=Kind.OBSERVATION if advice else Kind.CRITERION,
        verdict=Verdict.PASS if advice else verdict,
        claim=_CLAIM.get(run.id.partition(".")[0], ""),
        asked=(Message(text=run.sentence),),
        told=told,
        gates=not advice and not (verdict is Verdict.NOT_EXERCISED and run.allowed),
        notes=tuple(_notes(run)),
        reproduce=run.curl,
        seconds=run.seconds,
    )


def _ended(run: CheckRun) -> tuple[Verdict, Told]:
    if run.deviation is not None:
        expected = message("expected {what}", what=run.deviation.expected)
        return Verdict.FAIL, (expected, message("got {what}", what=run.deviation.got))
    if run.lacking is not None:
        return Verdict.NOT_EXERCISED, (run.lacking,)
    if run.broken:
        return Verdict.INCONCLUSIVE, (message("the measurement failed: {what}", what=run.broken),)
    return Verdict.PASS, (message("kept"),)


def _notes(run: CheckRun) -> Iterator[Message]:
    """What a deviation breaks and what is wrong, whose sentence it is, what the team's file decided, the raw bytes."""
    if run.deviation is not None:
        grade, finding = Message(text=GRADES[run.deviation.grade]), Message(text=FINDINGS[run.deviation.finding])
        yield message("{grade} ({finding})", grade=grade, finding=finding)
    if run.source is not None:
        yield message("source: {source}", source=source_words(run.source))
    for what in run.decided:
        yield message("decided by the OpenAPI file: {what}", what=what)
    if run.request_file:
        yield message("the request as it was sent: {file}", file=run.request_file)


def source_words(source: Source) -> Message | str:
    """Whose sentence it is."""
    if source.kind is SourceKind.DOCUMENT:
        return Message(text=DOCUMENT, values={"section": source.place})
    return source.place
