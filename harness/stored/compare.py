"""What changed from one stored run to another: verdicts, figures with bounds, timings, settings. Pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.judge.combine import combine, exit_status
from harness.judge.decision import decide
from harness.judge.difference import Measured, Sample, Single, differ
from harness.model.units import Unit
from harness.model.verdict import Combined, CriterionKind, CriterionResult, Decision, Verdict
from harness.stored.folder import StoredRun
from harness.stored.observe import Observed
from harness.stored.settings import Setting, not_comparable, settings
from harness.stored.window_figures import Figure, window_figures

COMPARISON_SCHEMA_VERSION = 1

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
    """One of the two runs. ``decision`` is the run's own; ``judged`` what today's judge decides on its evidence."""

    run_id: str
    folder: str
    started_utc: str
    decision: Decision | None
    judged: Decision


class VerdictChange(msgspec.Struct, frozen=True, kw_only=True):
    """A criterion in both runs, judged by today's judge; ``None`` where a run does not have it."""

    id: str
    kind: CriterionKind
    a: CriterionResult | None
    b: CriterionResult | None
    change: Change


class FigureChange(msgspec.Struct, frozen=True, kw_only=True):
    """A figure in both runs with its 95 % interval. ``judged``: a criterion of either run is about it."""

    name: str
    unit: str
    a: Measured
    b: Measured
    change: Change
    judged: bool
    method: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """``compare --json``. ``worse`` names what is worse in B of all that is judged; the exit status is 10 for any.

    ``combined``: nothing was exercised where no criterion was judged in either run and no figure is in both.
    """

    schema_version: int
    a: Side
    b: Side
    not_comparable: tuple[str, ...]
    criteria: tuple[VerdictChange, ...]
    figures: tuple[FigureChange, ...]
    timings: tuple[FigureChange, ...]
    settings: tuple[Setting, ...]
    worse: tuple[str, ...]
    exit_status: int
    combined: Combined


def compare(a: StoredRun, seen_a: Observed, b: StoredRun, seen_b: Observed) -> Comparison:
    """Sets B against A: every criterion, figure, timing and setting."""
    metrics = {result.metric for result in (*seen_a.results, *seen_b.results)}
    criteria = _criteria(seen_a, seen_b)
    figures = tuple(
        _figure(one, other.sample, judged=one.metric is not None and str(one.metric) in metrics)
        for one, other in zip(window_figures(seen_a), window_figures(seen_b), strict=True)
    )
    worse = [c.id for c in criteria if c.change is Change.WORSE]
    worse += [f.name for f in figures if f.judged and f.change is Change.WORSE]
    combined = combine([*(_verdict(each) for each in criteria), *(_of_figure(each) for each in figures)])
    return Comparison(
        schema_version=COMPARISON_SCHEMA_VERSION,
        a=_side(a, seen_a),
        b=_side(b, seen_b),
        not_comparable=not_comparable(a, seen_a, b, seen_b),
        criteria=criteria,
        figures=figures,
        timings=_timings(a, b),
        settings=settings(a, b),
        worse=tuple(worse),
        exit_status=exit_status(combined),
        combined=combined,
    )


def _verdict(change: VerdictChange) -> Verdict:
    """Whether B is no worse in a criterion; not exercised where neither run judged it."""
    if change.change is Change.WORSE:
        return Verdict.FAIL
    seen = [each for each in (change.a, change.b) if each is not None and each.verdict is not Verdict.NOT_EXERCISED]
    return Verdict.PASS if seen else Verdict.NOT_EXERCISED


def _of_figure(change: FigureChange) -> Verdict:
    """Whether B is no worse in a figure; one that no criterion is about, or that a run lacks, says nothing."""
    if not change.judged or change.a.value is None or change.b.value is None:
        return Verdict.NOT_EXERCISED
    return Verdict.FAIL if change.change is Change.WORSE else Verdict.PASS


def _side(stored: StoredRun, seen: Observed) -> Side:
    return Side(
        run_id=stored.run_id,
        folder=stored.folder,
        started_utc=stored.run.started_utc if stored.run else "",
        decision=stored.run.decision if stored.run else None,
        judged=decide(seen.results, seen.checks),
    )


def _criteria(seen_a: Observed, seen_b: Observed) -> tuple[VerdictChange, ...]:
    a, b = {r.id: r for r in seen_a.results}, {r.id: r for r in seen_b.results}
    changes = []
    for id_ in dict.fromkeys((*a, *b)):
        one, other = a.get(id_), b.get(id_)
        kind = (one or b[id_]).kind
        step = _RANK[other.verdict if other else None] - _RANK[one.verdict if one else None]
        change = Change.WORSE if step > 0 else Change.BETTER if step < 0 else Change.NONE
        changes.append(VerdictChange(id=id_, kind=kind, a=one, b=other, change=change))
    return tuple(changes)


def _figure(figure: Figure, other: Sample, *, judged: bool) -> FigureChange:
    a, b = figure.sample.measured(), other.measured()
    change = Change.NONE
    if differ(figure.sample, other) and a.value is not None and b.value is not None:
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
    one, other = (dict(stored.run.timings) if stored.run else {} for stored in (a, b))
    for seconds, stored in ((one, a), (other, b)):
        if stored.run and stored.run.switch_over and stored.run.switch_over.last_s is not None:
            seconds["last client switched over"] = stored.run.switch_over.last_s
    return tuple(
        _figure(Figure(name, Unit.SECONDS, "worse", Single(one.get(name))), Single(other.get(name)), judged=False)
        for name in dict.fromkeys((*one, *other))
    )
