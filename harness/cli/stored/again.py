"""Today's judgements on a stored run; on a sequence, those on its runs too, by their own evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from harness.base.errors import BadInput, Exit
from harness.cli.stored.folder import StoredRun, read_stored
from harness.model.judgement import Decision, Judgement, Kind, Verdict
from harness.model.message import Message, message, of_error
from harness.rules.judged import JUDGED_THEN, combine
from harness.run.rehearsal import RunRecord
from harness.run.result import judged


def judge_again(run: StoredRun, seen: RunRecord[Any]) -> tuple[Judgement, ...]:
    """Today's judgements on a stored run. What the run had judged and what gated, and cannot be judged any more, holds:
    what it rested on may be lost. So does a run of a sequence that passed, and by its own evidence does not now.
    Raises ``BadInput`` where what a killed run left cannot be judged."""
    try:
        now = judged(run.rehearsal, run.plan, seen)
    except Exception as error:
        if not run.killed:
            raise
        raise BadInput(
            message(
                "the run was killed before it could report, and what it left cannot be judged: {error}",
                error=repr(error),
            ),
            where=str(run.folder),
            remedy="run it again",
        ) from error
    return (*now, *_gone(run.result.judgements, now), *_runs(run))


def _gone(stored: Iterable[Judgement], now: Sequence[Judgement]) -> Iterator[Judgement]:
    left = [each for each in now if each.gates or each.verdict is not Verdict.NOT_EXERCISED]
    keys, claims = {each.key for each in left}, {(each.part, claim) for each in left for claim in each.claims}
    lost = {each.key for each in now} - keys  # there still, and not exercised: its own word is gone
    gone = [
        each for each in stored if each.gates and each.key not in keys
        and (each.key in lost or not {(each.part, claim) for claim in each.claims} & claims)
    ]  # fmt: skip
    if gone:
        names = ", ".join(": ".join(filter(None, each.key)) for each in gone)
        told = message("the run had judged it, and nothing does now: {names}", names=names)
        yield Judgement(id=JUDGED_THEN, kind=Kind.CHECK, verdict=Verdict.INCONCLUSIVE, told=(told,))


def _runs(run: StoredRun) -> Iterator[Judgement]:
    """The runs on which a sequence went on, by its own details. One that held or broke holds it by those alone."""
    for part, run_id in getattr(run.details, "went_on", ()):
        yield from _run(run, part, run_id)


def _run(run: StoredRun, part: str, run_id: str) -> Iterator[Judgement]:
    try:
        found = read_stored(str(run.folder / run_id), run.folder)
        if (found.result.run_id, found.result.exit_status) != (run_id, Exit.OK):
            yield _no_more(part, [message("it passed, and its folder's result is not the one that passed")])
            return
        now = judge_again(found, found.seen())
    except Exception as error:  # what is left may be of any kind
        why = of_error(error) if isinstance(error, BadInput) else repr(error)
        yield _no_more(part, [message("it passed, and what it passed on cannot be judged again: {error}", error=why)])
        return
    if (decision := combine(now)) is not Decision.ADVANCE:
        rolls_back = decision is Decision.ROLL_BACK
        against = [each for each in now if (each.fired if rolls_back else each.holds)]
        failed = any(each.verdict is Verdict.FAIL for each in against)
        kind = Kind.ROLLBACK_LIMIT if rolls_back else Kind.CHECK
        yield _no_more(part, _why(against), Verdict.FAIL if failed else Verdict.INCONCLUSIVE, kind)


def _why(against: Sequence[Judgement]) -> Iterator[Message]:
    yield message("it passed, and by its own evidence it does not now")
    for each in against:
        first, *more = each.told
        yield message("{what}: {why}", what=each.id, why=first)
        yield from more
    if not against:
        yield message("nothing was exercised")


def _no_more(
    part: str, told: Iterable[Message], verdict: Verdict = Verdict.INCONCLUSIVE, kind: Kind = Kind.CHECK
) -> Judgement:
    return Judgement(id=JUDGED_THEN, part=part, kind=kind, verdict=verdict, told=tuple(told))
