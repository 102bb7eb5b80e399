"""Linearizability of one walk in one store: whether some order of all calls on it explains what was seen. Pure.

A call takes effect at one moment between its begin and its end, as Wing and Gong have it. The search goes from event to
event as Lowe's does, and remembers which of the calls under way have taken effect, and what the walk is then; Porcupine
and Knossos are the models. A call without an answer stays under way: it may take effect later, or never.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from harness.load.population.content import Content, fingerprint
from harness.model.shown import NOT_IN_ORDER

#: Before and after every moment of a run, in ns of its clock.
NEVER, FOREVER = -(2**62), 2**62
#: With more calls under way at once a walk proves nothing, nor where a search takes more steps. Calls without an answer
#: that would do the same count once. What is told of a contradiction is searched in fewer.
MOST_PENDING, MOST_STEPS, MOST_TO_TELL = 12, 50_000, 3_000


class WalkState(NamedTuple):
    """A walk as a store holds it; ``content`` is its ``fingerprint``, ``None`` where it is not there.

    ``held`` has a bit for each batch of locations. ``version`` is its ``updated_at``. ``own``: its last write was made
    to this store.
    """

    content: str | None = None
    held: int = 0
    version: str = ""
    own: bool = True


class WalkWrite(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What a write does. ``contents`` are what it may say, one of them; none for a DELETE.

    ``merges``: what it does not say stays; ``replaces``: it goes; with both nobody knows which. ``brings`` are the
    batches of locations that it may bring, one of them: those that are there stay.
    """

    contents: tuple[Content, ...]
    merges: bool = True
    replaces: bool = False
    brings: tuple[int, ...] = (0,)
    version: str = ""
    own: bool = True


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer showed of the walk: the ``fingerprint`` of its content, ``None`` where it was not there.

    ``there`` is ``None`` where the answer does not say. Locations as in ``harness.model.shown``. ``version`` "" fits
    every walk.
    """

    there: bool | None = True
    content: str = ""
    locations: int | None = None
    version: str = ""


class Call(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A write (``does``) or a read (``sees``) under the ``name`` that people are told.

    One that was not answered ends never. ``often``: it may take effect at any time from its begin on, any number of
    times, or never. ``after`` is the write whose answer a read is. ``counts``: it says how many walks there are.
    """

    name: str
    begin_ns: int
    end_ns: int = FOREVER
    does: WalkWrite | None = None
    sees: Seen | None = None
    often: bool = False
    after: Call | None = None
    counts: bool = False

    @property
    def acknowledged(self) -> bool:
        """Whether it is a write that was answered."""
        return self.does is not None and not self.often and self.end_ns < FOREVER


class WalkObject:
    """A walk as an object. ``counts`` are the locations that the phone had recorded with each batch; ``None`` where
    nobody knows which it sent."""

    first = WalkState()

    def __init__(self, counts: Sequence[int] | None = ()) -> None:
        self.counts = counts
        self._contents: dict[str, Content] = {}
        self._left: dict[tuple[WalkWrite, str | None], tuple[str, ...]] = {}

    def step(self, state: WalkState, call: Call) -> Collection[WalkState]:
        """Every state that ``call`` may leave; none where it cannot have seen what it saw."""
        if call.does is None:
            return (state,) if call.sees is None or self._fits(state, call.sees) else ()
        if not call.does.contents:
            return (WalkState(own=call.does.own),)
        key = call.does, state.content
        if key not in self._left:
            left = {fingerprint(each): each for each in _left(self._contents.get(state.content or ""), call.does)}
            self._contents |= left
            self._left[key] = (*left,)
        version, own = call.does.version, call.does.own
        brings = {state.held | each for each in call.does.brings}
        return [WalkState(content, held, version, own) for content in self._left[key] for held in brings]

    def _fits(self, state: WalkState, seen: Seen) -> bool:
        if seen.there is None or state.content is None or not seen.there:
            return seen.there is None or seen.there is (state.content is not None)
        if seen.version not in ("", state.version) or state.content != seen.content:
            return False
        return seen.locations is None or self.counts is None or seen.locations == self._count(state.held)

    def _count(self, held: int) -> int:
        if held & (held + 1) or self.counts is None:
            return NOT_IN_ORDER
        return self.counts[held.bit_length() - 1] if held else 0


