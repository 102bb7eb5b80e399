"""Rules: what facts mean for a claim, as data. Each is read from YAML, and refused with its line where it is wrong."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from harness.base import yamltext
from harness.base.errors import BadInput
from harness.base.message import message, nearest
from harness.base.planfile import RuleError, at, mapping
from harness.base.units import Unit, show
from harness.model.judgement import Expected, Judgement, Kind, Verdict
from harness.model.message import Message, Told
from harness.model.result import MeasuredFact
from harness.model.stack import Capability

# Facts: what a run measured, each with the interval in which the truth lies. Pure.

#: The name of a fact that stands for every fact of its part: nothing of the part can be shown, and it says why.
EVERY = "*"
#: The name of a fact of a check, which looked at what no evidence keeps. Its case is the check's id.
CHECKED = "checked"
_UNITS = {
    "s": Unit.SECONDS,
    "ms": Unit.MILLISECONDS,
    "qps": Unit.PER_SECOND,
    "ratio": Unit.RATIO,
    "usd": Unit.DOLLARS,
    "walks": Unit.WALKS,
    "flaws": Unit.FLAWS,
}


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was measured in ``part`` ("" for the whole run).

    ``seen`` is the figure as read; the truth lies from ``low`` to ``high``, which are ``seen`` unless samples are
    missing, late or few; ``sampled``: they are the bounds of a sample, at 95 %. Its unit is the last word of ``name``
    (``fell_s``). ``of`` is the number of samples. ``bound`` is the end that the page shows beside the figure. ``text``
    is what was read where no figure carries it. ``told`` says it in a sentence.
    ``void`` says why what was seen proves nothing, ``lacks`` why there is no such thing here. ``case`` is what stands
    for the ``*`` of a rule's id, or the id, where a part has many cases of a kind; ``examples`` are of what it counts.
    ``wanted`` says what is wanted, before its sentence, where the limit does not.
    ``sample``: calls beside a criterion, and what its own exact bounds say of them; the word of a check; or of a case
    what stands beside the verdict of its rule: sentence, notes, request, and whether it may hold anything up.
    """

    name: str
    part: str = ""
    seen: float | None = None
    low: float | None = None
    high: float | None = None
    bound: float | None = None
    sampled: bool = False
    of: int = 0
    text: tuple[str, ...] | None = None
    told: Told = ()
    void: Told = ()
    lacks: Told = ()
    case: str = ""
    examples: tuple[str | Message, ...] = ()
    wanted: Told = ()
    sample: Judgement | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """The interval of the truth; without an end where nothing bounds it."""
        low, high = (self.seen if end is None else end for end in (self.low, self.high))
        return -math.inf if low is None else low, math.inf if high is None else high

    @property
    def unit(self) -> Unit:
        """That of the figure."""
        return unit_of(self.name) if self.sample is None else self.sample.unit

    @property
    def published(self) -> MeasuredFact | None:
        """As a result carries it; ``None`` where nothing was measured, or there is no end to it."""
        told = (*self.void, *self.told) if self.sample is None else self.sample.told
        read = self.seen is None or math.isfinite(self.seen)
        if self.lacks or not told or not read or self.name in (EVERY, CHECKED):
            return None
        low, high = (end if math.isfinite(end) else None for end in self.ends)
        single = self.low is None and self.high is None
        return MeasuredFact(
            name=self.name, part=self.part, case=self.case, seen=self.seen, low=None if single else low,
            high=None if single else high, of=self.of, unit=self.unit, told=told,
        )  # fmt: skip


def unit_of(name: str) -> Unit:
    """The unit that the last word of a fact's name says."""
    return _UNITS.get(name.rpartition("_")[2], Unit.NONE)


def checked(check: Judgement) -> Fact:
    """The fact of a check, in its judgement's part: the word of whoever looked is its own judgement."""
    return Fact(name=CHECKED, part=check.part, case=check.id, seen=check.value, of=check.samples, sample=check)


