"""The checker of histories against a search over all orders, what it counts, and what it tells of a contradiction."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import partial

import msgspec

from harness.checks.histories import (
    FOREVER,
    MOST_PENDING,
    NEVER,
    Call,
    Search,
    Seen,
    WalkObject,
    WalkState,
    WalkWrite,
    contradiction,
)
from harness.load.population.content import Content, fingerprint
from harness.model.shown import NOT_IN_ORDER

END = datetime(2026, 1, 1, tzinfo=UTC)
A, B = (Content(title=title, status="in_progress") for title in "AB")
DONE = Content(title="C", status="completed", end_time=END)
MERGED = msgspec.structs.replace(A, end_time=END)
WALK = WalkObject([10, 20, 30])


def put(begin_ns: int, end_ns: int = FOREVER, content: Content = A, **more: object) -> Call:
    often = bool(more.pop("often", False))
    does = WalkWrite(contents=(content,), **more)  # type: ignore[arg-type]
    return Call(name=content.title, begin_ns=begin_ns, end_ns=end_ns, does=does, often=often)


def get(begin_ns: int, end_ns: int, content: Content | None = A, locations: int | None = None) -> Call:
    seen = Seen(there=False) if content is None else Seen(content=fingerprint(content), locations=locations)
    return Call(name="get", begin_ns=begin_ns, end_ns=end_ns, sees=seen)


# -- the same as a search over all orders -------------------------------------------------------------------------------


def precedes(one: Call, other: Call) -> bool:
    """One that ended before the other began; of two at the same single moment neither."""
    if one.often:
        return False
    return one.end_ns <= other.begin_ns and not (other.end_ns <= one.begin_ns and not other.often)


def explained(walk: WalkObject, calls: Sequence[Call]) -> bool:
    """Whether any order of all that was answered, and of some of the rest, is one that the walk can take."""
    return _any_order(walk, [c for c in calls if not c.often], [c for c in calls if c.often], {walk.first})


def _any_order(walk: WalkObject, left: Sequence[Call], often: Sequence[Call], states: Collection[WalkState]) -> bool:
    certain = [call for call in left if call.end_ns < FOREVER]
    if not certain:
        return True
    states, now = {*states}, [each for each in often if not any(precedes(call, each) for call in certain)]
    while more := {after for each in now for state in states for after in walk.step(state, each)} - states:
        states |= more
    for call in left:
        others = [each for each in left if each is not call]
        after = {each for state in states for each in walk.step(state, call)}
        first = not any(precedes(each, call) for each in others) and call.after not in others
        if first and after and _any_order(walk, others, often, after):
            return True
    return False


def planted(chance: random.Random) -> list[Call]:
    """Up to six calls at few moments, so that many touch and overlap, of few contents, so that many look alike."""
    calls: list[Call] = []
    for _ in range(chance.randint(2, 6)):
        begin_ns = chance.randint(0, 8)
        end_ns = begin_ns + chance.choice([0, 1, 2, 2, 5])
        if chance.random() < 0.5:
            batch = chance.randrange(3)
            replaces = chance.random() < 0.2
            bits = chance.choice([(1 << batch,), (1 << batch, (2 << batch) - 1)])
            does = WalkWrite(contents=chance.choice([(A,), (B,), (DONE,), ()]), brings=bits, replaces=replaces)
            often = chance.random() < 0.15
            pending = often or chance.random() < 0.25
            call = Call(name="put", begin_ns=begin_ns, end_ns=FOREVER if pending else end_ns, does=does, often=often)
            calls += [call] if pending or chance.random() < 0.8 else [
                call, Call(name="put", begin_ns=begin_ns, end_ns=FOREVER, does=does)
            ]  # fmt: skip
        else:
            content = chance.choice([A, B, DONE, MERGED, None])
            read = get(begin_ns, end_ns, content, chance.choice([*[None] * 6, 10, 20, 30, NOT_IN_ORDER]))
            own = [each for each in calls if each.does is not None and each.end_ns < FOREVER]
            if own and content is not None and chance.random() < 0.3:
                write = chance.choice(own)
                read = msgspec.structs.replace(read, begin_ns=write.begin_ns, end_ns=write.end_ns, after=write)
            calls.append(read)
    return sorted(calls[:6], key=lambda call: call.begin_ns)


def test_the_answer_to_10_000_histories_is_that_of_a_search_over_all_orders() -> None:
    chance, right = random.Random(49), 0
    for _ in range(10_000):
        calls = planted(chance)
        search, brute = Search(WALK, calls), explained(WALK, calls)
        assert not search.unproved
        assert (not search.wrong) is brute, [*map(repr, calls)]
        right += brute
    assert 2_000 < right < 8_000, "both answers are common"


def test_of_each_contradiction_the_calls_that_are_told_contradict_and_none_can_go() -> None:
    chance, seen = random.Random(3), 0
    for _ in range(600):
        calls = planted(chance)
        for wrong in Search(WALK, calls).wrong[:1]:
            told, seen = contradiction(WALK, calls, wrong), seen + 1
            assert wrong in told and not explained(WALK, without(calls, told, wrong))
            for one in told:
                if one is not wrong:
                    assert explained(WALK, without(calls, [each for each in told if each is not one], wrong))
    assert seen > 100


def without(calls: Sequence[Call], kept: Sequence[Call], wrong: Call) -> list[Call]:
    """``kept``, and the other writes as they prove nothing."""
    free = partial(msgspec.structs.replace, begin_ns=NEVER, end_ns=FOREVER, often=True)
    others = (call for call in calls if call.does is not None and call not in kept and call.begin_ns <= wrong.end_ns)
    return [*kept, *map(free, others)]


# -- one by one -----------------------------------------------------------------------------------------------------------


def wrong(*calls: Call) -> list[Call]:
    return Search(WALK, calls).wrong


def test_an_acknowledged_write_is_seen_and_one_that_was_seen_stays() -> None:
    old, new = put(0, 1), put(2, 3, B)
    late, back = get(4, 5), get(6, 7)
    assert wrong(old, new, late) == [late]
    assert wrong(old, new, get(2, 5)) == []
    pending = put(2, content=B)
    assert wrong(old, pending, get(4, 5, B), back) == [back]
    assert wrong(old, pending, get(4, 5), back, get(8, 9, B)) == []


def test_a_put_leaves_what_it_does_not_say_and_locations_that_it_does_not_bring() -> None:
    first, second = put(0, 1, DONE, brings=(1,)), put(2, 3, brings=(2,))
    assert wrong(first, second, get(4, 5, MERGED, 20)) == []
    for sees in (get(4, 5, A, 20), get(4, 5, MERGED, 10), get(4, 5, MERGED, NOT_IN_ORDER)):
        assert wrong(first, second, sees) == [sees]
    assert wrong(put(0, 1, brings=(1,)), put(2, 3, B, brings=(4,)), get(4, 5, B, NOT_IN_ORDER)) == []


def test_what_the_other_side_wrote_may_come_at_any_time_and_again() -> None:
    mirrored, own = put(0, often=True, own=False, replaces=True), put(2, 3, B)
    calls = [mirrored, own, get(4, 5, A), get(6, 7, A)]
    search = Search(WALK, calls)
    assert search.wrong == [] and search.other_side == {*calls[2:]}
    gone = get(8, 9, None)
    assert wrong(*calls, gone) == [gone]


def test_a_read_that_would_look_the_same_proves_nothing() -> None:
    same, other = get(4, 5, A), get(9, 10, B)
    search = Search(WALK, [put(0, 1), put(2, 3), same, put(6, 7, B), other])
    assert search.alike == {same} and search.told == {other: 2}


def test_of_more_than_twelve_calls_under_way_nothing_is_known() -> None:
    many = [put(at, content=Content(title=str(at), status="in_progress")) for at in range(MOST_PENDING)]
    read = get(100, 101, None)
    assert Search(WALK, [*many[1:], read]).unproved == []
    assert Search(WALK, [*many, read]).unproved == [read]
    same = put(0)
    alike = [msgspec.structs.replace(same, begin_ns=at) for at in range(3 * MOST_PENDING)]
    assert Search(WALK, [*alike, read]).unproved == [], "those that would do the same count once"


def test_a_list_counts_a_walk_that_may_be_there_or_not() -> None:
    counting = msgspec.structs.replace(get(4, 5), sees=Seen(there=None), counts=True)
    for calls, there in (([put(0, 1)], {True}), ([put(0)], {True, False}), ([put(0, 4)], {True}), ([], {False})):
        assert Search(WALK, [*calls, counting]).present[counting] == there
