"""The subset of condition expressions: what is read, what is refused, and Google's own evaluator on the same clients."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.model.flag import FLAG, FlagClient, FlagCondition, Parameter, Template, evaluate
from harness.stack.firebase.template import expression, parse

NAME = st.text(
    st.characters(codec="utf-8", exclude_characters="'\\", exclude_categories=["Cs"]), min_size=1, max_size=12
)
CONDITION = st.builds(
    FlagCondition,
    name=st.just("c"),
    audiences=st.lists(NAME, max_size=3).map(tuple),
    percent=st.integers(0, 100_000_000).map(lambda n: round(n / 1_000_000, 6)),
    seed=NAME,
)


@settings(deadline=None)
@given(CONDITION)
@example(FlagCondition(name="c", audiences=("a && b", "', '".replace("'", "")), percent=1, seed=" && "))
def test_every_condition_of_ours_comes_back(condition: FlagCondition) -> None:
    assert parse("c", expression(condition)) == condition


def test_firebase_own_examples_of_the_subset() -> None:
    assert parse("c", "percent('rollout') <= 10") == FlagCondition(name="c", percent=10)
    assert parse("c", "app.userProperty['audience'].exactlyMatches(['beta', 'developers'])") == FlagCondition(
        name="c", audiences=("beta", "developers")
    )
    both = "percent('x') <= 0.5 && app.userProperty['audience'].exactlyMatches(['general'])"
    assert parse("c", both) == FlagCondition(name="c", audiences=("general",), percent=0.5, seed="x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "true",
        "percent <= 10",  # no seed
        "percent('a') < 10",
        "percent('a') > 10",
        "percent('a') between 0 and 20",
        "percent('a') <= 101",
        "percent('a') <= -1",
        "percent('a') <= 1e1",
        "percent('a')<=10",
        "percent('a') <= 10&&percent('b') <= 10",
        "percent('a') <= 10 && percent('b') <= 10",
        "percent('a') <= 10 || percent('b') <= 10",
        "percent('a') <= 10 && ",
        "app.userProperty['audience'] == 'beta'",
        "app.userProperty['audience'].exactlyMatches([])",
        "app.userProperty['audience'].exactlyMatches(['beta'",
        "app.userProperty['audience'].contains(['beta'])",
        "app.userProperty['tier'].exactlyMatches(['beta'])",
        "app.customSignal['audience'].exactlyMatches(['beta'])",
        "device.os == 'ios'",
        "percent('a') <= 10 && device.os == 'ios'",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not supported here"):
        parse("c", text)


@pytest.mark.parametrize(
    "condition",
    [
        FlagCondition(name="c", percent=-1),
        FlagCondition(name="c", percent=100.5),
        FlagCondition(name="c", percent=0.0000001),
        FlagCondition(name="c", percent=float("nan")),
        FlagCondition(name="c", seed="it's", percent=1),
        FlagCondition(name="c", audiences=("",)),
    ],
)
def test_what_firebase_could_not_hold_is_not_written(condition: FlagCondition) -> None:
    with pytest.raises(ValueError, match=r"steps of|quotation mark"):
        expression(condition)


def _as_server_template(template: Template) -> dict[str, Any]:
    """Our template in the form that Google's server-side evaluator takes."""

    def parts(condition: FlagCondition) -> list[dict[str, Any]]:
        percent = {
            "percentOperator": "LESS_OR_EQUAL",
            "seed": condition.seed,
            "microPercent": round(condition.percent * 1_000_000),
        }
        signal = {
            "customSignalOperator": "STRING_EXACTLY_MATCHES",
            "customSignalKey": "audience",
            "targetCustomSignalValues": list(condition.audiences),
        }
        return [{"percent": percent}, *([{"customSignal": signal}] if condition.audiences else [])]

    return {
        "conditions": [
            {"name": c.name, "condition": {"orCondition": {"conditions": [{"andCondition": {"conditions": parts(c)}}]}}}
            for c in template.conditions
        ],
        "parameters": {
            key: {
                "defaultValue": {"value": p.default},
                "conditionalValues": {n: {"value": v} for n, v in p.conditional},
            }
            for key, p in template.parameters.items()
        },
    }


def test_two_thousand_clients_get_what_google_evaluates() -> None:
    """``harness.model.flag`` against the official Admin SDK: conditions, precedence, percentage by instance id."""
    from firebase_admin import remote_config

    template = Template(
        conditions=(
            FlagCondition(name="developers", audiences=("developers",)),
            FlagCondition(name="beta", audiences=("beta", "developers"), percent=40, seed="b"),
            FlagCondition(name="third", percent=30),
        ),
        parameters={
            FLAG: Parameter(default="false", conditional=(("third", "true"), ("developers", "true"))),
            "text": Parameter(default="d", conditional=(("third", "3"), ("beta", "2"), ("developers", "1"))),
        },
    )
    evaluator = remote_config._ConditionEvaluator
    document = _as_server_template(template)
    seen = set()
    for number in range(2000):
        client = FlagClient(instance_id=f"instance-{number}", audience=("developers", "beta", "general")[number % 3])
        context = {"randomization_id": client.instance_id, "audience": client.audience}
        google = evaluator(document["conditions"], document["parameters"], context, {}).evaluate()
        ours = evaluate(template, client)
        assert ours == {key: value.as_string() for key, value in google.items()}
        seen.add(tuple(ours.values()))
    assert len(seen) == 5  # every reachable combination: (true, 1), (true, 2), (true, 3), (false, 2), (false, d)