class FactsOf:
    """Makes the facts of one part of a plan, or of a ``case`` in it. ``phrases`` declares each fact: by its name one
    English sentence, with places for ``{seen}``, ``{of}``, and what else the fact is given."""

    def __init__(self, phrases: Mapping[str, str], part: str = "", case: str = "") -> None:
        self._phrases = phrases
        self._part = part
        self._case = case

    def __call__(
        self,
        name: str,
        /,
        seen: float | None = None,
        *,
        low: float | None = None,
        high: float | None = None,
        bound: float | None = None,
        sampled: bool = False,
        of: int = 0,
        text: Iterable[str] | None = None,
        void: Told = (),
        lacks: Told = (),
        besides: Told = (),
        examples: Iterable[str | Message] = (),
        **words: str | Message,
    ) -> Fact:
        """The fact ``name``, which must be declared; ``besides`` stands behind its sentence, ``words`` in its places.
        ``high`` is set to ``inf`` where nothing bounds it."""
        unit = unit_of(name)
        shown = message("never") if seen is None else show(seen, unit)
        told = Message(text=self._phrases[name], values={"seen": shown, "of": str(of), **words})
        return Fact(
            name=name, part=self._part, case=self._case, seen=seen, low=low, high=high, bound=bound, sampled=sampled,
            of=of, void=void, lacks=lacks, text=None if text is None else tuple(text), told=(told, *besides),
            examples=tuple(examples),
        )  # fmt: skip

    def of_sample(self, name: str, sample: Judgement) -> Fact:
        """The fact ``name``: calls beside their criterion, whose own judgement says it."""
        return Fact(name=name, part=self._part, case=self._case, seen=sample.value, of=sample.samples, sample=sample)

    def every(self, *, void: Told = (), lacks: Told = ()) -> Fact:
        """Instead of all facts of the part: why nothing of it is shown."""
        (found,) = self.none(EVERY, void=void, lacks=lacks)
        return found

    def none(self, *names: str, void: Told = (), lacks: Told = ()) -> list[Fact]:
        """The facts ``names`` without a figure, and why there is none."""
        return [Fact(name=name, part=self._part, case=self._case, void=void, lacks=lacks) for name in names]


#: The verbs of a line, in the order of the manual.
VERBS = ("is", "at_most", "below", "at_least", "above", "near", "may_be", "contains")
#: A number in the fact's unit, the name of a fact, or ``plan.KEY``: a value of the plan's part, or of the plan.
Limit = float | str


class RuleLine(msgspec.Struct, frozen=True, kw_only=True, rename={"is_": "is", "else_": "else"}):
    """A fact against a limit, by one verb. ``near`` has its ``tolerance``, a share of the limit; ``contains`` a text.
    ``may_be``: the limit lies in the fact's interval, so that a sample does not speak against it.

    Fewer samples than ``of_at_least`` prove nothing. ``else`` is the verdict in place of a fail, or the erratum that is
    shown by what is not kept.
    """

    fact: str
    is_: Limit | None = None
    at_most: Limit | None = None
    below: Limit | None = None
    at_least: Limit | None = None
    above: Limit | None = None
    near: Limit | None = None
    may_be: Limit | None = None
    contains: str | None = None
    tolerance: Limit = 0.0
    of_at_least: Limit = 0.0
    else_: str = Verdict.FAIL

    def __post_init__(self) -> None:
        """Raises ``RuleError`` unless it has one verb, and ends in a verdict or an erratum."""
        if len(self._given()) != 1:
            raise RuleError(message("one verb is wanted, of {verbs}", verbs=", ".join(VERBS)))
        if self.else_ not in {*Verdict} and "." not in self.else_:
            raise RuleError(message("{name} is no verdict and no erratum", name=repr(self.else_)))

    @property
    def unkept(self) -> tuple[Verdict, str]:
        """The verdict where it is not kept, and the erratum that this shows, or ""."""
        return (Verdict(self.else_), "") if self.else_ in {*Verdict} else (Verdict.ERRATUM_SHOWN, self.else_)

    def _given(self) -> list[tuple[str, Limit]]:
        named = ((verb, getattr(self, "is_" if verb == "is" else verb)) for verb in VERBS)
        return [(verb, limit) for verb, limit in named if limit is not None]

    @property
    def verb(self) -> str:
        """The one that is given."""
        return self._given()[0][0]

    @property
    def limit(self) -> Limit:
        """What the fact is held to."""
        return self._given()[0][1]

    @property
    def names(self) -> Iterator[str]:
        """The facts that it reads."""
        named = [self.fact, self.limit if self.verb != "contains" else "", self.of_at_least, self.tolerance]
        yield from (each for each in named if isinstance(each, str) and each and not each.startswith("plan."))


