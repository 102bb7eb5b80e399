"""``decisions.yaml``: what people decided of the claims and errata that no rehearsal can settle. Pure but for reading.

It is read as a plan is: an unknown claim, a wildcard, a name too few is refused with its line and what to write. An
entry whose day has passed, whose claim stands worse than when it was accepted, or whose figure passed ``holds_to`` is
void: it accepts nothing, and the page says why.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec

from harness.base import planfile, yamltext
from harness.base.message import nearest
from harness.base.planfile import RuleError
from harness.base.units import Unit, quantity, show
from harness.model.claim import Claim, Erratum, ShownOn
from harness.model.message import Message, Told, english, message
from harness.report.signoff.types import WORD, Blocker, ClaimStanding, ClaimState, DecisionEntry

DECISIONS = "decisions.yaml"
Day = Annotated[
    str,
    msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="a day, year first", examples=['"2026-12-31"']),
]
Text = Annotated[str, msgspec.Meta(min_length=1)]


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """One entry: a ``claim`` or an ``erratum``, who decided (``by``), ``on`` which day, ``because`` of what, ``until``
    when. ``state`` is how it stood; ``holds_to`` the worst figure that is still accepted; ``corrected_in`` the revision
    of the document that corrects the erratum; ``owner`` watches what only operation shows."""

    claim: str = ""
    erratum: str = ""
    by: Annotated[tuple[Text, ...], msgspec.Meta(examples=["[A. Mori, K. Sato]"])]
    on: Day
    because: Text
    until: Day
    state: ClaimState | None = None
    holds_to: Annotated[str, msgspec.Meta(examples=["650ms", "0.6%"])] = ""
    corrected_in: Annotated[str, msgspec.Meta(examples=["v1.3"])] = ""
    owner: str = ""


class DecisionsFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file: ``decisions``, one of each claim or erratum."""

    decisions: tuple[Decided, ...]


def read(path: Path, register: Mapping[str, Claim]) -> tuple[DecisionEntry, ...]:
    """The entries of ``path``. Raises ``BadInput`` with file, line and remedy."""
    text = yamltext.read(path)
    errata = {erratum.id: erratum for claim in register.values() for erratum in claim.errata}

    def entries(file: DecisionsFile) -> tuple[DecisionEntry, ...]:
        names = [each.claim or each.erratum for each in file.decisions]
        for number, each in enumerate(file.decisions):
            if names.index(names[number]) < number:
                told = message("{name} is decided twice", name=names[number])
                raise RuleError(told, "decisions", number, remedy="keep one of the two entries")
            _fits(each, ("decisions", number), register, errata)
        return tuple(map(_entry, file.decisions))

    found = planfile.made(text, str(path), DecisionsFile, entries)
    _, lines = planfile.mapping(text, str(path), "")
    places = (yamltext.place(str(path), lines, ("decisions", number)) for number in range(len(found)))
    return tuple(
        msgspec.structs.replace(each, place=place.partition(",")[0]) for each, place in zip(found, places, strict=True)
    )


def _entry(each: Decided) -> DecisionEntry:
    fields = {name: getattr(each, name) for name in each.__struct_fields__ if name not in {"claim", "erratum"}}
    return DecisionEntry(of=each.claim or each.erratum, **fields)


def _fits(each: Decided, at: tuple[str, int], claims: Mapping[str, Claim], errata: Mapping[str, Erratum]) -> None:
    """Raises ``RuleError`` for an entry that accepts nothing that there is, or that too few people signed."""
    if bool(each.claim) is bool(each.erratum):
        raise RuleError("an entry is of one claim or one erratum", *at, remedy="give it `claim` or `erratum`")
    key, name, known = ("claim", each.claim, claims) if each.claim else ("erratum", each.erratum, errata)
    if re.search(r"[*?\[]", name):
        told = message("{name} is a wildcard, and each decision is of one", name=repr(name))
        raise RuleError(told, *at, key, remedy="write an entry for each")
    if name not in known:
        told = message("unknown {kind} {value}{near}", kind=key, value=repr(name), near=nearest(name, [*known]))
        raise RuleError(told, *at, key, remedy="`signoff --template` prints those that are open")
    least = known[name].consequence.signers
    if len({who.strip() for who in each.by if who.strip()}) < least:
        told = message("{name} needs {count} names, and has fewer", name=name, count=str(least))
        raise RuleError(told, *at, "by", remedy="name who decided; what loses or exposes people's data needs two")
    for field, text in (("on", each.on), ("until", each.until)):
        if _day(text) is None:
            raise RuleError(message("{day} is no day", day=repr(text)), *at, field, remedy='write "2026-12-31"')
    if each.corrected_in and not each.erratum:
        raise RuleError("only an erratum is corrected in the document", *at, "corrected_in", remedy="leave it out")
    if each.claim and claims[each.claim].first_sign and not each.owner:
        told = message("{name} is signed blind, and nobody is named who watches it", name=name)
        raise RuleError(told, *at, "owner", remedy="name the owner of its first sign")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


