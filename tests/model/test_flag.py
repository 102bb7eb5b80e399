"""Remote Config's conditions, as Firebase evaluates them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.model.flag import FLAG, FlagClient, FlagCondition, Parameter, Template, evaluate, holds, micro_percentile

names = st.text(min_size=1, max_size=20)


def _template(*conditions: FlagCondition) -> Template:
    values = tuple((condition.name, "true") for condition in conditions)
    return Template(conditions=conditions, parameters={FLAG: Parameter(default="false", conditional=values)})


def test_the_hash_is_firebases() -> None:
    # SHA-256("seed.instance") as a big-endian integer modulo 100,000,000, computed apart with sha256sum and node.
    assert micro_percentile("rollout", "abc") == 27_875_290


@given(names, st.floats(0, 100), st.floats(0, 100))
def test_a_client_once_in_stays_in_as_the_share_grows(instance: str, first: float, second: float) -> None:
    low, high = sorted((first, second))
    client = FlagClient(instance_id=instance, audience="general")
    was, stays = (holds(FlagCondition(name="c", percent=percent), client) for percent in (low, high))
    assert stays or not was


@given(names)
def test_the_ends_are_exact(instance: str) -> None:
    client = FlagClient(instance_id=instance, audience="general")
    assert not holds(FlagCondition(name="c", percent=0), client)
    assert holds(FlagCondition(name="c", percent=100), client)


def test_an_audience_condition_leaves_others_out() -> None:
    template = _template(FlagCondition(name="beta", audiences=("beta",)))
    assert evaluate(template, FlagClient(instance_id="x", audience="beta")) == {FLAG: "true"}
    assert evaluate(template, FlagClient(instance_id="x", audience="general")) == {FLAG: "false"}


def test_the_first_condition_that_holds_wins() -> None:
    first, second = FlagCondition(name="first"), FlagCondition(name="second")
    parameter = Parameter(default="d", conditional=(("second", "2"), ("first", "1")))
    template = Template(conditions=(first, second), parameters={"p": parameter})
    assert evaluate(template, FlagClient(instance_id="x", audience="a")) == {"p": "1"}
