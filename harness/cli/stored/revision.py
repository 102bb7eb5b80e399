"""``claims --against FILE``: the quotations of a register in a new revision of its document. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from itertools import pairwise

import msgspec

from harness.base.errors import BadInput
from harness.model.claim import Claim, Dependency
from harness.model.message import gettext_noop, message
from harness.report.language import Language
from harness.run.scenarios.index import DocumentBlock, blocks

_LIKE, _LIKE_ON_ITS_LINE = 0.6, 0.25  # at least: anywhere, and on the one line that a quotation's line became
_WORD = re.compile(r"\w+(?:\.\w+)*|.", re.ASCII | re.DOTALL)  # a Latin word, a number, or any one character
_words = cache(lambda text: "\0".join(("", *_WORD.findall(text), "")))
_Found = tuple[str, int, str] | None  # a place, the line of the document, and what stands there


class Became(StrEnum):
    """What became of a quotation."""

    CHANGED = gettext_noop("changed")
    VANISHED = gettext_noop("vanished")
    MOVED = gettext_noop("moved elsewhere")
    BESIDE = gettext_noop("unchanged beside changed words")
    UNCHANGED = gettext_noop("unchanged")


class QuotationFate(msgspec.Struct, frozen=True, kw_only=True):
    """A claim's ``quotation`` at ``place``, and what stands ``now`` at ``now_place``; "" and 0 where it vanished."""

    id: str
    fate: Became
    place: str
    quotation: str
    now_place: str
    line: int
    now: str
    depends_on: tuple[Dependency, ...]


def fates(claims: Collection[Claim], index: Mapping[str, str], text: str) -> Iterator[QuotationFate]:
    """What became of each quotation in ``text``; ``index`` has the digest of each old block by its place, if kept."""
    if (found := sum(each.quotation in text for each in claims)) * 5 < len(claims):
        count = {"found": str(found), "count": str(len(claims))}
        told = message("it is another document: it has {found} of the register's {count} quotations", **count)
        raise BadInput(told, where="--against", remedy="name a revision of the document that the register quotes")
    old = {each.place: "" for each in claims} | dict(index)
    left = {(each.place, each.entry().digest, each.line): each for each in blocks(text, unique=False)}
    became: dict[str, DocumentBlock] = {}
    for same in (slice(0, 2), slice(1, 2), slice(0, 1)):  # the same text in its place, elsewhere, another in its place
        keys = {key[same]: key for key in reversed(left)}
        for known in old.items():
            if known[0] not in became and (key := keys.get(known[same])) in left:
                became[known[0]] = left.pop(key)
    fresh = [each for each in left.values() if each.kind != "heading"]  # whose blocks stand for themselves
    edited = {place: each for place, each in became.items() if each.entry().digest != old[place]}
    for claim in claims:
        own = [became[claim.place]] if claim.place in became else []
        taken = [each.quotation for each in claims if each.place == claim.place and each is not claim]
        stands = _verbatim(claim, own) or (None if claim.place in index else _nearest(claim, own, taken))
        stands = stands or _verbatim(claim, fresh) or _nearest(claim, own, taken) or _nearest(claim, fresh, taken)
        stands = stands or _verbatim(claim, [*edited.values()])
        place, line, now = stands or ("", 0, "")
        kept = Became.BESIDE if claim.place in edited and claim.place in index else Became.UNCHANGED
        kept = kept if place == claim.place else Became.MOVED
        fate = kept if now == claim.quotation else Became.CHANGED if now else Became.VANISHED
        yield QuotationFate(
            id=claim.id, fate=fate, place=claim.place, quotation=claim.quotation,
            now_place=place, line=line, now=now, depends_on=claim.rests_on,
        )  # fmt: skip


def _verbatim(claim: Claim, among: Sequence[DocumentBlock]) -> _Found:
    """Where a quotation stands in whole words, rather below its heading."""
    said, heading = _words(claim.quotation), claim.place.partition("/")[0]
    parts = [(each, _words(each.text).partition(said)) for each in among]
    hits = [(each.place, each.line + before.count("\n"), claim.quotation) for each, (before, here, _) in parts if here]
    return max(hits, key=lambda hit: hit[0].startswith(heading), default=None)


def _nearest(claim: Claim, among: Sequence[DocumentBlock], taken: Collection[str]) -> _Found:
    """What is like a quotation on the line that shares the most with it, of those with no quotation ``taken``."""
    lines = [(line, each.place, n) for each in among for n, line in enumerate(each.text.splitlines(), each.line)]
    alone = len(lines) == 1 and lines[0][1] == claim.place and among[0].kind != "code"
    lines = [each for each in lines if alone or not any(other in each[0] for other in taken)]
    pairs, size = {*pairwise(claim.quotation)}, len(claim.quotation)
    line, place, number = max(lines, key=lambda each: len(pairs & {*pairwise(each[0])}), default=("", "", 0))
    words = [each.span() for each in _WORD.finditer(line)]
    parts = [line[a:b] for a, _ in words for _, b in words if abs(b - a - size) <= 2 + size // 20]
    parts.sort(key=lambda part: len({*part} & {*claim.quotation}))
    alike = {re.sub(r"\d+", "0", part): part for part in parts}  # whatever number stands there is as like
    like = get_close_matches(re.sub(r"\d+", "0", claim.quotation), alike, 1, _LIKE_ON_ITS_LINE if alone else _LIKE)
    return (place, number, alike[like[0]]) if like else None


def told(found: Collection[QuotationFate], say: Language) -> Iterator[str]:
    """The fates as lines of text, the gravest first."""
    yield say.listed(f"{say(fate)}: {sum(each.fate is fate for each in found)}" for fate in Became)
    for each in (each for fate in Became for each in found if each.fate is fate is not Became.UNCHANGED):
        at = " -> ".join(dict.fromkeys((each.place, each.now_place or each.place)))
        at = say("{place}, line {line}", place=at, line=str(each.line)) if each.line else at
        said = " -> ".join(dict.fromkeys((each.quotation, each.now or each.quotation)))
        yield f"{say(each.fate)}: {each.id} ({at}): {said}"
        if each.depends_on and each.fate in (Became.CHANGED, Became.VANISHED):
            yield "  " + say("its evidence depends on: {what}", what=say.listed(each.depends_on))
