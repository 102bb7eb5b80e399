"""Quotas are exact for any percentage, and sticky."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.load.population.schedule import Account, accounts, canaries
from harness.model.flag import FLAG, MICRO_PERCENT, FlagClient, FlagCondition, evaluate, holds, micro_percentile
from harness.model.rollout import rollout_template
from harness.model.scenario import AudiencePlan, PopulationPlan, ProbePlan

sizes = st.integers(min_value=1, max_value=120)


def plan_of(*audiences: tuple[str, int, int]) -> PopulationPlan:
    return PopulationPlan(
        audiences=tuple(AudiencePlan(name=name, users=users, flag_on=on) for name, users, on in audiences)
    )


WEEK_3 = plan_of(("developers", 50, 50), ("beta", 100, 100), ("general", 350, 100))


def client(account: Account) -> FlagClient:
    return FlagClient(instance_id=account.instance_id, audience=account.audience)


def on(plan: PopulationPlan, seed: int) -> set[str]:
    template = rollout_template(plan)
    return {a.user for a in accounts(plan, seed) if evaluate(template, client(a))[FLAG] == "true"}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("general", [0, 1, 100, 175, 349, 350])
def test_the_documents_weeks_select_exactly_the_quota(seed: int, general: int) -> None:
    plan = plan_of(("developers", 50, 50), ("beta", 100, 100), ("general", 350, general))
    expected = {account.user for account in accounts(plan, seed) if account.flag_expected}
    assert len(expected) == 150 + general
    assert on(plan, seed) == expected


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), users=sizes, data=st.data())
def test_any_quota_is_exact(seed: int, users: int, data: st.DataObject) -> None:
    flag_on = data.draw(st.integers(0, users))
    plan = plan_of(("general", users, flag_on))
    assert len(on(plan, seed)) == flag_on
    assert on(plan, seed) == {account.user for account in accounts(plan, seed) if account.flag_expected}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), users=sizes, first=st.floats(0, 100), second=st.floats(0, 100))
def test_a_larger_percentage_keeps_everybody(seed: int, users: int, first: float, second: float) -> None:
    low, high = sorted((first, second))
    everybody = accounts(plan_of(("general", users, 0)), seed)
    chosen = [
        {a.user for a in everybody if holds(FlagCondition(name="c", percent=percent), client(a))}
        for percent in (low, high)
    ]
    assert chosen[0] <= chosen[1]
    assert abs(len(chosen[0]) - users * low / 100) < 1


def test_each_user_has_its_slot() -> None:
    for audience, size in (("developers", 50), ("beta", 100), ("general", 350)):
        users = [account for account in accounts(WEEK_3, 7) if account.audience == audience]
        assert len(users) == size
        for index, account in enumerate(users):
            assert micro_percentile("rollout", account.instance_id) * size // MICRO_PERCENT == index


def test_the_same_people_in_every_week() -> None:
    weeks = [plan_of(("developers", 50, 50), ("beta", 100, b), ("general", 350, g)) for b, g in ((0, 0), (100, 350))]
    one, two = (accounts(week, 3) for week in weeks)
    assert [(a.user, a.instance_id, a.password) for a in one] == [(a.user, a.instance_id, a.password) for a in two]
    assert accounts(weeks[0], 4) != one


def test_names_are_unique_and_the_canaries_stand_apart() -> None:
    users = accounts(WEEK_3, 1)
    probes = canaries(ProbePlan(), 1)
    assert users[0].user == "u0001"
    assert users[-1].user == "u0500"
    everybody = [*users, *(canary.account for canary in probes)]
    for of in ("user", "email", "instance_id"):
        assert len({getattr(account, of) for account in everybody}) == 508
    assert len({canary.walk_id for canary in probes}) == 8
    template = rollout_template(plan_of(("developers", 50, 50), ("general", 350, 350)))
    assert all(evaluate(template, client(canary.account))[FLAG] == "false" for canary in probes)


def test_more_on_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'beta': flag_on 3 is not within 0\.\.2"):
        accounts(plan_of(("beta", 2, 3)), 1)
