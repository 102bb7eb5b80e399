"""A run's outline: what its page and its summary say, in words and in order. Each of the two only draws it. Pure.

Judgements, tables, lists and the runs of a sequence are rows of grids and items of lists here, whatever they came from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from harness.base.clock import Anchor, utc
from harness.model.claim import Claim
from harness.model.judgement import DECISION, Decision, Judgement, Kind, Verdict, errata_of
from harness.model.message import Message, gettext_noop
from harness.model.result import Child, MeasuredFact, Part, Result
from harness.model.section import Bar, Bars, Blocks, Chart, Lines, Pairs, Picture, Section, Table, Timeline
from harness.model.section import Block as Output
from harness.model.section import Row as TableRow
from harness.model.stack import EnvironmentKind
from harness.report import told, words
from harness.report.language import ENGLISH, REPORT_HTML, Language

# How a run ended, in one word and one sentence: what its page, its summary and the terminal begin with. Pure.

#: Of commands that decide nothing about the rollout.
PASSED, NOT_PASSED, BROKE = gettext_noop("All passed"), gettext_noop("Not all passed"), gettext_noop("Not finished")
NOTHING = gettext_noop("Nothing exercised")
LEFT = gettext_noop("Something was left on the machine")
UNDER_WAY = gettext_noop("Under way or killed")

_MOST_NAMED, _MOST_OPEN = 5, 2
#: How many there are of each verdict: one, and several.
_COUNTED = {
    Verdict.PASS: (gettext_noop("1 check passed"), gettext_noop("{count} checks passed")),
    Verdict.FAIL: (gettext_noop("{count} failed"),) * 2,
    Verdict.INCONCLUSIVE: (gettext_noop("{count} inconclusive"),) * 2,
    Verdict.ERRATUM_SHOWN: (gettext_noop("1 error of the document"), gettext_noop("{count} errors of the document")),
    Verdict.NOT_EXERCISED: (gettext_noop("{count} not exercised"),) * 2,
}

#: Of a run in which nothing was exercised, whoever reads: the page, the terminal, a CI.
NOTHING_SAID = gettext_noop(
    "nothing was exercised: this run says neither that the promises are kept nor that they are not."
)


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """A sign, a word and why. ``css`` is a class of the style sheet."""

    sign: str
    word: str
    css: str
    reason: str


def ending(result: Result, say: Language) -> Ending:
    """The headline: the decision of a run that decides on the rollout, or whether everything passed. What was merely
    simulated is never green."""
    reason = reason_words(result, say)
    if result.exit_status is None:
        return Ending(sign="…", word=say(UNDER_WAY), css="none", reason=reason)
    if result.decides and not (result.facts.leaks and result.decision is Decision.ADVANCE):
        word, css = DECISION[result.decision], str(result.decision or "none")
        sign = words.DECISION_SIGN[result.decision]
    else:
        sign, word, css = _without_decision(result)
    css = "hold" if result.facts.rung is EnvironmentKind.SIM and css == "advance" else css
    return Ending(sign=sign, word=beside(say(word), result, say), css=css, reason=reason)


def beside(word: str, result: Result, say: Language) -> str:
    """How it ended, with what made it so that no real week has: that it was simulated, and the faults injected."""
    notes = [say("simulated")] if result.facts.rung is EnvironmentKind.SIM else []
    if result.facts.injected:
        notes.append(say("with {faults} injected", faults=say.listed(map(say.message, result.facts.injected))))
    return say("{word} ({notes})", word=word, notes=say.listed(notes)) if notes else word


def _without_decision(result: Result) -> tuple[str, str, str]:
    if broke(result):
        return "✗", BROKE, "roll_back"
    if result.facts.leaks:
        return "✗", LEFT, "roll_back"
    if result.decision is Decision.ADVANCE:
        return "✓", PASSED, "advance"
    return ("–", NOTHING, "hold") if nothing_exercised(result) else ("■", NOT_PASSED, "hold")


def broke(result: Result) -> bool:
    """Whether something befell the run, so that its judgements do not say how it ended."""
    return bool(result.facts.errors) or (result.decision is None and result.exit_status is not None)


def nothing_exercised(result: Result) -> bool:
    """Whether the run says neither that the promises are kept nor that they are not."""
    told = any(each.holds and each.verdict is not Verdict.NOT_EXERCISED for each in result.judgements)
    return not result.exercised and not told


def reason_words(result: Result, say: Language) -> str:
    """One sentence on why it ended as it did."""
    if result.exit_status is None:
        so_far = counted(result.judgements, say) or say("nothing judged yet")
        return say("It has not reported: it is under way, or was killed. So far: {counts}.", counts=so_far)
    if result.decision is None or (broke(result) and not result.decides):
        return say("The run broke before it could be judged.")
    if result.decides:
        return _decided(result, say)
    if nothing_exercised(result):
        return say(NOTHING_SAID)
    told = say("{counts}.", counts=counted(result.judgements, say))
    holding = [f"{words.asked_words(each, say)}: {say(words.verdict_id(each))}" for each in _holding(result)]
    return say("{first} {second}", first=told, second=_named(holding, say)) if holding else told


def _named(holding: Sequence[str], say: Language) -> str:
    more, named = len(holding) - _MOST_NAMED, say.join(holding[:_MOST_NAMED])
    return say("{named}; and {count} more.", named=named, count=more) if more > 0 else say("{named}.", named=named)


def _holding(result: Result) -> list[Judgement]:
    return [each for each in result.judgements if each.holds]


def _decided(result: Result, say: Language) -> str:
    fired = [each for each in result.judgements if each.fired]
    success = [each for each in result.judgements if each.kind is Kind.CRITERION and each.gates]
    passed = sum(each.verdict.good for each in success)
    if result.decision is Decision.ROLL_BACK:
        told = [f"{words.asked_words(each, say)}: {words.measured(each, say)}" for each in fired]
        return say("A rollback limit fired: {limits}.", limits=say.join(told))
    if result.decision is Decision.ADVANCE:
        return say("All success criteria passed ({passed} of {passed}); no rollback limit fired.", passed=passed)
    held = _holding(result)
    open_ = [each for each in held if each.kind is not Kind.CHECK and each.verdict is Verdict.INCONCLUSIVE]
    many = open_ if len(open_) > _MOST_OPEN else []
    told = [f"{words.named(each, say)}: {_held(each, say)}" for each in held if each not in many]
    told += [_inconclusive(many, result, say)] if many else []
    first = say("{passed} of {all} success criteria passed.", passed=passed, all=len(success))
    return say("{first} {second}", first=first, second=_named(told, say)) if told else first


def _inconclusive(many: Sequence[Judgement], result: Result, say: Language) -> str:
    """Many criteria at once: in what smaller run, which each of them may lack; else the first by name."""
    if options := say.listed(result.facts.smaller):
        return say("{count} criteria and limits are inconclusive with {options}", count=len(many), options=options)
    names = say.listed(words.named(each, say) for each in many[:_MOST_OPEN])
    return say("{names} and {count} more are inconclusive", names=names, count=len(many) - _MOST_OPEN)


def _held(judgement: Judgement, say: Language) -> str:
    if judgement.kind is Kind.CHECK:
        return say(words.UNPROVED.get(judgement.verdict, words.VERDICT[judgement.verdict]))
    return say(words.verdict_id(judgement))


def counted(judgements: Iterable[Judgement], say: Language) -> str:
    """How many of each verdict, for example "3 checks passed, 1 erratum"; "" of none. Of what was merely seen only the
    errata are counted, each once."""
    all_ = [*judgements]
    seen = Counter(each.verdict for each in all_ if each.kind is not Kind.OBSERVATION and not each.differs)
    seen[Verdict.ERRATUM_SHOWN] = len(errata_of(all_))
    return say.listed(say(forms[seen[each] > 1], count=seen[each]) for each, forms in _COUNTED.items() if seen[each])


_Shown: TypeAlias = Table | Lines | Blocks | Chart | Timeline | Bars
#: More passed judgements of one grid than these are folded.
MOST_PASSED = 20
#: And those behind so many rows of a table.
MOST_ROWS = 60
CRITERIA, JUDGEMENTS, WHOLE_RUN = gettext_noop("Criteria"), gettext_noop("Judgements"), gettext_noop("The whole run")
#: More facts of a part than these are folded.
MOST_FACTS = 12
CHECKS, OBSERVED = gettext_noop("Checks"), gettext_noop("Observed")
DIFFERENT = gettext_noop("What the manifests have otherwise than the document prints")
_Figure = tuple[str, Callable[[Judgement], bool], Callable[[Judgement, Language], str]]
#: The columns of figures: head, whether a judgement has it, and how it is said.
_FIGURES: tuple[_Figure, ...] = (
    (gettext_noop("Measured"), lambda of: of.value is not None or bool(of.shown), words.measured),
    (gettext_noop("Bound (95 %)"), lambda of: of.bound is not None, lambda of, say: words.figure(of, of.bound, say)),
    (gettext_noop("Limit"), lambda of: of.limit is not None, lambda of, say: words.figure(of, of.limit, say)),
    (gettext_noop("Samples"), lambda of: of.samples > 0, lambda of, _: f"{of.samples:,}" if of.samples else "–"),
)


class OutlineRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a table, or an item of a list, which has one cell. ``sign``, ``word`` and ``css`` say a verdict or a
    decision. ``small`` and ``quote`` (of the document, in Japanese) stand below the first cell, ``below`` and then the
    smaller ``notes`` below the whole row. ``href`` is where the first cell leads to, ``links`` are further names with
    where they lead to, ``output`` is what a program said or is to be told."""

    cells: tuple[str, ...]
    sign: str = ""
    word: str = ""
    css: str = ""
    small: str = ""
    quote: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    anchor: str = ""
    href: str = ""
    links: tuple[tuple[str, str], ...] = ()
    output: str = ""


