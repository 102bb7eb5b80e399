"""What changed from one stored run to another: verdicts, figures with bounds, timings, settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from harness.base.errors import BadInput, Exit, tool_status
from harness.base.units import Unit
from harness.cli.stored.again import judge_again
from harness.cli.stored.folder import StoredRun
from harness.cli.stored.settings import Setting, asked_apart, cut_short, settings
from harness.model.judgement import Decision, Judgement, Kind, Verdict
from harness.model.message import Message, Told, first_line, message
from harness.model.scenario import Comparison as Compares
from harness.model.scenario import Criterion
from harness.model.stack import EnvironmentKind
from harness.rules.difference import Measured, Ratio, apart
from harness.rules.judged import combine, exit_status
from harness.rules.rule import Fact, Rule
from harness.run.result import with_facts

# A stored run judged again: today's verdicts beside the stored ones, and whether they differ.

JUDGED_SCHEMA_VERSION = 2
#: What makes two judgements differ; not how they are said beside their reason.
FIELDS = (
    "kind", "verdict", "claim", "also", "value", "bound", "limit", "unit", "samples", "gates", "erratum", "reason",
    "fired_at_ns",
)  # fmt: skip


class JudgementPair(msgspec.Struct, frozen=True, kw_only=True):
    """A judgement as it was made and as it is made now; ``differs`` names the fields that do. ``None``: not judged."""

    part: str
    id: str
    stored: Judgement | None
    now: Judgement | None
    differs: tuple[str, ...]

    @property
    def name(self) -> str:
        """The part and the id."""
        return f"{self.part}: {self.id}" if self.part else self.id


class Rejudgement(msgspec.Struct, frozen=True, kw_only=True):
    """``judged-<n>.json``. ``decision`` is ``None`` where the run broke: such a run decides nothing but a roll back.

    ``decides``: the decisions are those of the rollout. ``evidence_says`` is what the verdicts would decide by
    themselves; ``broke`` why the run decided nothing ("" when it did); ``rows`` counts the evidence by kind.
    """

    schema_version: int
    run_id: str
    rehearsal: str
    plan: str
    rung: EnvironmentKind
    decides: bool
    stored_decision: Decision | None
    decision: Decision | None
    evidence_says: Decision
    exit_status: int
    broke: Message | None
    same: bool
    judgements: tuple[JudgementPair, ...]
    rows: dict[str, int]


def rejudge(run: StoredRun) -> Rejudgement:
    """Sets today's verdicts beside the stored ones. Raises ``BadInput`` where what the run left cannot be judged."""
    now = judge_again(run, run.seen())
    result, broke = run.result, _why_undecided(run)
    says = combine(now)
    decision = says if broke is None or says is Decision.ROLL_BACK else None
    pairs = _pairs(result.judgements, now)
    differ = any(pair.differs for pair in pairs)
    return Rejudgement(
        schema_version=JUDGED_SCHEMA_VERSION,
        run_id=result.run_id,
        rehearsal=result.rehearsal,
        plan=result.plan,
        rung=result.facts.rung,
        decides=result.decides,
        stored_decision=result.decision,
        decision=decision,
        evidence_says=says,
        exit_status=int(_exit_status(run, decision)),
        broke=broke,
        same=not run.killed and decision is result.decision and not differ,
        judgements=pairs,
        rows=_counted(run),
    )


def _exit_status(run: StoredRun, decision: Decision | None) -> Exit:
    """As if the run ended today: what befell it and what it left are facts, whatever its judgements say now."""
    result = run.result
    broke = [each for each in Exit if result.facts.errors and each == result.exit_status]
    return exit_status(decision, broke, leaks=bool(result.facts.leaks))


def _counted(run: StoredRun) -> dict[str, int]:
    return dict(sorted(Counter(str(type(row).__struct_config__.tag) for row in run.evidence.rows).items()))