def _left(before: Content | None, write: WalkWrite) -> Iterator[Content]:
    """What a write leaves of a walk's content."""
    for said in write.contents:
        if before is None or write.replaces:
            yield said
        if before is not None and write.merges:
            names = (name for name in ("end_time", "thumbnail_image_url", "description") if getattr(said, name) is None)
            yield msgspec.structs.replace(said, **{name: getattr(before, name) for name in names})


Configuration: TypeAlias = tuple[int, WalkState]
#: What comes first of what is at one moment: ends, then what begins and ends in it, then what begins.
_END, _BEGIN_AT_ONCE, _END_AT_ONCE, _BEGIN = range(4)


class Search:
    """All ``calls`` on a walk, searched as the object is made.

    ``wrong`` are the reads that no order explains, each with all that came before it but the other wrong ones.
    ``told`` are reads that an older walk would have made wrong, with how long after the last acknowledged write they
    began (ns); ``alike`` those after one that it would not. ``other_side`` showed a write of the other side.
    ``present`` says for each read that counts walks whether the walk may have been there, or not, while it lasted.
    ``unproved`` are the reads of which nothing is known, for too much was under way.
    """

    def __init__(self, walk: WalkObject, calls: Iterable[Call], steps: int = MOST_STEPS) -> None:
        self.wrong: list[Call] = []
        self.told: dict[Call, int] = {}
        self.alike: set[Call] = set()
        self.other_side: set[Call] = set()
        self.present: dict[Call, set[bool]] = {}
        self.unproved: list[Call] = []
        self._walk = walk
        self._found: set[Configuration] = {(0, walk.first)}
        self._bits: dict[Call, int] = {}
        self._open: dict[int, Call] = {}
        self._often: list[Call] = []
        self._before: tuple[int, set[WalkState]] | None = None  # the last acknowledged write
        self._due: dict[Call, tuple[int, set[WalkState]]] = {}
        events = sorted(_events(calls), key=lambda each: each[:3])
        self._steps = steps + 10 * len(events)
        for at, (_, when, _, call) in enumerate(events):
            ends = when in (_END, _END_AT_ONCE)
            if not (self._end(call) if ends else self._begin(call)):
                ended = (each[3] for each in events[at:] if each[1] in (_END, _END_AT_ONCE))
                self.unproved = [each for each in ended if each.does is None]
                return

    def _begin(self, call: Call) -> bool:
        """Whether not too much is under way."""
        if call.often:
            self._often.append(call)
            return True
        if self._before is not None and call.does is None and call.after is None:
            self._due[call] = self._before
        bit = next(1 << n for n in range(len(self._open) + 1) if 1 << n not in self._open)
        self._open[bit], self._bits[call] = call, bit
        pending = {id(each.does if each.end_ns == FOREVER else each) for each in self._open.values()}
        return len(pending) <= MOST_PENDING

    def _end(self, call: Call) -> bool:
        """Whether it took not too many steps."""
        bit = self._bits[call]
        if call.counts:
            self.present[call] = {state.content is not None for _, state in self._reached(0)}
        found = {each for each in self._reached(bit) if each[0] & bit}
        if not self._steps:
            return False
        if call.does is not None:
            states = {state for mask, state in self._found if not mask & bit}
            self._before = (call.end_ns, states) if states or self._before is None else (call.end_ns, self._before[1])
        else:
            self._judge(call, found)
        del self._open[bit], self._bits[call]
        self._found = {(mask & ~bit, state) for mask, state in found or self._found}
        return True

    def _judge(self, call: Call, found: Collection[Configuration]) -> None:
        """A read whose end has come."""
        if not found:
            self.wrong.append(call)
        elif call.sees is not None and call.sees.there and not any(state.own for _, state in found):
            self.other_side.add(call)
        if call not in self._due or call.sees is None or call.sees.there is None:
            return
        ended_ns, before = self._due.pop(call)
        if found and any(self._walk.step(state, call) for state in before):
            self.alike.add(call)
        else:
            self.told[call] = call.begin_ns - ended_ns

    def _reached(self, bit: int) -> set[Configuration]:
        """What the walk may be now, and what has taken effect: all of it, or on each way as far as to ``bit``. What a
        read saw is taken at the first moment that it fits: that forbids nothing."""
        reached, left = set[Configuration](), [*self._found]
        while left and self._steps:
            self._steps -= 1
            mask, state = left.pop()
            mask |= self._reads(mask, state)
            if (mask, state) not in reached:
                reached.add((mask, state))
                if not mask & bit:
                    left += self._next(mask, state)
        return reached

    def _reads(self, mask: int, state: WalkState) -> int:
        fit = 0
        for bit, call in self._open.items():
            if call.does is None and not mask & bit and self._walk.step(state, call):
                written = self._bits.get(call.after, 0) if call.after is not None else 0
                fit |= bit if mask & written == written else 0
        return fit

    def _next(self, mask: int, state: WalkState) -> Iterator[Configuration]:
        tried = set[int]()  # of calls without an answer that do the same, the first will do
        for bit, call in self._open.items():
            if mask & bit or call.does is None or (call.end_ns == FOREVER and id(call.does) in tried):
                continue
            if call.end_ns == FOREVER:
                tried.add(id(call.does))
            for after in self._walk.step(state, call):
                yield mask | bit, after
        for call in self._often:
            for after in self._walk.step(state, call):
                yield mask, after


