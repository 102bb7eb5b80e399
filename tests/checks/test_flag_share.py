"""The observed share of the flag, and its steadiness."""

from __future__ import annotations

import random

import msgspec
import pytest

from harness.model.evidence import FlagRow
from harness.model.scenario import AudiencePlan, PopulationPlan
from harness.rules.flag_log import flag_share

PLAN = PopulationPlan(
    audiences=(AudiencePlan(name="developers", users=5, flag_on=5), AudiencePlan(name="general", users=10, flag_on=3))
)
AUDIENCE = {f"d{n}": "developers" for n in range(5)} | {f"g{n}": "general" for n in range(10)}


def fetches(version: int = 1, at_ns: int = 100) -> list[FlagRow]:
    on = {f"d{n}" for n in range(5)} | {"g0", "g1", "g2"}
    return [
        FlagRow(at_ns=at_ns, user=user, value=user in on, template_version=version, fetched=True) for user in AUDIENCE
    ]


def test_every_user_as_planned_is_exact() -> None:
    found = flag_share(fetches(), PLAN, AUDIENCE, 100)
    assert found.exact
    assert found.share == found.planned_share == 8 / 15
    assert [(a.name, a.users, a.planned_on, a.seen, a.observed_on) for a in found.audiences] == [
        ("developers", 5, 5, 5, 5),
        ("general", 10, 3, 10, 3),
    ]


@pytest.mark.parametrize(("user", "value"), [("d0", False), ("g9", True)])
def test_one_user_too_many_or_too_few_is_seen(user: str, value: bool) -> None:
    rows = [msgspec.structs.replace(row, value=value) if row.user == user else row for row in fetches()]
    found = flag_share(rows, PLAN, AUDIENCE, 100)
    assert not found.exact
    assert found.unsteady == ()
    assert found.share == (9 if value else 7) / 15


def test_a_user_that_is_not_heard_of_is_seen() -> None:
    assert not flag_share(fetches()[1:], PLAN, AUDIENCE, 100).exact
    assert not flag_share([r for r in fetches() if r.user != "g9"], PLAN, AUDIENCE, 100).exact


def test_a_value_that_changes_under_one_version_is_unsteady() -> None:
    flap = FlagRow(at_ns=50, user="g0", value=False, template_version=1, fetched=True)
    found = flag_share([flap, *fetches()], PLAN, AUDIENCE, 100)
    assert found.unsteady == ("g0",) and found.exact
    before = msgspec.structs.replace(flap, template_version=0)
    assert flag_share([before, *fetches()], PLAN, AUDIENCE, 100).unsteady == ()


def test_the_latest_successful_fetch_counts_in_any_order() -> None:
    off = [msgspec.structs.replace(row, value=False) for row in fetches(2, at_ns=200)]
    failed = [msgspec.structs.replace(row, value=True, fetched=False, at_ns=300) for row in fetches(3)]
    rows = [*fetches(), *off, *failed]
    random.Random(1).shuffle(rows)
    assert flag_share(rows, PLAN, AUDIENCE, 199).exact
    assert flag_share(rows, PLAN, AUDIENCE, 400).share == 0


def test_strangers_are_named_and_nobody_is_no_share() -> None:
    stranger = FlagRow(at_ns=1, user="x", value=True, template_version=1, fetched=True)
    found = flag_share([*fetches(), stranger], PLAN, AUDIENCE, 100)
    assert found.unknown == ("x",)
    assert not found.exact
    assert flag_share([], PLAN, AUDIENCE, 100).share is None
    assert flag_share([], PopulationPlan(audiences=()), {}, 100).planned_share == 0
