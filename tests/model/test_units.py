"""Quantities: what people write, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model import units
from harness.model.units import Unit


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("99.5%", Unit.RATIO, 0.995),
        ("12%", Unit.RATIO, 0.12),
        ("500ms", Unit.MILLISECONDS, 500),
        ("0.5s", Unit.MILLISECONDS, 500),
        ("3/s", Unit.PER_SECOND, 3),
        ("250users", Unit.USERS, 250),
        ("250 users", Unit.USERS, 250),
        ("5min", Unit.SECONDS, 300),
        ("12h", Unit.SECONDS, 43200),
    ],
)
def test_reads_what_people_write(text: str, unit: Unit, value: float) -> None:
    assert units.quantity(text, unit) == value


@pytest.mark.parametrize(
    ("text", "unit", "says"),
    [
        ("500", Unit.MILLISECONDS, "no unit of time"),
        ("99.5", Unit.RATIO, "not a percentage"),
        ("500ms", Unit.RATIO, "not a percentage"),
        ("101%", Unit.RATIO, "above 100%"),
        ("3%", Unit.PER_SECOND, "not in 1/s"),
        ("-1%", Unit.RATIO, "not a percentage"),
        ("", Unit.USERS, "not a number"),
        ("nan%", Unit.RATIO, "not a percentage"),
    ],
)
def test_refuses_a_wrong_unit_and_says_which(text: str, unit: Unit, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        units.quantity(text, unit)


@given(st.text(), st.sampled_from(Unit))
def test_any_text_is_a_number_or_a_value_error(text: str, unit: Unit) -> None:
    try:
        value = units.quantity(text, unit)
    except ValueError:
        return
    assert value >= 0
    assert units.show(value, unit)


@given(st.integers(0, 10_000))
def test_a_percentage_is_the_double_nearest_to_its_text(hundredths: int) -> None:
    text = f"{hundredths / 100:.2f}%"
    assert units.ratio(text) == float(f"{hundredths / 10_000:.4f}")