class OutlineBlock(msgspec.Struct, frozen=True, kw_only=True):
    """A table; a list, where there are no ``heads``; or a ``picture``, whose ``rows`` say in words what it shows.

    ``title`` is "" where the chapter's own says enough, ``lead`` heads the verdicts and is "" where no row has one;
    ``numbers`` are the columns (from 0) of figures; ``fold`` says what ``folded`` are.
    """

    title: str = ""
    lead: str = ""
    heads: tuple[str, ...] = ()
    rows: tuple[OutlineRow, ...] = ()
    folded: tuple[OutlineRow, ...] = ()
    fold: str = ""
    numbers: tuple[int, ...] = ()
    note: str = ""
    picture: Picture | None = None


class OutlineChapter(msgspec.Struct, frozen=True, kw_only=True):
    """What stands below a heading, if it has one. ``alarm``: before all else. ``box``: framed. ``brief``: the summary
    has it, too."""

    title: str = ""
    blocks: Sequence[OutlineBlock]
    alarm: bool = False
    box: bool = False
    brief: bool = True


def outline(result: Result, claims: Mapping[str, Claim], say: Language) -> list[OutlineChapter]:
    """All that is said of a run besides its headline and its facts. ``claims`` is the register by id."""
    facts, broke = result.facts, [*map(say.shown, result.facts.errors_told or result.facts.errors)]
    found = [
        OutlineChapter(title=say(title), blocks=(listed(lines),), alarm=True)
        for title, lines in ((gettext_noop("What broke"), broke), (gettext_noop("Left on the machine"), facts.leaks))
        if lines
    ]
    if result.children:
        found.append(OutlineChapter(title=say("Runs"), blocks=(_children(result.children, say),)))
    shown = _shown(result.sections)
    first = [each for each in shown if isinstance(each, Table) and each.first]
    found += _of_run(first, say)
    found += _parts(result, [each for each in shown if each not in first], say)
    left_out = listed(_not_exercised(result, say), say("Whatever the run judges was exercised."))
    found.append(OutlineChapter(title=say("Not exercised"), blocks=(left_out,)))
    if errata := tuple(_errata(result, claims, say)):
        found.append(OutlineChapter(title=say("Errata seen"), blocks=(listed(errata),)))
    if judged := tuple(_claims(result, claims, say)):
        found.append(OutlineChapter(title=say("Claims of the document"), blocks=(listed(judged),), brief=False))
    found.append(
        OutlineChapter(title=say("What differs from production"), blocks=tuple(_differs(result, say)), box=True)
    )
    found += [OutlineChapter(title=title, blocks=(listed(lines),)) for title, lines in told.about_manifests(facts, say)]
    return found


