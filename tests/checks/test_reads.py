"""Answers are judged against what was acknowledged: an honest store passes, each planted old answer is found."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.checks.read_facts import reads_result, timeline
from harness.checks.reads import ReadFlaw, Reads
from harness.load.population.schedule import PlannedRequest
from harness.model.evidence import WRITES, Operation, RequestRow, Side
from harness.model.judgement import Verdict
from harness.model.shown import NOT_IN_ORDER, Shown, parse, text
from tests.checks.reading import PLANS, Store, answered, honest, id_on, judged, recorded, unanswered
from tests.checks.sending import USERS
from tests.session.examples import examples

NAMES = [account.user for account in USERS]
planned = PLANS.schedule
USER = NAMES[1]
PLANNED = planned(USER, 60)
ROWS = honest(PLANNED, Store())
LISTS = [index for index, each in enumerate(PLANNED) if each.operation is Operation.LIST_WALKS]
GETS = [index for index, each in enumerate(PLANNED) if each.operation is Operation.GET_WALK]
DELETE = next(index for index, each in enumerate(PLANNED) if each.operation is Operation.DELETE_WALK)


def with_row(index: int, change: Callable[[RequestRow], RequestRow], rows: list[RequestRow] = ROWS) -> list[RequestRow]:
    return [change(row) if at == index else row for at, row in enumerate(rows)]


def as_after(count: int) -> Store:
    """The store as it was after the first ``count`` requests."""
    store = Store()
    honest(PLANNED[:count], store)
    return store


def old(index: int, count: int, rows: list[RequestRow] = ROWS) -> list[RequestRow]:
    """The answer of request ``index`` as it would have been after ``count`` requests."""
    each = PLANNED[index]
    return with_row(index, lambda row: answered(each, as_after(count)), rows)


def shows(index: int, change: Callable[[Shown], Shown]) -> list[RequestRow]:
    def changed(row: RequestRow) -> RequestRow:
        shown = parse(row.shown)
        assert shown is not None
        return msgspec.structs.replace(row, shown=text(change(shown)))

    return with_row(index, changed)


def flaws(rows: list[RequestRow]) -> list[tuple[str, ReadFlaw]]:
    return [(wrong.read.split()[0], wrong.flaw) for wrong in judged(rows).wrong]


def name(index: int) -> str:
    return PLANNED[index].operation_id


def write_before(index: int) -> int:
    return max(at for at in range(index) if PLANNED[at].operation in WRITES)


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("user", NAMES)
def test_an_honest_store_is_right_on_either_side(side: Side, user: str) -> None:
    found = judged(honest(planned(user, 60), Store(), side))
    assert (found.wrong, found.unread, found.unmatched, found.from_other_side) == ([], 0, [], 0)
    assert (found.lists, found.walks) == (12, 6)
    assert found.bound in ({17, 18} if side is Side.API else {0})  # the first list of a user may come before all writes


@pytest.mark.parametrize("index", [*LISTS[2:], *GETS])
def test_an_answer_as_before_the_last_write_is_found(index: int) -> None:
    found = flaws(old(index, write_before(index)))
    assert [read for read, _ in found] == [name(index)]
    assert found[0][1] in {ReadFlaw.OLD, ReadFlaw.MISSING, ReadFlaw.RETURNED}


def test_a_walk_that_is_not_found_is_found() -> None:
    rows = with_row(GETS[0], lambda row: msgspec.structs.replace(row, status=404, shown=""))
    assert flaws(rows) == [(name(GETS[0]), ReadFlaw.MISSING)]


def test_a_deleted_walk_that_returns_is_found() -> None:
    index = next(at for at in LISTS if at > DELETE)
    assert flaws(old(index, DELETE)) == [(name(index), ReadFlaw.RETURNED)]


def test_a_lost_update_is_found_by_every_answer_after_it() -> None:
    """The PUT is acknowledged and does nothing."""
    index = write_before(GETS[1])
    store, rows = Store(), []
    for at, each in enumerate(PLANNED[: GETS[1] + 1]):
        if each.operation in WRITES and at != index:
            store.apply(each, id_on(Side.API, each), recorded(PLANNED, each))
        rows.append(answered(each, store))
    assert flaws(rows)[0] == (name(index), ReadFlaw.OLD)  # its own answer shows the walk without it
    assert (name(GETS[1]), ReadFlaw.OLD) in flaws(rows)


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        (lambda shown: Shown(shown.walks[::-1], shown.total), ReadFlaw.ORDER),
        (lambda shown: Shown(shown.walks[1:], shown.total), ReadFlaw.MISSING),
        (lambda shown: Shown((), 0), ReadFlaw.MISSING),
        (lambda shown: Shown((shown.walks[0], *shown.walks), shown.total), ReadFlaw.TWICE),
        (lambda shown: Shown(shown.walks, shown.total - 1), ReadFlaw.COUNT),
        (lambda shown: Shown(shown.walks, shown.total + 1), ReadFlaw.COUNT),
        (lambda shown: Shown((msgspec.structs.replace(shown.walks[0], content="0" * 12),), 1), ReadFlaw.STRANGE),
        (lambda shown: Shown((msgspec.structs.replace(shown.walks[0], content=""),), 1), ReadFlaw.STRANGE),
        (
            lambda shown: Shown((msgspec.structs.replace(shown.walks[0], id="another"), *shown.walks), 9),
            ReadFlaw.STRANGE,
        ),
    ],
)
def test_a_list_that_is_wrong_is_found(change: Callable[[Shown], Shown], flaw: ReadFlaw) -> None:
    assert flaws(shows(LISTS[-1], change)) == [(name(LISTS[-1]), flaw)]


@pytest.mark.parametrize("count", [0, 1, NOT_IN_ORDER, 100_000])
def test_locations_that_are_left_out_are_found(count: int) -> None:
    def change(shown: Shown) -> Shown:
        return Shown((msgspec.structs.replace(shown.walks[0], locations=count),))

    assert flaws(shows(GETS[-1], change)) == [(name(GETS[-1]), ReadFlaw.LOCATIONS)]


def test_a_list_may_leave_out_the_oldest_walks_when_it_is_full_and_no_others() -> None:
    many = planned(USER, 200)
    rows = honest(many, Store())
    found = judged(rows)
    assert found.wrong == []
    last = next(at for at in reversed(range(200)) if many[at].operation is Operation.LIST_WALKS)
    shown = parse(rows[last].shown)
    assert shown is not None and shown.total is not None
    assert len(shown.walks) == 20 < shown.total
    store = Store()
    honest(many[: last + 1], store)
    newest = sorted(store.walks, key=lambda each: -store.walks[each].made)
    del store.walks[newest[0]]
    rows[last] = answered(many[last], store)
    assert flaws(rows) == [(many[last].operation_id, ReadFlaw.MISSING)]


# -- writes without an acknowledgement -----------------------------------------------------------------------------


#: Of USER's schedule, one walk: PUT, PUT, GET, PUT, list; the side walk's DELETE; and the lists after it.
FIRST, SECOND, GET, THIRD, LIST = 12, 14, 15, 16, 17
AFTER = [at for at in LISTS if at > DELETE]


def with_walk(index: int, walk: int, count: int, rows: list[RequestRow] = ROWS) -> list[RequestRow]:
    """The answer ``index`` with the walk of request ``walk`` as it was after ``count`` requests, all else as it is."""
    store, walk_id = as_after(index), id_on(Side.API, PLANNED[walk])
    before = as_after(count).walks.get(walk_id)
    if before is None:
        store.walks.pop(walk_id, None)
    else:
        store.walks[walk_id] = before
    return with_row(index, lambda _: answered(PLANNED[index], store), rows)


def unanswered_at(*numbers: int) -> list[RequestRow]:
    return [unanswered(row) if at in numbers else row for at, row in enumerate(ROWS)]


def test_the_schedule_is_as_these_tests_take_it() -> None:
    kinds = [PLANNED[at].operation for at in (FIRST, SECOND, GET, THIRD, LIST)]
    put = Operation.PUT_WALK
    assert kinds == [put, put, Operation.GET_WALK, put, Operation.LIST_WALKS]
    assert len({PLANNED[at].walk_id for at in (FIRST, SECOND, GET, THIRD)}) == 1


def test_a_write_without_an_acknowledgement_may_be_shown_or_not() -> None:
    rows = unanswered_at(THIRD)
    assert flaws(rows) == []
    assert flaws(with_walk(LIST, THIRD, THIRD, rows)) == []
    assert flaws(with_walk(LIST, THIRD, SECOND, rows)) == [
        (name(LIST), ReadFlaw.OLD)
    ]  # that before it was acknowledged


def test_locations_of_a_write_without_an_acknowledgement_may_be_left_out_amid_the_others() -> None:
    """Refused on a crowded target: the phone in steps does not send it again, and the next PUT goes on behind it."""

    def left_out(rows: list[RequestRow]) -> list[RequestRow]:
        def change(row: RequestRow) -> RequestRow:
            shown = parse(row.shown)
            assert shown is not None and shown.walks[0].locations
            walk = msgspec.structs.replace(shown.walks[0], locations=NOT_IN_ORDER)
            return msgspec.structs.replace(row, shown=text(Shown((walk,))))

        return with_row(GET, change, rows)

    hidden = with_walk(FIRST + 1, FIRST, FIRST, unanswered_at(FIRST))
    assert flaws(left_out(hidden)) == []
    assert flaws(left_out(unanswered_at(FIRST))) == [(name(GET), ReadFlaw.LOCATIONS)]  # a list has shown it since
    assert flaws(left_out(ROWS)) == [(name(GET), ReadFlaw.LOCATIONS)]
    later, other = unanswered_at(THIRD), unanswered_at(DELETE)  # after the GET, and of another walk
    assert flaws(left_out(later)) == flaws(left_out(other)) == [(name(GET), ReadFlaw.LOCATIONS)]
    sent_twice = with_row(FIRST, lambda row: msgspec.structs.replace(row, retried=True))
    assert flaws(left_out(sent_twice)) == [(name(GET), ReadFlaw.LOCATIONS)]  # the second was acknowledged


def test_one_that_was_shown_stays() -> None:
    rows = unanswered_at(SECOND, THIRD)  # the GET between shows the second
    assert flaws(rows) == []
    assert flaws(with_walk(LIST, THIRD, THIRD, rows)) == []
    assert flaws(with_walk(LIST, THIRD, SECOND, rows)) == [(name(LIST), ReadFlaw.BACK)]
    assert flaws(with_walk(LIST, THIRD, 0, rows)) == [(name(LIST), ReadFlaw.MISSING)]


def test_one_that_was_shown_and_replaced_does_not_come_back_unless_it_was_sent_twice() -> None:
    back = with_walk(LIST, THIRD, THIRD, unanswered_at(SECOND))
    assert flaws(back) == [(name(LIST), ReadFlaw.OLD)]
    assert flaws(with_row(SECOND, lambda row: msgspec.structs.replace(row, retried=True), back)) == []


def test_one_that_was_not_shown_may_come_late() -> None:
    rows = unanswered_at(FIRST)
    assert flaws(with_walk(LIST, THIRD, SECOND, rows)) == [(name(LIST), ReadFlaw.OLD)]  # the list after it showed it
    hidden = with_walk(FIRST + 1, FIRST, FIRST, rows)
    assert flaws(with_walk(LIST, THIRD, SECOND, hidden)) == []


def test_a_write_sent_twice_may_come_late_a_second_time() -> None:
    back = with_walk(LIST, THIRD, THIRD)
    assert flaws(back) == [(name(LIST), ReadFlaw.OLD)]
    assert flaws(with_row(SECOND, lambda row: msgspec.structs.replace(row, retried=True), back)) == []


def test_a_delete_without_an_acknowledgement_may_come_late_and_then_stays() -> None:
    rows = unanswered_at(DELETE)
    first, second, third = AFTER[:3]
    assert flaws(rows) == []
    assert flaws(with_walk(first, DELETE, DELETE, rows)) == []  # not yet
    assert flaws(with_walk(third, DELETE, DELETE, rows)) == [(name(third), ReadFlaw.BACK)]
    assert flaws(with_walk(second, DELETE, DELETE, ROWS)) == [(name(second), ReadFlaw.RETURNED)]


def test_a_create_without_an_acknowledgement_is_known_by_its_content_and_made_once() -> None:
    create = next(at for at, each in enumerate(PLANNED) if each.operation is Operation.CREATE_WALK)
    rows = unanswered_at(create)
    assert flaws(rows) == []
    index = next(at for at in LISTS if at > create)
    assert flaws(with_walk(index, create, 0, rows)) == []  # not yet
    later = next(at for at in LISTS if at > index)
    assert flaws(with_walk(later, create, 0, rows)) == [(name(later), ReadFlaw.BACK)]

    def doubled(row: RequestRow) -> RequestRow:
        shown = parse(row.shown)
        assert shown is not None and shown.total is not None
        made = next(walk for walk in shown.walks if walk.id == id_on(Side.API, PLANNED[create]))
        again = msgspec.structs.replace(made, id="00000000-0000-4000-8000-999999999999")
        return msgspec.structs.replace(row, shown=text(Shown((*shown.walks, again), shown.total)))

    assert flaws(with_row(index, doubled, rows)) == [(name(index), ReadFlaw.STRANGE)]


# -- sides ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mirrored", [False, True])
def test_after_a_change_of_sides_the_other_sides_writes_may_be_shown_or_not(mirrored: bool) -> None:
    """Flag off: Firestore holds what the mirror brought by then, or nothing; then what the app writes."""
    flip = next(at for at in LISTS if at > DELETE)
    store = as_after(flip if mirrored else 0)
    found = judged([*ROWS[:flip], *honest(PLANNED[flip:], store, Side.FIRESTORE)])
    assert found.wrong == []
    assert bool(found.from_other_side) == mirrored


def put_before(index: int) -> int:
    """The last PUT before ``index`` of the walk that it asks for."""
    return max(
        at
        for at in range(index)
        if PLANNED[at].operation is Operation.PUT_WALK and PLANNED[at].walk_id == PLANNED[index].walk_id
    )


def test_after_a_change_of_sides_the_sides_own_writes_must_be_shown() -> None:
    index = GETS[-1]
    flip = put_before(index)
    moved = honest(PLANNED[flip:], as_after(flip), Side.FIRESTORE)
    assert flaws([*ROWS[:flip], *moved]) == []
    stale = answered(PLANNED[index], Store(), Side.FIRESTORE)
    moved[index - flip] = stale
    assert (name(index), ReadFlaw.MISSING) in flaws([*ROWS[:flip], *moved])


def test_a_mirror_that_comes_late_may_overwrite_what_the_app_wrote_to_firestore() -> None:
    """The API's write was queued when the flag went off; the whole document is replaced by it."""
    index = GETS[-1]
    flip = put_before(index)
    moved = honest(PLANNED[flip:], as_after(flip), Side.FIRESTORE)
    moved[index - flip] = answered(PLANNED[index], as_after(flip), Side.FIRESTORE)
    assert flaws([*ROWS[:flip], *moved][: index + 1]) == []


