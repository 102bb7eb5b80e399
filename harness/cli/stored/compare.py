"""What changed from one stored run to another: verdicts, figures with bounds, timings, settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum

import msgspec

from harness.base.errors import BadInput, Exit, tool_status
from harness.base.units import Unit
from harness.cli.stored.again import judge_again
from harness.cli.stored.folder import StoredRun
from harness.cli.stored.settings import Setting, asked_apart, cut_short, settings
from harness.judge.combine import combine
from harness.judge.difference import Measured, Sample, Single, differ
from harness.model.judgement import Judgement, Kind
from harness.model.message import Told, message
from harness.model.stack import Rung
from harness.model.verdict import Decision, Verdict
from harness.rehearsal.rehearsal import Figure

COMPARISON_SCHEMA_VERSION = 3

#: The further right the worse. What was not exercised or not judged proves as little as what is inconclusive.
_RANK = {
    Verdict.PASS: 0,
    Verdict.ERRATUM_SHOWN: 0,
    Verdict.INCONCLUSIVE: 1,
    Verdict.NOT_EXERCISED: 1,
    None: 1,
    Verdict.FAIL: 2,
}


class Change(StrEnum):
    """From A to B."""

    NONE = "no difference can be shown"
    HIGHER = "higher"
    LOWER = "lower"
    BETTER = "better"
    WORSE = "worse"


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two runs. ``decision`` is the run's own; ``judged`` what today's judge decides on what it left."""

    run_id: str
    rung: Rung
    started_utc: str
    decision: Decision | None
    judged: Decision


class VerdictChange(msgspec.Struct, frozen=True, kw_only=True):
    """A judgement on both runs by today's judge; ``None`` where a run does not have it. ``gates``: in either."""

    part: str
    id: str
    kind: Kind
    a: Judgement | None
    b: Judgement | None
    change: Change
    gates: bool

    @property
    def name(self) -> str:
        """The part and the id."""
        return f"{self.part}: {self.id}" if self.part else self.id


class FigureChange(msgspec.Struct, frozen=True, kw_only=True):
    """A figure in both runs with its 95 % interval. ``judged``: a judgement of either run is about it."""

    name: str
    unit: str
    a: Measured
    b: Measured
    change: Change
    judged: bool
    method: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """``compare --json``. ``decides``: the decisions are those of the rollout. ``worse`` names what is worse in B of
    all that is judged; the exit status is 10 for any.

    ``nothing``: nothing was compared, no judgement was made on either run and no judged figure is in both; that is 10
    too. So is ``not_comparable``, which says why the figures do not speak of the same thing, but for what the runs were
    asked for apart where they were meant to be (``across``).
    """

    schema_version: int
    rehearsal: str
    decides: bool
    a: Side
    b: Side
    not_comparable: Told
    across: bool
    judgements: tuple[VerdictChange, ...]
    figures: tuple[FigureChange, ...]
    timings: tuple[FigureChange, ...]
    settings: tuple[Setting, ...]
    worse: tuple[str, ...]
    nothing: bool
    exit_status: int


def compare(a: StoredRun, b: StoredRun, *, across: bool = False) -> Comparison:
    """Sets B against A: every judgement, figure, timing and setting. ``across``: that they were asked for differently
    is meant, and holds nothing. Raises ``BadInput`` for runs of two rehearsals.
    """
    if a.result.rehearsal != b.result.rehearsal:
        raise BadInput(
            message(
                "the runs are of two rehearsals: {rehearsal} and {other}",
                rehearsal=a.result.rehearsal,
                other=b.result.rehearsal,
            ),
            where=str(b.folder),
            remedy="name two runs of one rehearsal",
        )
    seen_a, seen_b = a.seen(), b.seen()
    now_a, now_b = judge_again(a, seen_a), judge_again(b, seen_b)
    verdicts = _verdicts(now_a, now_b)
    figures = _figures(
        a.rehearsal.figures(a.plan, replace(seen_a, judgements=now_a)),
        b.rehearsal.figures(b.plan, replace(seen_b, judgements=now_b)),
    )
    worse = [each.name for each in verdicts if each.gates and each.change is Change.WORSE]
    worse += [each.name for each in figures if each.judged and each.change is Change.WORSE]
    nothing = not any(map(_was_judged, verdicts)) and not any(map(_is_in_both, figures))
    apart, cut = asked_apart(a, b), cut_short(a, b)
    spoilt = bool(cut or (apart and not across))
    return Comparison(
        schema_version=COMPARISON_SCHEMA_VERSION,
        rehearsal=a.result.rehearsal,
        decides=a.result.decides,
        a=_side(a, now_a),
        b=_side(b, now_b),
        not_comparable=(*apart, *cut),
        across=across,
        judgements=verdicts,
        figures=figures,
        timings=_timings(a, b),
        settings=settings(a, b),
        worse=tuple(worse),
        nothing=nothing,
        exit_status=int(tool_status({Exit.HOLD: worse or nothing or spoilt})),
    )


