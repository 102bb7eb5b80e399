"""The facts of checks, one case each, and what a check says beside its verdict. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from harness.checks.contract.run import DOCUMENT, FINDINGS, GRADES, CheckRun, Grade, SentenceSource, SourceKind
from harness.model.judgement import Expected, Judgement, Kind, Verdict, expected_of
from harness.model.message import Message, Told, gettext_noop, message
from harness.rules.rule import Fact

DEVIATIONS = "deviations"
#: Of one that the target keeps; any other says what was expected and what came.
PHRASES = {DEVIATIONS: gettext_noop("kept")}


def expected(ids: Iterable[str], claims: Mapping[str, str]) -> list[Expected]:
    """The checks of these ids: a contract is kept whole, and one check that was not made leaves it open. ``claims`` are
    by a check's first word."""
    return expected_of((id_, claims.get(id_.partition(".")[0], "")) for id_ in ids)


def deviations(run: CheckRun, claim: str = "") -> Fact:
    """How often the target deviates from the sentence of a check, with what stands beside the verdict on it."""
    found = _deviations(run)
    return msgspec.structs.replace(found, sample=_beside(run, claim, found.void or found.lacks or found.told))


def _deviations(run: CheckRun) -> Fact:
    """Advice is told, and is none."""
    found = Fact(name=DEVIATIONS, case=run.id, seen=0, told=(Message(text=PHRASES[DEVIATIONS]),))
    if run.deviation is not None:
        wanted = message("expected {what}", what=run.deviation.expected)
        got = message("got {what}", what=run.deviation.got)
        if run.deviation.grade is Grade.ADVICE:
            return msgspec.structs.replace(found, told=(wanted, got))
        return msgspec.structs.replace(found, seen=1, told=(got,), wanted=(wanted,))
    if run.lacking is not None:
        return msgspec.structs.replace(found, lacks=(run.lacking,), told=())
    if run.broken:
        why = message("the measurement failed: {what}", what=run.broken)
        return msgspec.structs.replace(found, void=(why,), told=())
    return found


def _beside(run: CheckRun, claim: str, told: Told) -> Judgement:
    """What stands beside the verdict on a check: its sentence, its request, its notes. Advice is told and holds nothing
    up, and so does what a target may do without."""
    advice = run.deviation is not None and run.deviation.grade is Grade.ADVICE
    return Judgement(
        id=run.id,
        claim=claim,
        verdict=Verdict.INCONCLUSIVE,
        told=told,
        kind=Kind.OBSERVATION if advice else Kind.CRITERION,
        gates=not advice and not (run.lacking is not None and run.allowed),
        asked=(Message(text=run.sentence),),
        notes=tuple(_notes(run)),
        reproduce=run.curl,
        seconds=run.seconds,
    )


def _notes(run: CheckRun) -> Iterator[Message]:
    """What a deviation breaks and what is wrong, whose sentence it is, what the team's file decided, the raw bytes."""
    if run.deviation is not None:
        grade, finding = Message(text=GRADES[run.deviation.grade]), Message(text=FINDINGS[run.deviation.finding])
        yield message("{grade} ({finding})", grade=grade, finding=finding)
    if run.source is not None:
        yield message("source: {source}", source=_words(run.source))
    for what in run.decided:
        yield message("decided by the OpenAPI file: {what}", what=what)
    if run.request_file:
        yield message("the request as it was sent: {file}", file=run.request_file)


def _words(source: SentenceSource) -> Message | str:
    """Whose sentence it is."""
    if source.kind is SourceKind.DOCUMENT:
        return Message(text=DOCUMENT, values={"section": source.place})
    return source.place