# -- evidence that is lost, doubled or not to be read ----------------------------------------------------------------


@given(st.data())
@settings(max_examples=examples(60), deadline=None)
def test_lost_doubled_and_disordered_rows_never_make_an_answer_wrong(data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.booleans(), min_size=len(ROWS), max_size=len(ROWS)))
    rows = [row for row, keep in zip(ROWS, kept, strict=True) if keep]
    rows += data.draw(st.lists(st.sampled_from(rows), max_size=5)) if rows else []
    random.Random(data.draw(st.integers(0, 99))).shuffle(rows)
    found = judged(rows)
    assert found.wrong == []
    last = max((at for at, keep in enumerate(kept) if keep), default=-1)
    assert found.missing == kept[: last + 1].count(False)
    assert not found.missing or reads_result(found).verdict is Verdict.INCONCLUSIVE


def test_a_walk_that_was_sent_once_more_stands_for_no_request_whose_row_is_lost() -> None:
    """The request went to the API, whose answers show it; long after them its walk went to Firestore as well."""
    late_ns = ROWS[-1].done_ns + 1
    again = msgspec.structs.replace(
        answered(PLANNED[THIRD], Store(), Side.FIRESTORE), operation_id=f"{name(THIRD)}-again-00099", due_ns=late_ns,
        sent_ns=late_ns, done_ns=late_ns,
    )  # fmt: skip
    found = judged([*(row for row in ROWS if row.operation_id != name(THIRD)), again])
    assert (found.wrong, found.missing) == ([], 1)


