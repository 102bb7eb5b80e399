"""The schedule is even, staggered, complete, contract-valid, and the same for the same seed."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice, pairwise, takewhile

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.base.ticks import NS
from harness.load.population.schedule import WALK, PlannedRequest, accounts, due_list, requests_due, schedule, slots
from harness.load.population.walk import NewWalk, Polyline, Status, WalkUpdate, digest, encode
from harness.model.evidence import Due, Operation
from harness.model.scenario import AudiencePlan, LoadStep, PopulationPlan, Scenario
from harness.run.scenarios.load import load
from tests.session.examples import examples

READS = {Operation.LIST_WALKS, Operation.GET_WALK}
ANCHOR = 1_767_225_600 * NS  # 2026-01-01T00:00:00Z


def plan_of(
    *on_of: tuple[int, int], pace_s: float = 50.0, steps: tuple[tuple[float, float], ...] = ()
) -> PopulationPlan:
    audiences = tuple(
        AudiencePlan(name=f"a{index}", users=users, flag_on=on) for index, (on, users) in enumerate(on_of)
    )
    stepped = tuple(LoadStep(at_s=at_s, pace_s=then_s) for at_s, then_s in steps)
    return PopulationPlan(audiences=audiences, pace_s=pace_s, steps=stepped)


WEEK_3 = plan_of((50, 50), (100, 100), (100, 350))


def planned(plan: PopulationPlan, seed: int = 1) -> Iterator[PlannedRequest]:
    return schedule(plan, accounts(plan, seed), seed, ANCHOR)


@lru_cache(maxsize=2)
def begun(plan: PopulationPlan, seed: int) -> tuple[list[PlannedRequest], Iterator[PlannedRequest]]:
    """What is made of an endless schedule, and what goes on with it: several look at stretches of the same."""
    return [], planned(plan, seed)


def until(plan: PopulationPlan, seconds: float, seed: int = 1) -> list[PlannedRequest]:
    made, goes_on = begun(plan, seed)
    while not made or made[-1].due_offset_ns < seconds * NS:
        made.append(next(goes_on))
    return list(takewhile(lambda p: p.due_offset_ns < seconds * NS, made))


def bytes_of(sample: list[PlannedRequest]) -> bytes:
    return b"\n".join(
        f"{p.due_offset_ns} {p.operation_id} {p.operation} {p.walk_id} ".encode() + encode(p.body) for p in sample
    )


populations = st.lists(
    st.integers(1, 40).flatmap(lambda users: st.tuples(st.integers(0, users), st.just(users))), min_size=1, max_size=3
)


@st.composite
def changing(draw: st.DrawFn) -> tuple[tuple[float, float], ...]:
    """Steps in the order of time; where one falls within a pace is left to chance, and a pace may be no whole number."""
    ats = sorted(draw(st.sets(st.integers(1, 900).map(lambda tenths: tenths / 10), max_size=4)))
    return tuple((at_s, draw(st.sampled_from([0.7, 7.3, 25.0, 50.0, 90.0]))) for at_s in ats)


@settings(max_examples=examples(40), deadline=None)
@given(on_of=populations, pace_s=st.sampled_from([1.0, 7.3, 45.0, 50.0]), seed=st.integers(0, 2**31))
def test_each_user_is_strictly_even_and_the_users_evenly_staggered(
    on_of: list[tuple[int, int]], pace_s: float, seed: int
) -> None:
    plan = plan_of(*on_of, pace_s=pace_s)
    sample = list(islice(planned(plan, seed), plan.users * 3))
    dues = [p.due_offset_ns for p in sample]
    assert dues == sorted(dues)
    pace_ns = round(pace_s * NS)
    by_user: dict[str, list[int]] = {}
    for p in sample:
        by_user.setdefault(p.user, []).append(p.due_offset_ns)
    assert len(by_user) == plan.users
    for offsets in by_user.values():
        assert offsets[0] < pace_ns
        assert {later - earlier for earlier, later in pairwise(offsets)} == {pace_ns}
    firsts = sorted(offsets[0] for offsets in by_user.values())
    assert firsts == [index * pace_ns // plan.users for index in range(plan.users)]


@settings(max_examples=examples(40), deadline=None)
@given(on_of=populations, seed=st.integers(0, 2**31), data=st.data())
def test_the_api_is_offered_its_share_in_every_stretch(
    on_of: list[tuple[int, int]], seed: int, data: st.DataObject
) -> None:
    plan = plan_of(*on_of)
    api = {account.user for account in accounts(plan, seed) if account.flag_expected}
    dues = [p.due_offset_ns for p in islice(planned(plan, seed), plan.users * 4) if p.user in api]
    start = data.draw(st.integers(0, round(plan.pace_s * NS)))
    length = data.draw(st.integers(1, 2 * round(plan.pace_s * NS)))
    offered = sum(start <= due < start + length for due in dues)
    assert abs(offered - len(api) * length / NS / plan.pace_s) < 2


@settings(max_examples=examples(60), deadline=None)
@given(on_of=populations, steps=changing(), seed=st.integers(0, 99), data=st.data())
def test_between_two_steps_the_api_is_offered_what_the_pace_says(
    on_of: list[tuple[int, int]], steps: tuple[tuple[float, float], ...], seed: int, data: st.DataObject
) -> None:
    """And a user who was to request when a step came goes on from where it was: never twice, never left out."""
    plan = plan_of(*on_of, steps=steps)
    api = sum(account.flag_expected for account in accounts(plan, seed))
    due = requests_due(plan, seed, 0, 120 * NS)
    to_api = {account.user for account in accounts(plan, seed) if account.flag_expected}
    for stretch, end_s in zip(plan.stretches, [*(at_s for at_s, _ in steps), 120.0], strict=True):
        first, last = sorted(data.draw(st.floats(stretch.at_s, end_s)) for _ in range(2))
        offered = sum(each.user in to_api and first * NS <= each.due_ns < last * NS for each in due)
        assert abs(offered - api * (last - first) / stretch.pace_s) < 2
    for user in to_api:
        mine = [each.due_ns for each in due if each.user == user]
        assert all(later > earlier for earlier, later in pairwise(mine))
        assert abs(len(mine) - plan.requests_in(120)) < 1


def test_a_step_halves_what_is_left_of_a_pace() -> None:
    """Two users, one request in 10 s each; at 12 s the first has gone through a fifth of its pace, the other 7 tenths."""
    due = requests_due(plan_of((2, 2), pace_s=10.0, steps=((12.0, 5.0), (20.0, 40.0))), 1, 0, 60 * NS)
    assert [round(each.due_ns / NS, 9) for each in due] == [0, 5, 10, 13.5, 16, 18.5, 28, 48]


@settings(max_examples=examples(30), deadline=None)
@given(on_of=populations, steps=changing(), stretch_ns=st.integers(0, 120 * NS), seed=st.integers(0, 99))
def test_what_is_due_is_known_beforehand(
    on_of: list[tuple[int, int]], steps: tuple[tuple[float, float], ...], stretch_ns: int, seed: int
) -> None:
    plan = plan_of(*on_of, steps=steps)
    due = [
        Due(id=p.operation_id, user=p.user, due_ns=ANCHOR + p.due_offset_ns, operation=p.operation)
        for p in takewhile(lambda p: p.due_offset_ns < stretch_ns, planned(plan, seed))
    ]
    assert list(requests_due(plan, seed, ANCHOR, ANCHOR + stretch_ns)) == due
    scenario = Scenario(name="s", title="s", claims=(), population=plan, criteria=(), window_s=stretch_ns / NS)
    to_api = {account.user for account in accounts(plan, seed) if account.flag_expected}
    listed = due_list(scenario, seed, ANCHOR, ANCHOR + stretch_ns)
    assert list(listed.requests) == [each for each in due if each.user in to_api]
    assert len(listed.probes) == math.ceil(stretch_ns * 10 / NS)  # ten a second


@settings(max_examples=examples(30), deadline=None)
@given(on_of=populations, steps=changing(), seed=st.integers(0, 99), tenths=st.integers(1, 10))
def test_who_reads_again_asks_within_a_second_of_the_write(
    on_of: list[tuple[int, int]], steps: tuple[tuple[float, float], ...], seed: int, tenths: int
) -> None:
    plan = msgspec.structs.replace(plan_of(*on_of, steps=steps), read_again=tenths / 10)
    everybody = accounts(plan, seed)
    mine: dict[str, list[PlannedRequest]] = {account.user: [] for account in everybody}
    for each in islice(planned(plan, seed), 40 * plan.users):
        mine[each.user].append(each)
    again = {user for user, slot in slots(plan, everybody, seed).items() if slot.partner is not None}
    for user, own in mine.items():
        assert [each.number for each in own] == list(range(len(own)))
        for earlier, later in pairwise(own):
            apart_ns = later.due_offset_ns - earlier.due_offset_ns
            assert apart_ns > 0
            if user in again and earlier.operation is Operation.PUT_WALK and later.operation in READS:
                assert apart_ns <= NS
    for side in (True, False):
        users = {account.user for account in everybody if account.flag_expected is side}
        assert len(again & users) == pytest.approx(len(users) * tenths / 10, abs=1)


@pytest.mark.parametrize(("week", "reading"), [(1, 4), (2, 16), (3, 24), (4, 50)])
def test_in_the_bundled_weeks_a_tenth_reads_again_and_the_moments_are_those_of_an_even_schedule(
    week: int, reading: int
) -> None:
    scenario = load(f"rollout_week{week}")
    even = msgspec.structs.replace(scenario.population, read_again=0.0)
    for seed in (1, 7):
        due = due_list(scenario, seed, 0, 1000 * NS).requests
        others = due_list(msgspec.structs.replace(scenario, population=even), seed, 0, 1000 * NS).requests
        assert [each.due_ns for each in due] == [each.due_ns for each in others]
        before: dict[str, Due] = {}
        again: Counter[str] = Counter()
        for each in due:
            again[each.user] += each.user in before and each.due_ns - before[each.user].due_ns <= NS
            before[each.user] = each
        assert [count for count in again.values() if count] == pytest.approx([6] * reading, abs=2), "in a cycle"


def test_week_2_offers_400_in_its_window() -> None:
    plan = plan_of((50, 50), (100, 100), (0, 350), pace_s=45.0)
    api = {account.user for account in accounts(plan, 1) if account.flag_expected}
    for start_s in (0, 10, 33.3):
        window = [p for p in until(plan, 160) if p.user in api and start_s <= p.due_offset_ns / NS < start_s + 120]
        assert abs(len(window) - 400) <= 1  # 3.33/s: the edges of the window cut a stretch of one request


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("side", [True, False])
@pytest.mark.parametrize("start_s", [0, 17, 90])
def test_any_two_minutes_see_every_operation(seed: int, side: bool, start_s: int) -> None:
    users = {account.user for account in accounts(WEEK_3, seed) if account.flag_expected is side}
    seen = Counter(
        p.operation for p in until(WEEK_3, start_s + 120, seed) if p.user in users and p.due_offset_ns >= start_s * NS
    )
    assert set(seen) == set(Operation)
    common = [operation for operation, _ in seen.most_common()]
    assert common[0] is Operation.PUT_WALK
    assert common[1] is Operation.LIST_WALKS
    assert abs(seen.total() - 600) <= 1


def test_the_mix_is_put_then_list_get_create_delete() -> None:
    mix = Counter(operation for operation, _ in WALK)
    assert [mix[o] for o in (Operation.PUT_WALK, Operation.LIST_WALKS, Operation.GET_WALK)] == [12, 4, 2]
    assert mix[Operation.CREATE_WALK] == mix[Operation.DELETE_WALK] == 1


def test_reads_and_deletes_mean_walks_the_user_has_put_and_not_deleted() -> None:
    alive: dict[str, set[str]] = {}
    deleted = 0
    for p in until(plan_of((50, 100)), 1500):
        mine = alive.setdefault(p.user, set())
        if p.operation is Operation.PUT_WALK:
            mine.add(p.walk_id)
        elif p.operation is Operation.GET_WALK:
            assert p.walk_id in mine
        elif p.operation is Operation.DELETE_WALK:
            mine.remove(p.walk_id)
            deleted += 1
    assert deleted > 100
    every_walk = [walk for walks in alive.values() for walk in walks]
    assert len(every_walk) == len(set(every_walk))


def test_bodies_keep_the_contract_and_continue_the_sequence() -> None:
    last: dict[str, int] = {}
    sizes: set[int] = set()
    completed = 0
    for p in until(plan_of((50, 100)), 1500):
        if isinstance(p.body, NewWalk):
            assert p.operation is Operation.CREATE_WALK
            assert 1 <= len(p.body.title) <= 255
            assert set(msgspec.json.decode(encode(p.body))) == {"title", "description"}
        if not isinstance(p.body, WalkUpdate):
            continue
        assert p.operation is Operation.PUT_WALK
        now_ns = ANCHOR + p.due_offset_ns
        sizes.add(len(p.body.locations))
        completed += p.body.status is Status.COMPLETED
        assert (p.body.end_time is None) == (p.body.status is not Status.COMPLETED)
        assert p.body.start_time.timestamp() * NS < now_ns
        for location in p.body.locations:
            assert location.sequence_number == last.get(p.walk_id, -1) + 1
            last[p.walk_id] = location.sequence_number
            assert -90 <= location.latitude <= 90
            assert -180 <= location.longitude <= 180
            assert p.body.start_time <= location.timestamp
            assert location.timestamp.timestamp() * NS <= now_ns + 1000
    assert sizes == set(range(1, 61))
    assert completed > 100


def test_a_walk_grows() -> None:
    seen: dict[str, tuple[float, int, str]] = {}
    for p in until(plan_of((20, 20)), 900):
        if isinstance(p.body, WalkUpdate):
            before = seen.get(p.walk_id, (0.0, 0, ""))
            assert p.body.total_distance >= before[0]
            assert p.body.total_steps >= before[1]
            assert p.body.polyline_data.startswith(before[2])
            seen[p.walk_id] = (p.body.total_distance, p.body.total_steps, p.body.polyline_data)


def test_walks_begin_mid_way() -> None:
    ages = {
        round((ANCHOR + p.due_offset_ns) / NS - p.body.start_time.timestamp())
        for p in until(WEEK_3, 50)
        if isinstance(p.body, WalkUpdate)
    }
    assert len(ages) > 12
    assert max(ages) >= 900
    places = slots(WEEK_3, accounts(WEEK_3, 1), 1)
    assert Counter(slot.position for slot in places.values()) == {
        position: pytest.approx(25, abs=2) for position in range(20)
    }


def test_the_polyline_is_googles() -> None:
    polyline = Polyline()
    # The worked example of Google's "Encoded Polyline Algorithm Format".
    for latitude, longitude in ((3850000, -12020000), (4070000, -12095000), (4325200, -12645300)):
        polyline.add(latitude, longitude)
    assert polyline.text() == "_p~iF~ps|U_ulLnnqC_mqNvxq`@"


def test_the_sequence_is_the_same_for_the_same_seed_on_every_machine() -> None:
    sample = bytes_of(list(islice(planned(plan_of((3, 5), (0, 4)), seed=42), 200)))
    assert sample == bytes_of(list(islice(planned(plan_of((3, 5), (0, 4)), seed=42), 200)))
    assert hashlib.sha256(sample).hexdigest() == "8606b15b4aa00ffb07c43ad1cdb5526a6fa7e36985c453b5fb30b5021902ce17"
    assert bytes_of(list(islice(planned(plan_of((3, 5), (0, 4)), seed=43), 200))) != sample


def test_the_digest_is_of_the_bytes_sent() -> None:
    for p in islice(planned(WEEK_3), 200):
        expected = hashlib.sha256(encode(p.body)).hexdigest() if p.body else ""
        assert digest(p.body) == expected
