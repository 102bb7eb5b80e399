"""Facts: what a run measured, each with the interval in which the truth lies. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec

from harness.base.units import Unit, show
from harness.model.judgement import Judgement
from harness.model.message import Message, Told, message
from harness.model.result import MeasuredFact

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