@pytest.mark.parametrize("kept", ["", "[[", "null"])
def test_a_row_that_does_not_tell_what_was_shown_leaves_it_inconclusive(kept: str) -> None:
    found = judged(with_row(GETS[0], lambda row: msgspec.structs.replace(row, shown=kept)))
    assert (found.unread, found.wrong) == (1, [])
    assert reads_result(found).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    "change",
    [{"payload_digest": "0" * 64}, {"operation": Operation.LIST_WALKS}, {"user": "u9999"}, {"operation_id": "none"}],
)
def test_requests_that_do_not_fit_the_schedule_leave_it_inconclusive(change: dict[str, str]) -> None:
    found = judged(with_row(GETS[0] - 1, lambda row: msgspec.structs.replace(row, **change)))
    assert len(found.unmatched) == 1
    assert reads_result(found).verdict is Verdict.INCONCLUSIVE


def test_the_verdict() -> None:
    good = reads_result(judged(ROWS))
    assert (good.verdict, good.value, good.gates) == (Verdict.PASS, 0.0, True)
    assert good.samples == judged(ROWS).judged
    bad = reads_result(judged(old(GETS[0], write_before(GETS[0]))))
    assert (bad.verdict, bad.value) == (Verdict.FAIL, 1.0)
    assert name(GETS[0]) in bad.reason
    assert good.claims == bad.claims == ("api.version",), "an answer does not say where it came from"
    assert (
        reads_result(judged(honest(PLANNED, Store(), Side.FIRESTORE))).verdict is Verdict.INCONCLUSIVE
    )  # nothing was asked of the API
    assert reads_result(Reads()).verdict is Verdict.INCONCLUSIVE


