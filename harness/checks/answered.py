"""The facts of what answers showed of walks: every location, as its phone wrote it, and the server's fields. Pure.

A target may keep numbers and times less finely than a phone writes them. How, most of its answers say; each of the
others must be alike, and how fine it must be the rule says, or the target's file (``keeps``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from itertools import islice, pairwise
from math import floor
from typing import Any, NamedTuple

from harness.base.clock import NS, Anchor, unix_ns
from harness.base.data import CLAIMS
from harness.base.message import gettext_noop
from harness.checks.sent import by_place, untold
from harness.checks.values import Unreadable, instant
from harness.load.population.content import as_sent, single
from harness.load.population.schedule import accounts, first_requests, slots
from harness.load.population.track import COLUMNS, MOST_RUNS, columns, digest
from harness.load.population.walk import Location, WalkUpdate
from harness.model.evidence import WRITES, Operation, Outcome, RequestRow, Side
from harness.model.judgement import Expected, Judgement, Kind
from harness.model.message import message
from harness.model.scenario import PopulationPlan
from harness.model.shown import Shown, Track, parse
from harness.rules import engine
from harness.rules.rule import Fact, FactsOf, read

EXPECTED = tuple(Expected("", f"reads.{each}", "api.version", kind=Kind.CHECK) for each in ("content", "server_fields"))
_RULES = CLAIMS.with_name("rules") / "answers.yaml"
_UNDECLARED = ("degrees", "times_s", "numbers")
PHRASES = {
    "tracks.wrong": gettext_noop("of {of} answers with a track {seen} are not as its phone wrote it"),
    "undeclared.degrees": gettext_noop("coordinates are answered {how}"),
    "undeclared.times_s": gettext_noop("recorded times are answered {how}"),
    "undeclared.numbers": gettext_noop("heights, accuracies, speeds and courses are answered {how}"),
    "server.undated": gettext_noop("of {of} walks in answers {seen} have no created_at or updated_at that is a time"),
    "server.created_moved": gettext_noop("of {of} answers {seen} have another created_at than the walk's others"),
    "server.updated_stood": gettext_noop("of {of} acknowledged writes {seen} did not move updated_at"),
    "server.updated_moved": gettext_noop("of {of} answers {seen} have another updated_at, though nothing was written"),
    "server.off_s": gettext_noop("of {of} times of writes the most distant from its write is {seen} off"),
}
_US = 1_000_000
_SAME = timedelta(
    milliseconds=1
)  # two answers of one instant may be cut differently: by the database, and by who writes JSON
_WITHIN_NS = NS  # a target may answer whole seconds: within one, updated_at may stand
_SINGLE = 0.00001  # about what a float of 32 bits leaves of degrees
_FOREVER = 2**62


class ReadAnswers(NamedTuple):
    """Where answers are: of whom, since when, and how many decimals the target's file says that they keep."""

    requests: Sequence[RequestRow]
    plan: PopulationPlan
    seed: int
    anchor: Anchor
    keeps: Mapping[str, int]


class _Seen(NamedTuple):
    """A walk in a good answer of the API; times are ``None`` where they cannot be read."""

    row: RequestRow
    walk: str
    track: Track | None
    created: Any
    updated: Any


def judged(asked: ReadAnswers) -> Iterable[Judgement]:
    """Both checks by their rules."""
    return engine.judged(EXPECTED, read([_RULES], PHRASES), facts(asked), None, ())


def facts(asked: ReadAnswers) -> Iterator[Fact]:
    """All of them."""
    good = [row for row in asked.requests if row.side is Side.API and row.outcome is Outcome.OK]
    shown = [(row, each) for row in good for each in (parse(row.shown) or Shown(())).walks if each.created is not None]
    seen = [_Seen(row, of.id, of.track, _at(of.created), _at(of.version)) for row, of in shown]
    yield from _of_tracks(seen, asked)
    yield from _of_server(seen, asked)


def _at(said: str | None) -> datetime | None:
    try:
        return instant(said)
    except Unreadable:
        return None