def facts(result: Result, say: Language) -> Iterator[tuple[str, str]]:
    """What the head of a page says: name and value."""
    found = result.facts
    yield from told.place(found, say)
    yield say("Seed"), str(found.seed)
    yield say("Started"), say.moment(found.started_utc)
    if found.environment:
        yield say("Variable ENVIRONMENT"), found.environment
    if found.manifests:
        yield say("Manifests"), found.manifests
    if found.missing_manifests:
        yield say("Manifests that Phase 2 requires and that are missing"), say.listed(found.missing_manifests)
    yield say("Run"), told.status_words(result, say)
    if found.timings:
        yield say("Timings"), say.join(told.timings(found, say))
    yield from _pairs(result, say, differs=False)


def _pairs(result: Result, say: Language, *, differs: bool) -> Iterator[tuple[str, str]]:
    for section in result.sections:
        if isinstance(section, Pairs) and section.differs is differs:
            yield from ((say.message(name), say.shown(value)) for name, value in section.pairs)


def listed(lines: Iterable[OutlineRow] | Iterable[str], none: str = "", title: str = "") -> OutlineBlock:
    """A list; ``none`` is said where it would be empty."""
    rows = tuple(OutlineRow(cells=(line,)) if isinstance(line, str) else line for line in lines)
    return OutlineBlock(title=title, rows=rows, note="" if rows else none)


