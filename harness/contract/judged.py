"""Each check that ran as a judgement, and those that are asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.contract.check import Check
from harness.contract.grade import DOCUMENT, FINDINGS, GRADES, Grade, Source, SourceKind
from harness.contract.run import CheckRun
from harness.model.expected import Expected, expected_of
from harness.model.judgement import Judgement, Kind
from harness.model.message import Message, Told, message
from harness.model.verdict import Verdict


def judged(runs: Iterable[CheckRun], known: Sequence[Check], claims: Mapping[str, str]) -> Iterator[Judgement]:
    """All ``runs`` in the order of ``known``, in which people read them; ``claims`` are by a check's first word."""
    order = {check.id: place for place, check in enumerate(known)}
    for run in sorted(runs, key=lambda each: order.get(each.id, len(order))):
        yield judgement(run, _claim(run.id, claims))


def expected(ids: Iterable[str], claims: Mapping[str, str]) -> list[Expected]:
    """The checks of these ids: a contract is kept whole, and one check that was not made leaves it open."""
    return expected_of((id_, _claim(id_, claims)) for id_ in ids)


def _claim(id_: str, claims: Mapping[str, str]) -> str:
    return claims.get(id_.partition(".")[0], "")


def not_made(id_: str, told: Message) -> Judgement:
    """Something asked for that did not come about."""
    return Judgement(id=id_, kind=Kind.CHECK, verdict=Verdict.INCONCLUSIVE, told=(told,))


def judgement(run: CheckRun, claim: str = "") -> Judgement:
    """One check, a verdict on ``claim``. A deviation that is advice alone is told, and holds nothing up."""
    advice = run.deviation is not None and run.deviation.grade is Grade.ADVICE
    verdict, told = _ended(run)
    return Judgement(
        id=run.id,
        kind=Kind.OBSERVATION if advice else Kind.CRITERION,
        verdict=Verdict.PASS if advice else verdict,
        claim=claim,
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
