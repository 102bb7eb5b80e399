"""What a row of the contract's checks holds an answer to: an answer of another form is none of it."""

from __future__ import annotations

from typing import Any

import pytest

from harness.base.errors import BadInput
from harness.checks.contract import rows


@pytest.mark.parametrize(
    ("body", "name", "kept"),
    [
        ({"walks": []}, "walks", True),
        ([], "walks", False),
        ({"locations": [{"sequence_number": 7}]}, "locations.sequence_number", True),
        ({"locations": [{"sequence_number": 7}, None]}, "locations.sequence_number", False),
        ({"locations": [{"sequence_number": 7}]}, "locations.7", True),
    ],
)
def test_a_field_is_of_an_object_and_of_each_location(body: Any, name: str, *, kept: bool) -> None:
    wanted: dict[str, Any] = {"walks": [], "locations.sequence_number": [7], "locations.7": {"sequence_number": 7}}
    assert (rows._field(body, name) == wanted[name]) is kept


@pytest.mark.parametrize(
    ("wanted", "said"), [({"answerz": 404}, "did you mean 'answers'"), ({"answers": {"a": 1}}, "Expected `int | str")]
)
def test_a_mistake_in_a_step_is_answered_with_its_line(wanted: dict[str, Any], said: str) -> None:
    (request,) = list(rows._CONTRACT["ownership"]["ownership.put"].steps[0])
    with pytest.raises(BadInput, match=said) as caught:
        rows._step({request: wanted}, ("ownership", "ownership.put", "steps", 0))
    assert "contract.yaml:163, ownership.ownership.put.steps[0]" in str(caught.value.where)