def _children(children: Iterable[Child], say: Language) -> OutlineBlock:
    """The runs of a sequence."""
    rows = [
        OutlineRow(
            cells=(each.run_id or "–", each.part, str(each.exit_status)),
            sign=words.DECISION_SIGN[each.decision],
            word=say(DECISION[each.decision]),
            href=f"{each.folder}/{REPORT_HTML}" if each.folder else "",
        )
        for each in children
    ]
    heads = (say("Run"), say("Part"), say("Exit status"))
    return OutlineBlock(lead=say("Decision"), heads=heads, rows=tuple(rows))


# -- what was judged -------------------------------------------------------------------------------------------------


def _parts(result: Result, shown: Sequence[_Shown], say: Language) -> Iterator[OutlineChapter]:
    """The parts in the page's order, then the whole run; a part without judgements and sections is told too."""
    titles = {part.name: part for part in result.parts}
    named = [each.part for each in (*result.judgements, *result.measured, *shown)]
    order = [*titles, *(name for name in dict.fromkeys(named) if name and name not in titles)]
    for name in order:
        sections = [_block(each, say) for each in shown if each.part == name]
        yield _judged(result, name, _title(name, titles.get(name), say), sections, say)
    of_run = [each for each in shown if not each.part]
    told = [each for each in result.judgements if not _erratum_alone(each)]
    measured = {each.part for each in result.measured}
    if not order or of_run or any(not part for part in (*(each.part for each in told), *measured)):
        whole = WHOLE_RUN if result.parts else CRITERIA if result.decides else JUDGEMENTS
        yield _judged(result, "", say(whole), [], say)
    yield from _of_run(of_run, say)


def _of_run(sections: Iterable[_Shown], say: Language) -> Iterator[OutlineChapter]:
    for section in sections:
        block = _block(section, say)
        title = "" if isinstance(section, Chart | Bars) else block.title
        yield OutlineChapter(title=title, blocks=(msgspec.structs.replace(block, title="") if title else block,))


def _shown(sections: Iterable[Section]) -> list[_Shown]:
    return [each for each in sections if not isinstance(each, Pairs)]


def _title(name: str, part: Part | None, say: Language) -> str:
    if part is None:
        return name
    took = say("{seconds} s", seconds=f"{part.seconds:.1f}")
    return f"{say.message(part.title)} ({took})" if part.seconds else say.message(part.title)


