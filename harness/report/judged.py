"""A result's judgements as its pages show them: by the parts of the plan, each a row in the page's language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from harness.base.clock import Anchor, utc
from harness.model.claim import Claim, Erratum, OwnClaim
from harness.model.judgement import Judgement, Kind
from harness.model.message import marked
from harness.model.result import Part, Result
from harness.model.section import Pairs, Section
from harness.model.verdict import Verdict
from harness.report import words
from harness.report.language import Language

#: More passed judgements of one table than these are folded.
MOST_PASSED = 20
CRITERIA, JUDGEMENTS, WHOLE_RUN = marked("Criteria"), marked("Judgements"), marked("The whole run")
CHECKS, OBSERVED = marked("Checks"), marked("Observed")
_Figure = tuple[str, Callable[[Judgement], bool], Callable[[Judgement, Language], str]]
#: The columns of figures: head, whether a judgement has it, and how it is said.
_FIGURES: tuple[_Figure, ...] = (
    (marked("Measured"), lambda of: of.value is not None or bool(of.shown), words.measured),
    (marked("Bound (95 %)"), lambda of: of.bound is not None, lambda of, say: words.figure(of, of.bound, say)),
    (marked("Limit"), lambda of: of.limit is not None, lambda of, say: say.amount(of.limit, of.unit)),
    (marked("Samples"), lambda of: of.samples > 0, lambda of, _: f"{of.samples:,}" if of.samples else "–"),
)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A judgement. ``small`` stands below ``what``: its kind, its id, and that it holds nothing where it does not.
    ``figures`` are as many as the heads of its table."""

    judgement: Judgement
    anchor: str
    sign: str
    word: str
    css: str
    what: str
    small: str
    figures: tuple[str, ...]
    reason: str
    notes: str
    aside: tuple[str, ...]  # how long it took, when it fired


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """A table of judgements; ``heads`` are those of the figures that any of its rows has."""

    title: str  # "" where the part's own says enough
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    folded: tuple[Row, ...] = ()


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the plan, or the whole run: its judgements, and what else is shown of it."""

    name: str
    title: str
    took: str
    grids: tuple[Grid, ...]
    sections: tuple[Section, ...]


def groups(result: Result, say: Language) -> list[Group]:
    """The parts in the page's order, then the whole run; a part without judgements and sections is told too."""
    titles = {part.name: part for part in result.parts}
    named = [each.part for each in result.judgements]
    named += [section.part for section in result.sections if not isinstance(section, Pairs)]
    order = [*titles, *(name for name in dict.fromkeys(named) if name and name not in titles)]
    found = [_group(result, name, titles.get(name), say) for name in order]
    whole = _group(result, "", None, say)
    return [*found, whole] if whole.grids or whole.sections or not found else found


def _group(result: Result, name: str, part: Part | None, say: Language) -> Group:
    if name:
        title = name if part is None else say.message(part.title)
    else:
        title = say(WHOLE_RUN if result.parts else CRITERIA if result.decides else JUDGEMENTS)
    mine = [each for each in result.judgements if each.part == name and not _erratum_alone(each)]
    return Group(
        name=name,
        title=title,
        took="" if part is None or not part.seconds else say("{seconds} s", seconds=f"{part.seconds:.1f}"),
        grids=tuple(_grids(result, mine, say)),
        sections=tuple(each for each in result.sections if not isinstance(each, Pairs) and each.part == name),
    )


def _erratum_alone(judgement: Judgement) -> bool:
    """Whether it is no more than an erratum that was seen, which is told under the errata."""
    return judgement.kind is Kind.OBSERVATION and bool(judgement.erratum)


def _grids(result: Result, judgements: Sequence[Judgement], say: Language) -> Iterable[Grid]:
    """Criteria and limits first, then the checks, then what was merely seen."""
    by_kind = (
        ("", [each for each in judgements if each.kind in (Kind.CRITERION, Kind.ROLLBACK_LIMIT)]),
        (CHECKS, [each for each in judgements if each.kind is Kind.CHECK]),
        (OBSERVED, [each for each in judgements if each.kind is Kind.OBSERVATION]),
    )
    for title, some in by_kind:
        if some:
            yield _grid(say(title), some, result, say)


