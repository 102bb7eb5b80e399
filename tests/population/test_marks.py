"""Whose data a text tells of: by an owner, a name, a mark; and what only looks like it."""

from __future__ import annotations

import json

import pytest

from harness.load.population.schedule import Population, accounts, mark, schedule, unmarked
from harness.load.population.walk import NewWalk, WalkUpdate
from harness.model.scenario import AudiencePlan, PopulationPlan

SEED, USERS = 7, 300
PEOPLE = Population(SEED, USERS)
OTHER = mark(SEED, "u0002")


@pytest.mark.parametrize(
    "text",
    [
        '{"user_id": "u0002"}',
        '{"data": [{"user_id" : "somebody of another name"}]}',
        '{"walks": [{"user_id": "u0001"}, {"user_id": "u0300"}]}',
        "no walk of u0002",
        "x-user: u0002@rehearsal.invalid",
        "/users/u0002/photos",
        "https://storage/o/walks%2Fu0002%2F1.jpg?alt=media",
        "uid_u0002",
        "u0002さんの散歩です",
        "他人u0002",
        "Walk of canary01",
        f"Walk 1 {OTHER}",
        f"{mark(SEED, 'u0001')} {OTHER}",
        json.dumps("<u0002>").replace("<", "\\u003c"),
        json.dumps("\nu0002"),
        json.dumps(json.dumps({"user_id": "somebody"})),
    ],
)
def test_it_tells_of_another(text: str) -> None:
    for around in ("", " " * 5_000):
        assert PEOPLE.of_another(f"{around}{text}{around}".encode(), "u0001")


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"user_id": "u0001", "title": "Walk u0001/3"}',
        '{"user_id": "", "user_id": null}',
        f"Walk u0001/3 {mark(SEED, 'u0001')}",
        "u0301 u0000 u2204 u002 u00021 au0002 u0002a xu00020 canary1",
        mark(SEED + 1, "u0002"),  # of a population before
        json.dumps("散\u0002歩 \u1234"),  # what JSON escapes by four digits
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ],
)
def test_it_does_not(text: str) -> None:
    assert PEOPLE.of_another(text.encode(), "u0001") == b""


def test_an_excerpt_shows_where() -> None:
    assert b"u0002" in PEOPLE.of_another(b"x" * 1_000 + b" u0002 " + b"x" * 1_000, "u0001")


def test_every_title_and_description_carries_its_users_mark_alone_and_keeps_the_contract() -> None:
    plan = PopulationPlan(audiences=(AudiencePlan(name="all", users=USERS, flag_on=USERS),), pace_s=10.0)
    planned = schedule(plan, accounts(plan, SEED), SEED, 0)
    found = set[str]()
    for each in (next(planned) for _ in range(20 * USERS)):
        if not isinstance(each.body, NewWalk | WalkUpdate):
            continue
        texts = [each.body.title, *([each.body.description] if isinstance(each.body, NewWalk) else [])]
        for text in texts:
            assert text.endswith(f" {mark(SEED, each.user)}") and len(text) <= 255
            assert not PEOPLE.of_another(text.encode(), each.user)
        assert mark(SEED, each.user) not in str(unmarked(each.body))
        found.add(mark(SEED, each.user))
    assert len(found) == USERS
