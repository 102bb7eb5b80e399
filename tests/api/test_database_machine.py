"""The memory port against PostgreSQL: any sequence of calls of the port is answered alike by both.

Only what a server's clock says cannot be alike: when a walk was made and last written. That these times grow, stay and
order the lists in the same way is held instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, multiple, rule, run_state_machine_as_test
from msgspec import UNSET, structs

from api.clock import SystemClock
from api.errors import ApiError
from api.memory import MemoryDatabase
from api.model import CHANGEABLE, Location, NewWalk, User, Walk, WalkChange, WalkPage
from api.ports import Database
from api.postgres import PostgresDatabase
from api.settings import DatabaseSettings
from tests.api.world import new_id, new_user

#: ``hypothesis``: the night draws other sequences.
pytestmark = [pytest.mark.process, pytest.mark.hypothesis]

#: What ``api.decode`` lets through: no U+0000, no lone surrogate, the years 2 to 9998, finite numbers.
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
TIMES = st.datetimes(
    datetime(2, 1, 1),  # noqa: DTZ001 - the zone is drawn
    datetime(9998, 12, 31),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-12))]),
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NOT_NEGATIVE = st.floats(0, allow_infinity=False)
LOCATIONS = st.lists(
    st.builds(
        Location,
        latitude=st.floats(-90, 90),
        longitude=st.floats(-180, 180),
        timestamp=TIMES,
        sequence_number=st.integers(0, 4) | st.just(19_999),
        altitude=st.none() | FLOATS,
        horizontal_accuracy=st.none() | FLOATS,
        vertical_accuracy=st.none() | FLOATS,
        speed=st.none() | FLOATS,
        course=st.none() | FLOATS,
    ),
    max_size=4,
)
GIVEN: dict[str, st.SearchStrategy[Any]] = {
    "title": TEXTS.filter(bool),
    "description": st.none() | TEXTS,
    "start_time": st.none() | TIMES,
    "end_time": st.none() | TIMES,
    "paused_at": st.none() | TIMES,
    "total_distance": NOT_NEGATIVE,
    "total_steps": st.integers(0, 2**31 - 1),
    "polyline_data": st.none() | TEXTS,
    "thumbnail_image_url": st.none() | TEXTS,
    "status": st.sampled_from(["not_started", "in_progress", "paused", "completed"]),
    "total_paused_duration": NOT_NEGATIVE,
    "locations": st.none() | LOCATIONS,
}
CHANGES = st.builds(WalkChange, **{name: st.just(UNSET) | values for name, values in GIVEN.items()})
USERS = st.sampled_from([0, 1, 2])
AGO = datetime(1, 1, 1, tzinfo=UTC)


class Databases(RuleBasedStateMachine):
    """Both, with users of this sequence's own: others' walks lie in the same PostgreSQL."""

    walks = Bundle("walks")

    def __init__(self, runner: asyncio.Runner, real: Database) -> None:
        super().__init__()
        self._runner = runner
        self._both: tuple[Database, Database] = (MemoryDatabase(SystemClock()), real)
        self._users = [User(new_user(), display_name="n", auth_provider="p") for _ in range(3)]
        self._made: dict[str, list[datetime]] = {}
        self._written: dict[str, list[datetime]] = {}
        for user in self._users:
            self._remember(user)

    @rule(target=walks, user=USERS, title=TEXTS.filter(bool), description=st.none() | TEXTS)
    def create(self, user: int, title: str, description: str | None) -> str:
        walk_id = new_id()
        new = NewWalk(title, description)
        self._ask(lambda database: database.create_walk(self._users[user], walk_id, new), writes=True)
        return walk_id

    @rule(target=walks, user=USERS, change=CHANGES)
    def put_new(self, user: int, change: WalkChange) -> Any:
        walk_id = new_id()
        made = self._ask(lambda database: database.put_walk(self._users[user], walk_id, change), writes=True)
        return walk_id if isinstance(made, Walk) else multiple()

    @rule(walk_id=walks, user=USERS, change=CHANGES)
    def put(self, walk_id: str, user: int, change: WalkChange) -> None:
        self._ask(lambda database: database.put_walk(self._users[user], walk_id, change), writes=True)

    @rule(walk_id=consumes(walks), user=USERS)
    def delete(self, walk_id: str, user: int) -> None:
        """Of another's walk too, which stays and is looked at by nobody but its user's lists."""
        if self._ask(lambda database: database.delete_walk(self._users[user], walk_id)):
            self._written.pop(walk_id, None)
            self._made.pop(walk_id, None)

    @rule(walk_id=walks, user=USERS)
    def get(self, walk_id: str, user: int) -> None:
        self._ask(lambda database: database.get_walk(self._users[user], walk_id))

    @rule(walk_id=walks)
    def load(self, walk_id: str) -> None:
        self._ask(lambda database: database.load_walk(walk_id))
        for number, database in enumerate(self._both):
            assert self._runner.run(database.walk_version(walk_id)) == self._written[walk_id][number]

    @rule(user=USERS, page=st.integers(1, 4), limit=st.integers(1, 4))
    def list_walks(self, user: int, page: int, limit: int) -> None:
        self._ask(lambda database: database.list_walks(self._users[user], page, limit))

    @rule()
    def ask_for_what_was_never_there(self) -> None:
        walk_id = new_id()
        self._ask(lambda database: database.load_walk(walk_id))
        self._ask(lambda database: database.walk_version(walk_id))
        self._ask(lambda database: database.delete_walk(self._users[0], walk_id))

    def _remember(self, user: User) -> None:
        self._ask(lambda database: database.remember_user(user))

    def _ask(self, call: Callable[[Any], Awaitable[Any]], *, writes: bool = False) -> Any:
        """The answer of both, without the server's times, which are looked at apart."""
        answers = [self._answer(call, database) for database in self._both]
        memory, real = (_timeless(answer) for answer in answers)
        note(f"{memory}")
        assert memory == real
        for pair in zip(*(_walks_in(answer) for answer in answers), strict=True):
            self._times(pair, writes=writes)
        return answers[0]

    def _answer(self, call: Callable[[Any], Awaitable[Any]], database: Database) -> Any:
        async def ask() -> Any:
            try:
                return await call(database)
            except ApiError as error:
                return type(error), str(error)

        return self._runner.run(ask())

    def _times(self, pair: tuple[Walk, Walk], *, writes: bool) -> None:
        walk_id = pair[0].id
        made, written = [walk.created_at for walk in pair], [walk.updated_at for walk in pair]
        before = self._written.get(walk_id, [AGO, AGO])
        if writes:
            assert all(now > then for now, then in zip(written, before, strict=True)), "not later than before"
            self._written[walk_id] = written
        else:
            assert written == before
        assert self._made.setdefault(walk_id, made) == made


def _walks_in(answer: Any) -> list[Walk]:
    if isinstance(answer, WalkPage):
        return answer.walks
    return [answer] if isinstance(answer, Walk) else []


def _timeless(answer: Any) -> Any:
    """The answer with the times in UTC and without those that the server gives."""
    if isinstance(answer, WalkPage):
        return structs.replace(answer, walks=[_timeless(walk) for walk in answer.walks])
    if isinstance(answer, Walk):
        return structs.replace(answer, created_at=AGO, updated_at=AGO)
    return answer


def test_both_answer_any_sequence_of_calls_alike(migrated: DatabaseSettings) -> None:
    assert {*CHANGEABLE, "locations"} == set(GIVEN)
    with asyncio.Runner() as runner:
        real = PostgresDatabase(migrated, SystemClock())
        runner.run(real.open())
        try:
            run_state_machine_as_test(  # its types want a class, its documentation any factory
                cast(Any, lambda: Databases(runner, real)),
                settings=settings(
                    max_examples=60,
                    stateful_step_count=20,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
                ),
            )
        finally:
            runner.run(real.close())