def _judged(result: Result, part: str, title: str, sections: Sequence[OutlineBlock], say: Language) -> OutlineChapter:
    """Criteria and limits first, then the checks, then what was merely seen; then what else is shown of the part."""
    mine = [each for each in result.judgements if each.part == part and not _erratum_alone(each)]
    by_kind = (
        ("", [each for each in mine if each.kind in (Kind.CRITERION, Kind.ROLLBACK_LIMIT)]),
        (CHECKS, [each for each in mine if each.kind is Kind.CHECK and not each.differs]),
        (DIFFERENT, [each for each in mine if each.differs]),
        (OBSERVED, [each for each in mine if each.kind is Kind.OBSERVATION]),
    )
    grids = [_grid(say(head), some, result, say) for head, some in by_kind if some]
    measured = _measured(result, part, [sentence for each in mine for sentence in (*each.told, *each.seen)], say)
    nothing = [] if grids else [listed((), say("Nothing was judged."))]
    return OutlineChapter(title=title, blocks=(*nothing, *grids, *measured, *sections))


def _measured(result: Result, part: str, said: Sequence[Message], say: Language) -> Iterator[OutlineBlock]:
    """The facts of the part as a table, but for those whose sentence a judgement has ``said``: folded where they are
    many."""
    facts = [each for each in result.measured if each.part == part and not all(one in said for one in each.told)]
    shown = [column for column in _FACT if any(map(column[1], facts))]
    told_as = (tuple(words_of(each, say) for _, _, words_of in shown) for each in facts)
    rows = tuple(OutlineRow(cells=cells) for cells in dict.fromkeys(told_as))
    many = len(rows) > MOST_FACTS
    if rows:
        yield OutlineBlock(
            title=say("What was measured"),
            heads=tuple(say(head) for head, _, _ in shown),
            rows=() if many else rows,
            folded=rows if many else (),
            fold=say("{count} facts", count=len(rows)),
            numbers=tuple(range(1, len(shown))),
        )


def _interval(fact: MeasuredFact, say: Language) -> str:
    """Where the figure is not the whole truth."""
    if (fact.low, fact.high) in ((None, None), (fact.seen, fact.seen)):
        return ""
    return " – ".join("?" if end is None else say.amount(end, fact.unit) for end in (fact.low, fact.high))


_FactColumn = tuple[str, Callable[[MeasuredFact], bool], Callable[[MeasuredFact, Language], str]]
#: The columns of facts: head, whether a fact has it, and how it is said.
_FACT: tuple[_FactColumn, ...] = (
    (gettext_noop("Fact"), lambda _: True, lambda of, say: say.told(of.told, "")),
    (gettext_noop("Interval"), lambda of: bool(_interval(of, ENGLISH)), _interval),
    (gettext_noop("Samples"), lambda of: of.of > 0, lambda of, _: f"{of.of:,}" if of.of else ""),
)


def _erratum_alone(judgement: Judgement) -> bool:
    """Whether it is no more than an erratum that was seen, which is told under the errata."""
    return judgement.kind is Kind.OBSERVATION and bool(judgement.erratum)


def _grid(title: str, some: Sequence[Judgement], result: Result, say: Language) -> OutlineBlock:
    shown = [figure for figure in _FIGURES if any(map(figure[1], some))]
    rows = [(each, _row(each, shown, result, say)) for each in some]
    passed = [row for each, row in rows if each.verdict is Verdict.PASS]
    folded = passed if len(passed) > MOST_PASSED else []
    return OutlineBlock(
        title=title,
        lead=say("Verdict"),
        heads=(say("What"), *(say(head) for head, _, _ in shown)),
        rows=tuple(row for each, row in rows if not folded or each.verdict is not Verdict.PASS),
        folded=tuple(folded),
        fold=say("{count} passed", count=len(folded)),
        numbers=tuple(range(1, 1 + len(shown))),
    )