def _was_judged(change: VerdictChange) -> bool:
    """Whether it tells of what is rehearsed in either run."""
    return any(each is not None and each.exercised for each in (change.a, change.b))


def _is_in_both(change: FigureChange) -> bool:
    return change.judged and change.a.value is not None and change.b.value is not None


def _side(run: StoredRun, now: tuple[Judgement, ...]) -> Side:
    result = run.result
    return Side(
        run_id=result.run_id,
        rung=result.facts.rung,
        started_utc=result.facts.started_utc,
        decision=result.decision,
        judged=combine(now),
    )


def _verdicts(now_a: Iterable[Judgement], now_b: Iterable[Judgement]) -> tuple[VerdictChange, ...]:
    """All but what was merely seen."""
    a = {each.key: each for each in now_a if each.kind is not Kind.OBSERVATION}
    b = {each.key: each for each in now_b if each.kind is not Kind.OBSERVATION}
    changes = []
    for key in dict.fromkeys((*a, *b)):
        one, other = a.get(key), b.get(key)
        step = _RANK[other.verdict if other else None] - _RANK[one.verdict if one else None]
        # What holds B alone is worse there: some checks are made of what went wrong alone.
        worse = step > 0 or [each is not None and each.holds for each in (one, other)] == [False, True]
        changes.append(
            VerdictChange(
                part=key[0],
                id=key[1],
                kind=(one or b[key]).kind,
                a=one,
                b=other,
                change=Change.WORSE if worse else Change.BETTER if step < 0 else Change.NONE,
                gates=any(each is not None and each.gates for each in (one, other)),
            )
        )
    return tuple(changes)


def _figures(of_a: Iterable[Figure], of_b: Iterable[Figure]) -> tuple[FigureChange, ...]:
    """Every figure of either run, by its name."""
    a, b = {each.name: each for each in of_a}, {each.name: each for each in of_b}
    return tuple(_figure(name, a.get(name), b.get(name)) for name in dict.fromkeys((*a, *b)))


def _figure(name: str, a: Figure | None, b: Figure | None) -> FigureChange:
    known = a or b
    if known is None:
        raise ValueError(f"{name}: a figure of neither run")
    one, other = (Single(None) if each is None else each.sample for each in (a, b))
    return _change(known, one, other, judged=any(each is not None and each.gates for each in (a, b)))


def _change(figure: Figure, one: Sample, other: Sample, *, judged: bool) -> FigureChange:
    a, b = one.measured(), other.measured()
    change = Change.NONE
    if a.value is not None and b.value is not None and differ(one, other):
        change = _named(figure.higher_is, more=b.value > a.value)
    return FigureChange(
        name=figure.name, unit=figure.unit, a=a, b=b, change=change, judged=judged, method=figure.sample.method
    )


def _named(higher_is: str, *, more: bool) -> Change:
    if not higher_is:
        return Change.HIGHER if more else Change.LOWER
    return Change.BETTER if more == (higher_is == "better") else Change.WORSE


def _timings(a: StoredRun, b: StoredRun) -> tuple[FigureChange, ...]:
    """One reading each: shown side by side, and no difference can be shown."""
    one, other = a.result.facts.timings, b.result.facts.timings
    return tuple(
        _change(
            Figure(name=name, unit=Unit.SECONDS, higher_is="worse", sample=Single(one.get(name))),
            Single(one.get(name)),
            Single(other.get(name)),
            judged=False,
        )
        for name in dict.fromkeys((*one, *other))
    )