def _grid(title: str, some: Sequence[Judgement], result: Result, say: Language) -> Grid:
    shown = [figure for figure in _FIGURES if any(map(figure[1], some))]
    rows = [_row(each, shown, result, say) for each in some]
    passed = [row for row in rows if row.judgement.verdict is Verdict.PASS]
    folded = passed if len(passed) > MOST_PASSED else []
    return Grid(
        title=title,
        heads=tuple(say(head) for head, _, _ in shown),
        rows=tuple(row for row in rows if row not in folded),
        folded=tuple(folded),
    )


def _row(judgement: Judgement, shown: Sequence[_Figure], result: Result, say: Language) -> Row:
    return Row(
        judgement=judgement,
        anchor="-".join(filter(None, ("judgement", judgement.part, judgement.id))),
        sign=words.sign(judgement),
        word=say(words.verdict_id(judgement)),
        css="observed" if words.is_observed(judgement) else str(judgement.verdict),
        what=words.asked_words(judgement, say),
        small=_small(judgement, result, say),
        figures=tuple(words_of(judgement, say) for _, _, words_of in shown),
        reason=say.told(judgement.told, ""),
        notes=say.told(judgement.notes, ""),
        aside=tuple(_aside(judgement, result.facts.anchor, say)),
    )


def _small(judgement: Judgement, result: Result, say: Language) -> str:
    said = [say(words.kind_id(judgement, decides=result.decides))]
    said += [judgement.id] if judgement.asked else []
    if not judgement.gates and judgement.kind is not Kind.OBSERVATION and not judgement.verdict.good:
        said.append(say("does not keep the run from passing"))
    return say.listed(said)


def _aside(judgement: Judgement, began: Anchor, say: Language) -> Iterable[str]:
    if judgement.seconds:
        yield say("took {seconds} s", seconds=f"{judgement.seconds:.3g}")
    if judgement.fired_at_ns is not None:
        yield say("fired at {moment}", moment=say.moment(utc(began, judgement.fired_at_ns)))


class ClaimView(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that was judged, with the verdicts on it: of the register (``claim``), or of the team's own (``own``);
    neither where nobody knows it any more.
    """

    id: str
    claim: Claim | None
    own: OwnClaim | None
    verdicts: tuple[str, ...]


def claims_judged(result: Result, register: Mapping[str, Claim], say: Language) -> list[ClaimView]:
    """The claims that the judgements are the verdicts on, each with those verdicts."""
    owned = {each.id: each for each in result.own_claims}
    verdicts = _gathered(
        (name, _in_part(each, say(words.verdict_id(each)))) for each in result.judgements for name in each.claims
    )
    return [
        ClaimView(id=name, claim=register.get(name), own=owned.get(name), verdicts=said)
        for name, said in verdicts.items()
    ]


class ErratumView(msgspec.Struct, frozen=True, kw_only=True):
    """An erratum that the run saw, and what it saw of it; ``known`` is what the register says, if it does."""

    id: str
    seen: tuple[str, ...]
    known: Erratum | None


def errata(result: Result, register: Mapping[str, Claim], say: Language) -> list[ErratumView]:
    """Each erratum once, with all that was seen of it and what the register says."""
    seen = _gathered((each.erratum, say.told(each.seen or each.told, "")) for each in result.judgements if each.erratum)
    known = {erratum.id: erratum for claim in register.values() for erratum in claim.errata}
    return [ErratumView(id=name, seen=said, known=known.get(name)) for name, said in sorted(seen.items())]


def not_exercised(result: Result, say: Language) -> dict[str, tuple[str, ...]]:
    """What the run proves nothing about, by the reason why."""
    left_out = [each for each in result.judgements if each.verdict is Verdict.NOT_EXERCISED]
    return _gathered((say.told(each.told, ""), _in_part(each, each.id)) for each in left_out)


def _in_part(judgement: Judgement, said: str) -> str:
    return f"{judgement.part}: {said}" if judgement.part else said


def _gathered(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """By the first of each pair all that stood second, each once, in the order in which it came."""
    found: dict[str, list[str]] = {}
    for name, said in pairs:
        found.setdefault(name, []).append(said)
    return {name: tuple(dict.fromkeys(all_)) for name, all_ in found.items()}