def test_the_examples_begin_with_one_of_each_flaw() -> None:
    rows = ROWS
    for index in LISTS[-4:]:
        rows = old(index, 0, rows)
    rows = old(GETS[1], write_before(GETS[1]), rows)
    found = judged(rows)
    assert {wrong.flaw for wrong in found.examples[:2]} == {ReadFlaw.OLD, ReadFlaw.MISSING}
    assert sorted(map(str, found.examples)) == sorted(map(str, found.wrong))


# -- a small model ----------------------------------------------------------------------------------------------------


@given(st.sampled_from(NAMES), st.sets(st.integers(0, 59)), st.data())
@settings(max_examples=examples(100), deadline=None)
def test_a_store_that_linearises_is_never_wrong(user: str, lost: set[int], data: st.DataObject) -> None:
    """Writes without an answer take effect at once, late, or never; what is shown is always the store as it is."""
    plan, store, rows = planned(user, 60), Store(), []
    waiting: list[PlannedRequest] = []
    for each in plan:
        while data.draw(st.booleans()) and waiting:
            late = waiting.pop(data.draw(st.integers(0, len(waiting) - 1)))
            store.apply(late, id_on(Side.API, late), recorded(plan, late))
        fails = each.number in lost
        if each.operation in WRITES and not fails:
            store.apply(each, id_on(Side.API, each), recorded(plan, each))
        elif each.operation in WRITES:
            waiting.append(each)
        row = answered(each, store)
        rows.append(unanswered(row) if fails else row)
    assert [str(wrong) for wrong in judged(rows).wrong] == []