def _why_undecided(run: StoredRun) -> Message | None:
    if run.killed:
        return message("the run was killed before it could report, or is still under way: its own facts are missing")
    if errors := run.result.facts.errors_told or run.result.facts.errors:
        return message("the run broke: {why}", why=first_line(errors[0]))
    return None if run.result.decision is not None else message("the run did not finish")


def _pairs(stored: tuple[Judgement, ...], now: tuple[Judgement, ...]) -> tuple[JudgementPair, ...]:
    before, after = {each.key: each for each in stored}, {each.key: each for each in now}
    return tuple(
        JudgementPair(
            part=key[0],
            id=key[1],
            stored=before.get(key),
            now=after.get(key),
            differs=_differing(before.get(key), after.get(key)),
        )
        for key in dict.fromkeys((*before, *after))
    )


def _differing(stored: Judgement | None, now: Judgement | None) -> tuple[str, ...]:
    if stored is None or now is None:
        return ("not judged then",) if stored is None else ("not judged now",)
    return tuple(field for field in FIELDS if getattr(stored, field) != getattr(now, field))


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


#: Verbs of which more of a fact is worse, and less.
_MOST, _LEAST = frozenset({"at_most", "below"}), frozenset({"at_least", "above"})
#: A share of calls is a whole number of them, but for the digits of a float.
_ROUNDED = 1e-9


class Change(StrEnum):
    """From A to B."""

    NONE = "no difference can be shown"
    HIGHER = "higher"
    LOWER = "lower"
    BETTER = "better"
    WORSE = "worse"