def _of_tracks(seen: Iterable[_Seen], asked: ReadAnswers) -> Iterator[Fact]:
    recorded, flaws = _recorded(asked), {}
    tracks = [(each, each.track) for each in seen if each.walk in recorded]  # of one that nobody put `reads` tells
    located = [(each, track) for each, track in tracks if track is not None and track.runs]
    written: list[tuple[_Seen, Track, list[list[float | None]]]] = []
    for each, track in located:
        runs, points = track.runs, recorded[each.walk]
        if len(runs) > MOST_RUNS or any(end >= begin for (_, end), (begin, _) in pairwise(runs)):
            flaws[each] = message("its locations do not ascend by number, each once")
        elif runs[-1][1] >= len(points):
            flaws[each] = message("it has locations that nobody recorded")
        else:
            of = [[value for first, last in runs for value in col[first : last + 1]] for col in columns(points)]
            written.append((each, track, of))
    grain, odd = dict.fromkeys(_UNDECLARED, 0.0), defaultdict[_Seen, list[str]](list)
    for number, name in enumerate(COLUMNS):
        kept, misfits = _kept(name, [(each, track.columns[number], of[number]) for each, track, of in written])
        group = {"timestamp": "times_s", "latitude": "degrees", "longitude": "degrees"}.get(name, "numbers")
        grain[group] = max(grain[group], kept)
        for each in misfits:
            odd[each].append(name)
    flaws |= {each: message("other than written: {fields}", fields=", ".join(names)) for each, names in odd.items()}
    fact = FactsOf(PHRASES)
    few = [message("{answer}: walk {walk}: {flaw}", answer=each.row.operation_id, walk=each.walk, flaw=why)
           for each, why in islice(flaws.items(), 3)]  # fmt: skip
    yield fact("tracks.wrong", len(flaws), of=len(located), besides=tuple(few))
    for group, kept in grain.items():
        declared = group in asked.keeps and kept <= 10.0 ** -asked.keeps[group]
        fine = f"{kept:f}".rstrip("0").rstrip(".")
        how = message("to {grain}", grain=fine) if kept else message("as they were written")
        how = message("{how}, as the target's file says", how=how) if declared else how
        yield fact(f"undeclared.{group}", 0.0 if declared else kept, of=len(written), how=how)


def _recorded(asked: ReadAnswers) -> Mapping[str, list[Location]]:
    """By walk every location that its phone recorded until its last request in evidence."""
    found: defaultdict[str, list[Location]] = defaultdict(list)
    placed = slots(asked.plan, accounts(asked.plan, asked.seed), asked.seed)
    for user, numbers in by_place(asked.requests).items():
        if user not in placed:
            continue
        for each in first_requests(
            user, placed[user], asked.plan, asked.seed, asked.anchor.unix_ns, most=max(numbers) + 1
        ):
            found[each.walk_id] += each.body.locations if isinstance(each.body, WalkUpdate) else ()
    return found


def _kept(name: str, answers: Sequence[tuple[_Seen, str, list[float | None]]]) -> tuple[float, list[_Seen]]:
    """How finely most answers have a column, 0 where it is as written, and those that have it otherwise."""

    def misfits(keep: Callable[[float], float]) -> list[_Seen]:
        of = ((each, said, [None if one is None else keep(one) for one in wrote]) for each, said, wrote in answers)
        return [each for each, said, kept in of if digest(kept) != said]

    exact = misfits(lambda value: value)
    if 2 * len(exact) <= len(answers):
        return 0.0, exact
    found = [(grain, misfits(keep)) for grain, keep in _ways(name)]
    return min([(0.0, exact), *found], key=lambda each: len(each[1]))  # of equals the finest


