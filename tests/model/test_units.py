"""Quantities: what people write, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from harness.base import units
from harness.base.units import Unit

#: What people write has a unit behind its number; dollars stand before it, and `dollars` reads them.
WRITTEN = [unit for unit in Unit if unit not in {Unit.NONE, Unit.DOLLARS}]


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


@pytest.mark.parametrize("digits", [201, 308, 400, 5_000])
@pytest.mark.parametrize(("read", "unit"), [(units.seconds, "d"), (units.size_bytes, "GiB")])
def test_a_number_that_no_float_holds_is_a_value_error(read: Callable[[str], float], unit: str, digits: int) -> None:
    """Of a size it was an ``OverflowError``, and a time was endless."""
    with pytest.raises(ValueError, match="is out of range"):
        read("9" * digits + unit)


SUFFIXES = {
    Unit.RATIO: ("%",),
    Unit.MILLISECONDS: ("ms", "s", "min", "m", "h", "d"),
    Unit.SECONDS: ("ms", "s", "min", "m", "h", "d"),
    Unit.PER_SECOND: ("/s",),
    Unit.USERS: ("users", "user"),
    Unit.WALKS: ("walks", "walk"),
    Unit.FLAWS: ("flaws", "flaw"),
}
NUMBERS = st.builds(lambda whole, part: f"{whole}{part}", st.integers(0, 99), st.sampled_from(("", ".0", ".5", ".25")))


@given(st.sampled_from(WRITTEN), NUMBERS, st.data())
def test_a_number_with_its_unit_is_read_and_shown(unit: Unit, number: str, data: st.DataObject) -> None:
    suffix = data.draw(st.sampled_from(SUFFIXES[unit]))
    value = units.quantity(f" {number} {suffix}", unit)
    assert 0 <= value < float("inf")
    assert units.show(value, unit)


#: What is nearly a number, and what may stand between it and its unit.
NEARLY = ("1", "7.5", "12.", ".5", "-1", "+1", "1e3", "nan", "0x1", "", "\u0663", "1,5")


@given(st.text(), st.sampled_from(NEARLY), st.sampled_from(("", " ", "\n", "x")), st.sampled_from(WRITTEN), st.data())
def test_any_text_is_a_number_with_its_unit_or_a_value_error(
    text: str, nearly: str, between: str, unit: Unit, data: st.DataObject
) -> None:
    suffix = data.draw(st.sampled_from(SUFFIXES[unit]) | st.sampled_from(("", "%", "s", "S", "µs", "/s", "walks")))
    for tried in (text, nearly + between + suffix):
        try:
            value = units.quantity(tried, unit)
        except ValueError as error:
            assert str(error)
        else:
            event("read")
            assert (value >= 0, nearly in NEARLY[:2], suffix in SUFFIXES[unit]) == (True, True, True)


@given(st.integers(0, 10_000))
def test_a_percentage_is_the_double_nearest_to_its_text(hundredths: int) -> None:
    text = f"{hundredths / 100:.2f}%"
    assert units.ratio(text) == float(f"{hundredths / 10_000:.4f}")