# -- whether it counts -----------------------------------------------------------------------------------------------


def weighed(
    entries: Iterable[DecisionEntry], standings: Mapping[str, ClaimStanding], today: str
) -> tuple[DecisionEntry, ...]:
    """The entries, each with why it is void; ``today`` is a day of ISO 8601. A new build voids none."""
    return tuple(msgspec.structs.replace(each, void=next(_void(each, standings, today), ())) for each in entries)


def _void(entry: DecisionEntry, standings: Mapping[str, ClaimStanding], today: str) -> Iterator[Told]:
    if entry.until < today:
        yield (message("its last day, {day}, has passed", day=entry.until),)
    if entry.on > today:
        yield (message("its day, {day}, has not come", day=entry.on),)
    standing = standings.get(entry.of)
    if standing is None:
        return
    if entry.state is not None and standing.state.worse > entry.state.worse:
        then, now = (Message(text=WORD[state]) for state in (entry.state, standing.state))
        yield (message("the claim was accepted as {then}, and is {now}", then=then, now=now),)
    if entry.holds_to:
        yield from _beyond(entry, standing)


def _beyond(entry: DecisionEntry, standing: ClaimStanding) -> Iterator[Told]:
    """That the figure passed what was accepted: it lies on the far side of ``holds_to``, seen from its limit."""
    figures = [each.judgement for each in standing.evidence if each.judgement.value is not None]
    for each in figures:
        most = _read(entry.holds_to, each.unit)
        if most is None or each.value is None or each.limit is None:
            continue
        towards = math.copysign(1, most - each.limit)
        if (each.value - most) * towards > 0:
            yield (message("{value} passes {most}", value=show(each.value, each.unit), most=entry.holds_to),)
        return
    yield (message("no figure of the claim can be compared with {most}", most=entry.holds_to),)


def _read(text: str, unit: Unit) -> float | None:
    try:
        return quantity(text, unit) if unit not in (Unit.NONE, Unit.DOLLARS) else float(text.lstrip("$"))
    except (ValueError, KeyError):
        return None


# -- what is open ----------------------------------------------------------------------------------------------------


def template(blockers: Sequence[Blocker], register: Mapping[str, Claim], standings: Mapping[str, ClaimStanding]) -> str:
    """Every open item as an entry to fill in, as YAML."""
    lines = ["# Fill in who decided, when, why and until when; leave out what is to be mended instead.", "decisions:"]
    for each in blockers:
        lines += [f"# {each.consequence}: {' '.join(english(each.told).split())}"]
        lines += [f"# {each.way} would show it"] if each.way else []
        lines += ["- " + "\n  ".join(fields(each, register.get(each.of), standings.get(each.of)))]
    return "\n".join(lines if blockers else ["decisions: []"]) + "\n"


def fields(each: Blocker, claim: Claim | None, standing: ClaimStanding | None) -> Iterator[str]:
    """The fields of an open item's entry, with room for as many names as it needs; of an erratum without ``claim``."""
    yield f"{'claim' if claim else 'erratum'}: {each.of}"
    names = ", ".join(each.consequence.signers * ['""'])
    yield from (f"by: [{names}]", 'on: ""', 'because: ""', 'until: ""')
    if claim is None:
        yield 'corrected_in: ""'
    elif standing is not None:
        yield f"state: {standing.state}"
        yield from ['owner: ""'] if claim.first_sign else []


def blind(claim: Claim) -> bool:
    """Whether only a team's own cluster, its cloud's region or a month of operation shows a claim."""
    return claim.shown_on in (ShownOn.CLUSTER, ShownOn.REGION, ShownOn.MONTH)
