"""What a walk may say of itself at any moment, from the writes that a phone made of it. Pure.

A write takes effect once, at some moment between its sending and its acknowledgement; one without an acknowledgement
at any later moment, or never. So each write is a state that the walk has from some moment until a later write replaces
it. A write on the other side may come over at any moment (the mirror, a copy), also over and over, or never.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

#: Before and after every moment of a run, in ns of its clock.
NEVER, FOREVER = -(2**62), 2**62


class Asked(msgspec.Struct, frozen=True):
    """When an answer was asked for and when it was there, in ns of the run's clock."""

    sent_ns: int
    done_ns: int


class State(msgspec.Struct, kw_only=True, eq=False):
    """What one write leaves: ``contents`` are the fingerprints that fit it, none when the walk is not there.

    It takes effect between ``sent_ns`` and ``end_ns``. ``here``: written on the side that is read, where its
    acknowledgement counts. ``once``: it cannot take effect a second time. ``locations`` are those recorded by then.
    """

    contents: frozenset[str]
    sent_ns: int
    done_ns: int
    end_ns: int
    acknowledged: bool = False
    here: bool = True
    once: bool = True
    locations: int = 0


def unwritten() -> State:
    """Before the first write."""
    return State(contents=frozenset(), sent_ns=NEVER, done_ns=NEVER, end_ns=NEVER)


class WalkHistory:
    """One walk on one side. Answers are to be laid before it in the order in which they were asked for."""

    def __init__(self) -> None:
        self._states = [unwritten()]
        self._seen: tuple[Asked, tuple[State, ...]] | None = None
        self._seen_locations = 0

    def add(self, state: State) -> None:
        """One more write, before any answer."""
        self._states.append(state)

    def possible(self, asked: Asked) -> list[State]:
        """Every state that an answer may show: not replaced for certain, and not behind what was seen before."""
        return [
            state
            for state in self._states
            if state.sent_ns <= asked.done_ns and not self._replaced(state, asked) and not self._behind(state, asked)
        ]

    def show(self, found: Iterable[State], asked: Asked) -> None:
        """An answer showed one of ``found``: a write that was seen has taken effect."""
        seen = tuple(found)
        if len(seen) == 1 and seen[0].once:
            seen[0].end_ns = min(seen[0].end_ns, asked.done_ns)
        self._seen = (asked, seen)

    def bound(self, asked: Asked) -> bool:
        """Whether a write had been acknowledged before the answer was asked for."""
        return any(state.acknowledged and state.done_ns <= asked.sent_ns for state in self._states)

    def deleted(self, asked: Asked) -> bool:
        """Whether the last write acknowledged before it was asked for was a DELETE."""
        done = [each for each in self._states if each.acknowledged and each.done_ns <= asked.sent_ns]
        return bool(done) and not max(done, key=lambda each: each.done_ns).contents

    def written(self, content: str, asked: Asked) -> bool:
        """Whether anybody wrote that at all."""
        return any(content in state.contents and state.sent_ns <= asked.done_ns for state in self._states)

    def behind(self, content: str | None, asked: Asked) -> bool:
        """Whether only what was seen before forbids to show ``content``; ``None`` is that the walk is not there."""
        fitting = [state for state in self._states if fits(state, content) and state.sent_ns <= asked.done_ns]
        return any(self._behind(state, asked) and not self._replaced(state, asked) for state in fitting)

    def locations_right(self, count: int, found: Iterable[State], asked: Asked) -> bool:
        """Whether so many locations may stand in the walk; a walk that was deleted may hold any of them. Some may be
        left out (``count`` is ``NOT_IN_ORDER``) where a write of this side was not acknowledged: those after it go on
        behind its locations, and nothing says whether they are there.
        """
        sent = [state for state in self._states if state.sent_ns <= asked.done_ns]
        if count < 0:
            acknowledged = {state.locations for state in sent if state.acknowledged}
            return any(state.here and state.locations and state.locations not in acknowledged for state in sent)
        if any(not state.contents and state.sent_ns > NEVER for state in sent):
            return True
        due = [state.locations for state in sent if state.acknowledged and state.done_ns <= asked.sent_ns]
        least = max([*due, min((state.locations for state in found), default=0), self._seen_locations])
        right = least <= count <= max(state.locations for state in sent)
        if right:
            self._seen_locations = count
        return right

    @property
    def created_ns(self) -> tuple[int, int]:
        """Between which moments the walk was made on this side; all of time where that is not certain."""
        present = [state for state in self._states if state.contents]
        alone = all(state.here for state in self._states) and len(present) == len(self._states) - 1
        if not present or not alone:
            return NEVER, FOREVER
        first_ns = min(state.sent_ns for state in present)
        return first_ns, min((state.done_ns for state in present if state.acknowledged), default=FOREVER)

    def _replaced(self, state: State, asked: Asked) -> bool:
        return any(
            each is not state and each.acknowledged and state.end_ns <= each.sent_ns and each.done_ns <= asked.sent_ns
            for each in self._states
        )

    def _behind(self, state: State, asked: Asked) -> bool:
        if self._seen is None:
            return False
        before, seen = self._seen
        in_order = before.done_ns <= asked.sent_ns and state.end_ns <= before.sent_ns
        return in_order and not any(each is state for each in seen)


def fits(state: State, content: str | None) -> bool:
    """Whether an answer with ``content`` shows ``state``; ``None`` is that the walk is not there."""
    return not state.contents if content is None else content in state.contents