def _row(judgement: Judgement, shown: Sequence[_Figure], result: Result, say: Language) -> OutlineRow:
    claim, erratum, seen = say("claim"), say("erratum"), [judgement.erratum] if judgement.erratum else []
    links = [(f"{claim} {name}", f"claim-{name}") for name in judgement.claims]
    links += [(f"{erratum} {name}", f"erratum-{name}") for name in seen]
    return OutlineRow(
        cells=(words.asked_words(judgement, say), *(words_of(judgement, say) for _, _, words_of in shown)),
        sign=words.sign(judgement),
        word=say(words.verdict_id(judgement)),
        css="observed" if words.is_observed(judgement) or judgement.differs else str(judgement.verdict),
        small=_small(judgement, result, say),
        below=tuple(filter(None, (say.told(judgement.told, ""), say.told(judgement.notes, "")))),
        notes=(*map(say.shown, judgement.examples), *_aside(judgement, result.facts.anchor, say)),
        anchor=words.anchor(judgement),
        links=tuple(links),
        output=judgement.reproduce,
    )


def _small(judgement: Judgement, result: Result, say: Language) -> str:
    """Its kind, its id, and that it holds nothing where it does not."""
    said = [say(words.kind_id(judgement, decides=result.decides))]
    said += [judgement.id] if judgement.asked else []
    if not judgement.gates and judgement.kind is not Kind.OBSERVATION and not judgement.verdict.good:
        said.append(say("does not keep the run from passing"))
    return say.listed(said)


def _aside(judgement: Judgement, began: Anchor, say: Language) -> Iterable[str]:
    """How long it took, and when it fired."""
    if judgement.seconds:
        yield say("took {seconds} s", seconds=f"{judgement.seconds:.3g}")
    if judgement.fired_at_ns is not None:
        yield say("fired at {moment}", moment=say.moment(utc(began, judgement.fired_at_ns)))


# -- what else is shown ----------------------------------------------------------------------------------------------


def _block(section: _Shown, say: Language) -> OutlineBlock:
    title = say.message(section.title)
    if isinstance(section, Table):
        return _table(title, section, say)
    if isinstance(section, Chart):
        return OutlineBlock(title=title, picture=section, rows=(OutlineRow(cells=(say.told(section.text, ""),)),))
    if isinstance(section, Bars):
        lines = (f"{say.shown(bar.label)}: {say.listed(_pieces(section, bar, say))}" for bar in section.bars)
        return msgspec.structs.replace(listed(lines, title=title), picture=section)
    if isinstance(section, Timeline):
        lines = (f"{say.message(chart.title)}: {say.told(chart.text, '')}" for chart in section.charts)
        return msgspec.structs.replace(listed(lines, title=title), picture=section)
    if isinstance(section, Blocks):
        return listed((_output(each, say) for each in section.blocks), title=title)
    return listed(map(say.shown, section.lines), title=title)


def _pieces(bars: Bars, bar: Bar, say: Language) -> Iterator[str]:
    return (f"{say.message(name)} {length:.2f}" for name, length in zip(bars.names, bar.pieces, strict=True))


def _table(title: str, table: Table, say: Language) -> OutlineBlock:
    rows = tuple(_table_row(row, say) for row in table.rows)
    return OutlineBlock(
        title=title,
        lead=say("Verdict") if any(row.verdict is not None for row in table.rows) else "",
        heads=tuple(map(say.message, table.heads)),
        rows=rows[:MOST_ROWS],
        folded=rows[MOST_ROWS:],
        fold=say("and {count} more rows", count=max(0, len(rows) - MOST_ROWS)),
        numbers=table.numbers,
        note=say.told(table.note, "") if table.rows else say("Nothing."),
    )


def _table_row(row: TableRow, say: Language) -> OutlineRow:
    cells, below = tuple(map(say.shown, row.cells)), tuple(map(say.shown, row.lines))
    return _with_verdict(OutlineRow(cells=cells, below=below, href=row.link), row.verdict, row.word, say)


def _output(block: Output, say: Language) -> OutlineRow:
    return _with_verdict(OutlineRow(cells=(say.shown(block.caption),), output=block.text), block.verdict, None, say)


def _with_verdict(row: OutlineRow, verdict: Verdict | None, word: Message | None, say: Language) -> OutlineRow:
    if verdict is None:
        return row
    said = say(words.VERDICT[verdict]) if word is None else say.message(word)
    return msgspec.structs.replace(row, sign=words.VERDICT_SIGN[verdict], word=said, css=str(verdict))