def _events(calls: Iterable[Call]) -> Iterator[tuple[int, int, int, Call]]:
    for number, call in enumerate(calls):
        at_once = call.begin_ns == call.end_ns
        yield call.begin_ns, _BEGIN_AT_ONCE if at_once else _BEGIN, number, call
        if call.end_ns < FOREVER and not call.often:
            yield call.end_ns, _END_AT_ONCE if at_once else _END, number, call


def contradiction(walk: WalkObject, calls: Sequence[Call], wrong: Call) -> list[Call]:
    """The few calls that contradict each other: ``wrong`` and those of ``calls`` without which it could be explained.
    A call is taken out by letting it prove nothing: a read is dropped, a write may take effect at any time and often.
    """
    kept, size = [call for call in calls if call.begin_ns <= wrong.end_ns], len(calls)
    while size:
        size = max(1, size // 2)
        before = len(kept)
        for start in range(len(kept) - 1, -1, -size):
            out = {*kept[max(0, start - size + 1) : start + 1]} - {wrong}
            left = [call for call in kept if call not in out]
            if out and wrong in Search(walk, [*_proving_nothing(calls, left, wrong), *left], MOST_TO_TELL).wrong:
                kept = left
        if size == 1 and len(kept) == before:
            break
    return sorted(kept, key=lambda call: (call.begin_ns, call.end_ns))


def _proving_nothing(calls: Iterable[Call], kept: Iterable[Call], wrong: Call) -> Iterator[Call]:
    for call in {*calls} - {*kept}:
        if call.does is not None and call.begin_ns <= wrong.end_ns:
            yield msgspec.structs.replace(call, begin_ns=NEVER, end_ns=FOREVER, often=True)


def writers(walk: WalkObject, calls: Iterable[Call], read: Call) -> list[Call]:
    """The writes of ``calls`` that may have left the content that ``read`` saw, whatever its locations."""
    assert read.sees is not None
    content = msgspec.structs.replace(read, sees=msgspec.structs.replace(read.sees, locations=None))
    writes = [call for call in calls if call.does is not None and call.begin_ns <= read.end_ns]
    left = {walk.first, *(state for call in writes for state in walk.step(walk.first, call))}
    return [
        call for call in writes if any(walk.step(after, content) for state in left for after in walk.step(state, call))
    ]
