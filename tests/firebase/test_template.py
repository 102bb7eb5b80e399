"""Firebase's template JSON, to and from the model."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model.flag import FLAG, FlagCondition, Parameter, Template
from harness.stack.firebase.template import decode, to_json, to_template
from tests.firebase.test_conditions import CONDITION


@st.composite
def templates(draw: st.DrawFn) -> Template:
    drawn = draw(st.lists(CONDITION, max_size=4))
    conditions = tuple(msgspec.structs.replace(c, name=f"c{i}") for i, c in enumerate(drawn))
    names = [c.name for c in conditions]
    conditional = st.lists(st.sampled_from(names), unique=True) if names else st.just([])
    value = st.text(max_size=5)
    parameter = st.builds(
        lambda default, chosen, value: Parameter(default=default, conditional=tuple((name, value) for name in chosen)),
        value, conditional, value,
    )  # fmt: skip
    return Template(
        conditions=conditions,
        parameters=draw(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), parameter, max_size=3)),
    )


@settings(deadline=None)
@given(templates())
def test_a_template_survives_the_wire(template: Template) -> None:
    assert to_template(decode(msgspec.json.encode(to_json(template)))) == template


def test_the_json_is_firebase_own() -> None:
    template = Template(
        conditions=(FlagCondition(name="week3", audiences=("developers",), percent=50),),
        parameters={FLAG: Parameter(default="false", conditional=(("week3", "true"),))},
    )
    assert msgspec.json.decode(msgspec.json.encode(to_json(template))) == {
        "conditions": [
            {
                "name": "week3",
                "expression": "app.userProperty['audience'].exactlyMatches(['developers']) && percent('rollout') <= 50",
            }
        ],
        "parameters": {
            FLAG: {
                "defaultValue": {"value": "false"},
                "conditionalValues": {"week3": {"value": "true"}},
                "valueType": "BOOLEAN",
            }
        },
    }


PLAIN = {"defaultValue": {"value": "x"}}


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (
            {"parameters": {"a": {"defaultValue": {"value": "x"}, "conditionalValues": {"foo": {"value": "y"}}}}},
            r"\[foo\] are not valid condition names",
        ),
        ({"parameters": {"a b": PLAIN}}, "not a valid parameter key"),
        ({"parameters": {"a": {}}}, "defaultValue"),
        ({"parameters": {"a": {"defaultValue": {"useInAppDefault": True}}}}, "useInAppDefault|value"),
        ({"parameters": {"a": {"defaultValue": {"value": 1}}}}, "str"),
        ({"parameters": {"a": {"defaultValue": {"value": "True"}, "valueType": "BOOLEAN"}}}, "BOOLEAN"),
        ({"parameters": {"a": {"defaultValue": {"value": "one"}, "valueType": "NUMBER"}}}, "NUMBER"),
        ({"parameters": {"a": {"defaultValue": {"value": "{"}, "valueType": "JSON"}}}, "JSON"),
        ({"parameters": {f"p{i}": PLAIN for i in range(2001)}}, "Param count too large"),
        ({"conditions": [{"name": "c", "expression": "percent('a') <= 1"}] * 2}, "unique"),
        ({"conditions": [{"name": "c" * 101, "expression": "percent('a') <= 1"}]}, "100 characters"),
        ({"parameters": {"a": PLAIN}, "parameterGroups": {"g": {"parameters": {"a": PLAIN}}}}, "more than one group"),
        ({"etag": "x"}, "etag"),
        ([], "object"),
    ],
)
def test_what_firebase_refuses(document: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        to_template(decode(msgspec.json.encode(document)))


def test_groups_are_flattened() -> None:
    document = {"parameters": {"a": PLAIN}, "parameterGroups": {"g": {"description": "d", "parameters": {"b": PLAIN}}}}
    assert set(to_template(decode(msgspec.json.encode(document))).parameters) == {"a", "b"}