class Shows(RuleLine, frozen=True, kw_only=True, rename={"is_": "is", "else_": "else"}):
    """An erratum of the document, which a line shows: its id, or a fact whose text is the id. ``provided`` are premises
    of its own.

    ``beside``: a pass of the rule stands beside it, and the judgement names the erratum as well. ``unless_kept``: it is
    looked for only where the rule's lines fail. ``unseen`` is the verdict where it was not seen: in place of a fail,
    and of a rule that nothing else decides.
    """

    erratum: str
    provided: tuple[RuleLine, ...] = ()
    beside: bool = False
    unless_kept: bool = False
    unseen: Verdict | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What decides one claim, erratum or check in a part of a plan that asks for it.

    ``decided_by``: all lines must pass; the worst one speaks. ``needs``: without them it is not exercised. Where a line
    of ``provided`` is unmet, nothing is shown, a fail neither; of ``when``, a pass is not, nor an erratum by ``else``.
    ``claims`` are further ones of which it is the verdict, in parts of the kind ``claims_in`` alone where that is
    given. ``says`` is what is promised; ``{case}`` in it is what stands for the ``*`` of its id.
    ``blocks``: it holds the run where it was not exercised, too. ``figure`` is the fact whose figure stands with the
    verdict, whichever line decides; the deciding line's where none is named. Where a line of ``claimed_when`` is unmet,
    it is the verdict on no claim.

    A rule of the second kind names a ``sample`` instead: a fact of calls beside a criterion, whose own exact bounds are
    asked (``harness.rules``). A pass is none where a line of ``when`` is unmet.
    """

    decided_by: tuple[RuleLine, ...] = ()
    sample: str = ""
    shows: Shows | None = None
    provided: tuple[RuleLine, ...] = ()
    when: tuple[RuleLine, ...] = ()
    needs: tuple[Capability, ...] = ()
    claims: tuple[str, ...] = ()
    claims_in: str = ""
    says: str = ""
    kind: Kind = Kind.CRITERION
    gates: bool = True
    blocks: bool = False
    figure: str = ""
    claimed_when: tuple[RuleLine, ...] = ()

    def __post_init__(self) -> None:
        """Raises ``RuleError`` where nothing decides it, or a sample and more does."""
        more = [*self.decided_by, *([] if self.shows is None else [self.shows])]
        if not more and not self.sample:
            raise RuleError(message("nothing decides it"), remedy=message("write `decided_by`, `shows` or `sample`"))
        if self.sample and (more or self.provided):
            raise RuleError(message("a sample decides alone"), remedy=message("write `when`, or a rule of its own"))

    @property
    def lines(self) -> Iterator[RuleLine]:
        """All of it."""
        yield from (*self.decided_by, *self.provided, *self.when, *self.claimed_when)
        if self.shows is not None:
            yield from (self.shows, *self.shows.provided)

    @property
    def decides(self) -> tuple[str, ...]:
        """The facts that decide it."""
        return tuple(filter(None, (*(line.fact for line in self.decided_by), self.sample)))

    @property
    def names(self) -> Iterator[str]:
        """The facts that it reads."""
        yield from (name for line in self.lines for name in line.names)
        yield from filter(None, (self.figure, self.sample))


Rules = Mapping[str, Rule]


def rule_of(one: Expected, rules: Rules) -> tuple[Rule | None, str]:
    """The rule that decides it: of ``PART/ID``, of the id, else the first whose ``*`` fits; and its case: what stands
    for the ``*``, or the id."""
    id_ = one.id
    for name in (f"{one.part}/{id_}", id_):
        if name in rules:
            return rules[name], id_
    for name, rule in rules.items():
        before, star, after = name.partition("*")
        if star and len(id_) >= len(before + after) and id_.startswith(before) and id_.endswith(after):
            return rule, id_[len(before) : len(id_) - len(after)]
    return None, ""


def read(paths: Sequence[Path], facts: Collection[str]) -> Rules:
    """The rules in ``paths`` of a rehearsal whose code declares ``facts``.

    Raises ``BadInput`` with file, line and remedy for what is no rule, and for a fact that is not declared.
    """
    return {id_: rule for path in paths for id_, rule in _rules_in(path, {*facts, CHECKED}).items()}


def _rules_in(path: Path, facts: Collection[str]) -> Rules:
    data, lines = mapping(yamltext.read(path), str(path), message("a rule stands under the id that it decides"))
    rules = {id_: at((id_,), said, str(path), lines, Rule) for id_, said in data.items()}
    for id_, rule in rules.items():
        for name in (each for each in rule.names if each not in facts):
            raise BadInput(
                message("{name} is no fact of it{near}", name=repr(name), near=nearest(name, [*facts])),
                where=yamltext.place(str(path), lines, (id_,)),
                remedy=message("the facts are: {names}", names=", ".join(sorted(facts))),
            )
    return rules