def _ways(name: str) -> Iterator[tuple[float, Callable[[float], float]]]:
    """The ways in which a column may keep a value, finest first, each with its grain."""
    if name == "timestamp":
        yield from ((1.0, lambda us, up=up: (us + up) // _US * _US) for up in (0, _US // 2))
        return
    yield from ((_SINGLE, single), (_SINGLE, lambda value: as_sent(single(value))))
    for decimals in range(8, -1, -1):
        grain, scale = Decimal(1).scaleb(-decimals), 10.0**decimals
        for way in (ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_DOWN):
            yield float(grain), lambda value, g=grain, w=way: float(Decimal(repr(value)).quantize(g, w))  # type: ignore[misc]
        yield float(grain), lambda value, d=decimals: round(value, d)  # type: ignore[misc]
        yield float(grain), lambda value, s=scale: floor(value * s + 0.5) / s  # type: ignore[misc]


def _of_server(seen: Sequence[_Seen], asked: ReadAnswers) -> Iterator[Fact]:
    fact, by_walk, writes = FactsOf(PHRASES), defaultdict[str, list[_Seen]](list), _writes(asked)
    dated = [each for each in seen if each.created is not None and each.updated is not None]
    for each in sorted(dated, key=lambda each: each.row.sent_ns):
        by_walk[each.walk].append(each)
    #: By fact each answer that was compared, and whether it is wrong.
    compared: dict[str, list[tuple[_Seen, bool]]] = {"created_moved": [], "updated_stood": [], "updated_moved": []}
    off: list[float] = []
    for answers, of in ((by_walk[walk], of) for walk, of in writes.items() if walk in by_walk):
        usual = Counter(each.created for each in answers).most_common(1)[0][0]
        compared["created_moved"] += [(each, abs(each.created - usual) > _SAME) for each in answers]
        for number, each in enumerate(answers):
            before = (one for one in reversed(answers[:number]) if one.row.done_ns <= each.row.sent_ns)
            for last in islice(before, 1):
                _compare(last, each, of, compared)
        off += _off(answers, of, asked.anchor)
    for name, found in compared.items():
        wrong = [f"{each.row.operation_id}: {each.walk}" for each, is_wrong in found if is_wrong]
        yield fact(f"server.{name}", len(wrong), of=len(found), examples=wrong)
    yield fact("server.undated", len(seen) - len(dated), of=len(seen))
    yield fact("server.off_s", max(off, default=0.0), of=len(off))


def _writes(asked: ReadAnswers) -> Mapping[str, list[tuple[int, int]]]:
    """By walk from when to when each of its writes may have acted; without walks of which that is not certain, or that
    begin anew: with a write on Firestore's side, a DELETE, a user's request without a row."""
    found: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    uncertain, gaps = set(), {*untold(asked.requests, ())}
    for row in asked.requests:
        if row.operation in WRITES:
            once = row.acknowledged and not row.retried
            found[row.walk_id.lower()].append((row.sent_ns, row.done_ns if once else _FOREVER))
        if row.user in gaps or row.side is Side.FIRESTORE or row.operation is Operation.DELETE_WALK:
            uncertain.add(row.walk_id.lower())
    return {walk: each for walk, each in found.items() if walk not in uncertain}


def _compare(was: _Seen, seen: _Seen, writes: Sequence[tuple[int, int]], compared: Any) -> None:
    """An answer with the last that was there before it was asked for: a write moves updated_at, and nothing else."""
    differs = abs(seen.updated - was.updated) > _SAME
    own, sent_ns, done_ns = (was.row.sent_ns, was.row.done_ns), seen.row.sent_ns, seen.row.done_ns
    if seen.row.acknowledged and sent_ns - was.row.done_ns >= _WITHIN_NS:
        compared["updated_stood"].append((seen, not differs))
    elif all(each == own or each[1] <= was.row.sent_ns or done_ns <= each[0] for each in writes):
        compared["updated_moved"].append((seen, differs))


def _off(answers: Sequence[_Seen], writes: Sequence[tuple[int, int]], anchor: Anchor) -> Iterator[float]:
    """How far, in s, created_at lies from the walk's first write, and updated_at in the answer to a write from that."""
    first_ns, done_ns = min(writes)[0], min(until for _, until in writes)
    times = [(each.created, first_ns, done_ns) for each in answers]
    times += [(each.updated, each.row.sent_ns, each.row.done_ns) for each in answers if each.row.acknowledged]
    for at, from_ns, to_ns in times:
        at_s = at.timestamp()
        yield max(0.0, unix_ns(anchor, from_ns) / NS - at_s, at_s - unix_ns(anchor, to_ns) / NS)