@given(st.sampled_from(NAMES), st.data())
@settings(max_examples=examples(100), deadline=None)
def test_a_store_that_answers_once_as_before_an_acknowledged_write_is_always_found(
    user: str, data: st.DataObject
) -> None:
    plan = planned(user, 60)
    rows = honest(plan, Store())
    reading = [at for at, each in enumerate(plan) if each.operation not in WRITES]
    index = data.draw(st.sampled_from(reading))
    count = data.draw(st.integers(0, index))
    before = Store()
    honest(plan[:count], before)
    stale = answered(plan[index], before)
    rows[index], right = stale, rows[index]
    found = [wrong.read.split()[0] for wrong in judged(rows).wrong]
    assert found == ([plan[index].operation_id] if stale != right else [])


def test_updates_that_are_applied_a_second_late_are_found_by_a_read_within_it_and_told_as_few_calls() -> None:
    """At one ``updated_at`` for all, canaries tell nothing (``test_probe_reads``): the content does."""
    index, half_s = GETS[0], 500_000_000
    put = write_before(index)

    def again(row: RequestRow) -> RequestRow:
        at_ns = ROWS[put].done_ns + half_s
        return msgspec.structs.replace(row, sent_ns=at_ns, done_ns=at_ns + 1)

    right = judged(with_row(index, again))
    assert (right.wrong, right.soon) == ([], 1)
    found = judged(with_row(index, again, old(index, put)))
    [wrong] = found.wrong
    assert wrong.flaw is ReadFlaw.OLD and "0.000 s to " in str(wrong.story[0])
    assert [str(call.values["call"]).split()[0] for call in wrong.story] == [name(put), name(index)]
    bad = reads_result(found)
    [table] = timeline([bad])
    assert bad.verdict is Verdict.FAIL and len(table.rows) == len(wrong.story) == 2