class ComparedRun(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two runs. ``decision`` is the run's own; ``judged`` what today's judge decides on what it left."""

    run_id: str
    rung: EnvironmentKind
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
    """A fact in both runs with its 95 % interval. ``judged``: a rule that can hold a run is decided by it."""

    name: str
    unit: str
    a: Measured
    b: Measured
    change: Change
    judged: bool
    method: str


class RunComparison(msgspec.Struct, frozen=True, kw_only=True):
    """``compare --json``. ``decides``: the decisions are those of the rollout. ``worse`` names what is worse in B of
    all that is judged; the exit status is 10 for any.

    ``nothing``: nothing was compared, for no judgement was made on either run; that is 10 too. So is
    ``not_comparable``, which says why the figures do not speak of the same thing, but for what the runs were asked for
    apart where they were meant to be (``across``).
    """

    schema_version: int
    rehearsal: str
    decides: bool
    a: ComparedRun
    b: ComparedRun
    not_comparable: Told
    across: bool
    judgements: tuple[VerdictChange, ...]
    figures: tuple[FigureChange, ...]
    timings: tuple[FigureChange, ...]
    settings: tuple[Setting, ...]
    worse: tuple[str, ...]
    nothing: bool
    exit_status: int


def compare(a: StoredRun, b: StoredRun, *, across: bool = False) -> RunComparison:
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
    seen_a, seen_b = (with_facts(each.rehearsal, each.plan, each.seen()) for each in (a, b))
    now_a, now_b = judge_again(a, seen_a), judge_again(b, seen_b)
    verdicts = _verdicts(now_a, now_b)
    figures = _figures(b, seen_a.measured or (), seen_b.measured or ())
    worse = [each.name for each in verdicts if each.gates and each.change is Change.WORSE]
    worse += [each.name for each in figures if each.judged and each.change is Change.WORSE]
    nothing = not any(map(_was_judged, verdicts))
    apart, cut = asked_apart(a, b), cut_short(a, b)
    spoilt = bool(cut or (apart and not across))
    return RunComparison(
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


def _side(run: StoredRun, now: tuple[Judgement, ...]) -> ComparedRun:
    result = run.result
    return ComparedRun(
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


def _figures(b: StoredRun, of_a: Iterable[Fact], of_b: Iterable[Fact]) -> tuple[FigureChange, ...]:
    """Every fact of either run that was measured, by its part, case and name."""
    one, other = ({_key(each): each for each in of if each.published is not None} for of in (of_a, of_b))
    rules, criteria = b.rehearsal.rules.values(), {each.id: each for each in getattr(b.plan, "criteria", ())}
    found = []
    for key in dict.fromkeys((*one, *other)):
        fact = one.get(key) or other[key]
        reading = [each for each in rules if fact.name in each.decides]
        found.append(
            _change(
                ": ".join(filter(None, key)),
                one.get(key),
                other.get(key),
                worse=_worse_of(fact, reading, criteria),
                judged=any(each.gates for each in reading),
            )
        )
    return tuple(found)


def _key(fact: Fact) -> tuple[str, str, str]:
    return fact.part, fact.case, fact.name


def _worse_of(fact: Fact, reading: Iterable[Rule], criteria: Mapping[str, Criterion]) -> Change:
    """Which way is worse, by the rules that read the fact, or by the criterion that its calls stand beside; ``NONE``
    where they do not say."""
    if fact.sample is not None:
        if (of := criteria.get(fact.case)) is None:
            return Change.NONE
        fires = of.kind is Kind.ROLLBACK_LIMIT
        more_is_good = (of.comparison in (Compares.ABOVE, Compares.AT_LEAST)) is not fires
        return Change.LOWER if more_is_good else Change.HIGHER
    verbs = {line.verb for rule in reading for line in rule.decided_by if line.fact == fact.name}
    return Change.HIGHER if verbs and verbs <= _MOST else Change.LOWER if verbs and verbs <= _LEAST else Change.NONE


def _change(
    name: str, one: Fact | None, other: Fact | None, *, worse: Change = Change.NONE, judged: bool = False
) -> FigureChange:
    """A share of calls is tested exactly; of what has an interval the two may not overlap; of one reading each no
    difference is shown."""
    ratios = [_ratio(each) for each in (one, other) if each is not None]
    alike = all(each is not None for each in ratios)
    a, b = (_measured(each, as_ratio=alike) for each in (one, other))
    change, method = Change.NONE, "one reading each: no bound"
    if alike:
        method = "Fisher's exact test"
    elif a.lower is not None or a.upper is not None:
        method = "intervals that do not overlap"
    match ratios:
        case [Ratio() as first, Ratio() as second]:
            differs = first.differs(second)
        case _:
            differs = apart(a, b)
    if differs and a.value is not None and b.value is not None:
        change = Change.HIGHER if b.value > a.value else Change.LOWER
        if worse is not Change.NONE:
            change = Change.WORSE if change is worse else Change.BETTER
    known = one or other
    unit = Unit.RATIO if alike else known.unit if known is not None else Unit.NONE
    return FigureChange(name=name, unit=unit, a=a, b=b, change=change, judged=judged, method=method)


def _ratio(fact: Fact) -> Ratio | None:
    """The calls that it counts of all, or the share of them; ``None`` of any other figure."""
    events = (fact.seen or 0.0) * (fact.of if fact.unit is Unit.RATIO else 1)
    counted = fact.unit in (Unit.RATIO, Unit.NONE, Unit.USERS) and fact.seen is not None and fact.of
    if not counted or not 0 <= events <= fact.of or abs(events - round(events)) > _ROUNDED * fact.of:
        return None
    return Ratio(round(events), fact.of)


def _measured(fact: Fact | None, *, as_ratio: bool) -> Measured:
    if fact is None or fact.seen is None:
        return Measured(value=None, lower=None, upper=None, samples=0)
    if as_ratio and (ratio := _ratio(fact)) is not None:
        return ratio.measured()
    said = fact.published
    low, high = (None, None) if said is None else (said.low, said.high)
    return Measured(value=fact.seen, lower=low, upper=high, samples=fact.of)


def _timings(a: StoredRun, b: StoredRun) -> tuple[FigureChange, ...]:
    """One reading each: shown side by side, and no difference can be shown."""
    one, other = (
        {name: Fact(name=f"{name}_s", seen=seconds) for name, seconds in each.result.facts.timings.items()}
        for each in (a, b)
    )
    return tuple(_change(name, one.get(name), other.get(name)) for name in dict.fromkeys((*one, *other)))