def _not_exercised(result: Result, say: Language) -> Iterator[str]:
    """What the run proves nothing about, by the reason why."""
    left_out = [each for each in result.judgements if each.verdict is Verdict.NOT_EXERCISED]
    by_reason = _gathered((say.told(each.told, ""), _in_part(each, each.id)) for each in left_out)
    return (f"{say.listed(names)}: {why}" for why, names in by_reason.items())


def _errata(result: Result, register: Mapping[str, Claim], say: Language) -> Iterator[OutlineRow]:
    """Each erratum that was seen once, with all that was seen of it and what the register says."""
    seen = _gathered((each.erratum, say.told(each.seen or each.told, "")) for each in result.judgements if each.erratum)
    known = {erratum.id: erratum for claim in register.values() for erratum in claim.errata}
    word = say("Seen")
    for name, all_ in sorted(seen.items()):
        said = [f"{word}: {each}" for each in all_]
        if name in known:
            correction = say("Correction: {correction}", correction=say(known[name].correction))
            said = [say(known[name].why), *said, correction]
        yield OutlineRow(cells=(f"{name}: {say.join(said)}",), anchor=f"erratum-{name}")


def _claims(result: Result, register: Mapping[str, Claim], say: Language) -> Iterator[OutlineRow]:
    """The claims that the judgements are the verdicts on, each with those: of the register, or of the team's own, or
    of nobody's any more."""
    owned = {each.id: each for each in result.own_claims}
    judged = ((name, each) for each in result.judgements for name in each.claims)
    verdicts = _gathered((name, _in_part(each, say(words.verdict_id(each)))) for name, each in judged)
    for name, all_ in verdicts.items():
        claim, own = register.get(name), owned.get(name)
        quote: tuple[str, ...] = ()
        small = say("The register of claims does not know it.")
        if claim is not None:
            quote = (claim.quotation, claim.place)
            small = say("Judged by {way}: {how}", way=say(claim.judged), how=say(claim.how))
        elif own is not None:
            by_team = say("A claim of the team's own.")
            stated = own.statement.ja if say.code == "ja" else own.statement.en
            small = f"{stated} ({own.document}, {own.section}) · {by_team}"
        yield OutlineRow(cells=(f"{name}: {say.listed(all_)}",), quote=quote, small=small, anchor=f"claim-{name}")


def _differs(result: Result, say: Language) -> Iterator[OutlineBlock]:
    """All of it in one place: where the run was, its window and factors, its parts' versions, what the environment
    can do and cannot; what stands in for production; what was changed in the manifests, and by whom. Of a run that
    only looks at what is there, nothing of the last two is known."""
    found, (has, lacks) = result.facts, told.capabilities(result.facts, say)
    pairs = [*told.place(found, say), *_pairs(result, say, differs=True)]
    versions = [f"{name} {version}" for name, version in found.versions.items()]
    named = (
        (gettext_noop("Versions of the parts"), versions),
        (gettext_noop("The environment has"), has),
        (gettext_noop("The environment lacks"), lacks),
    )
    pairs += [(say(head), say.listed(some)) for head, some in named if some]
    yield listed(f"{name}: {value}" for name, value in pairs)
    if found.only_looks:
        return
    yield listed(told.stand_ins(found, say), title=say("What stands in for production"))
    for title, changes, none in (
        (gettext_noop("What the environment changed in the manifests"), found.rung_changes, say("Nothing.")),
        (gettext_noop("What the rehearsal changes in the document's manifests"), found.manifest_changes, ""),
    ):
        if changes or none:
            yield listed((words.change_words(change, say) for change in changes), none, say(title))


def _in_part(judgement: Judgement, said: str) -> str:
    return f"{judgement.part}: {said}" if judgement.part else said


def _gathered(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """By the first of each pair all that stood second, each once, in the order in which it came."""
    found: dict[str, list[str]] = {}
    for name, said in pairs:
        found.setdefault(name, []).append(said)
    return {name: tuple(dict.fromkeys(all_)) for name, all_ in found.items()}
