"""Values of any database: the same instant or number is the same in every form, and another one never is."""

from __future__ import annotations

import json
import struct
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.checks import tables, walk_tables
from harness.checks.dual_write import compare
from harness.checks.tables import CONTRACT, OF_WALKS, Declared, Unread
from harness.checks.values import Column, ColumnKind, Unreadable, comparable, identity, instant, number, status
from harness.load.population.content import Content, fingerprint
from tests.checks.stored import documents, walk

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: What phones send is cut to milliseconds, and lies in the range where counts since 1970 are beyond doubt, as the next
#: millisecond does.
INSTANTS = st.integers(1_000_000_000_000, 9_999_999_999_998).map(lambda ms: EPOCH + timedelta(milliseconds=ms))
ZONES = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
#: Coordinates, distances and the like, with at most six decimals.
few = settings(max_examples=40, deadline=None)
NUMBERS = st.integers(-180_000_000, 180_000_000).map(lambda millionths: millionths / 1e6)


def forms(at: datetime, zone: timezone) -> list[Any]:
    """The same instant, as drivers and JSON give it of any column that can hold it."""
    elsewhere = at.astimezone(zone)
    ms = (at - EPOCH) // timedelta(milliseconds=1)
    hhmm = f"{elsewhere:%z}"
    nanoseconds = f"{elsewhere:%Y-%m-%dT%H:%M:%S}.{elsewhere.microsecond:06d}999"
    return [
        at,
        elsewhere,
        at.replace(tzinfo=None),
        at.isoformat(),
        elsewhere.isoformat(sep=" ", timespec="milliseconds"),
        f"{nanoseconds}{hhmm[:3]}:{hhmm[3:]}",
        f"{at:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z",
        f"{elsewhere:%Y-%m-%d %H:%M:%S}.{ms % 1000:03d} {hhmm} JST m=+0.001",
        at.replace(tzinfo=None).isoformat(),
        ms,
        str(ms),
        ms * 1000,
        ms * 1_000_000,
        Decimal(ms) / 1000,
        f"{Decimal(ms) / 1000}",
    ]


@few
@given(INSTANTS, ZONES)
def test_one_instant_is_the_same_in_every_form(at: datetime, zone: timezone) -> None:
    for form in forms(at, zone):
        assert instant(form) == at, form


@few
@given(INSTANTS, INSTANTS, ZONES)
def test_two_instants_are_the_same_in_no_form(one: datetime, other: datetime, zone: timezone) -> None:
    if one == other:
        other += timedelta(milliseconds=1)
    exact = OF_WALKS["start_time"]
    for form in forms(other, zone):
        assert instant(form) != one and not exact.holds(one, instant(form)), form


@few
@given(NUMBERS)
def test_one_number_is_the_same_in_every_form(value: float) -> None:
    for form in (
        value,
        Decimal(repr(value)),
        repr(value),
        f" {value:.9f}",
        f"{value:.12e}",
        json.loads(json.dumps(value)),
    ):
        assert Column(kind=ColumnKind.NUMBER, grain=Decimal("0.000001")).holds(value, number(form)), form
    assert number(Decimal("1E+2")) == number("100.0") == number(100) == 100 and type(number("100.0")) is int


@few
@given(NUMBERS, NUMBERS)
def test_two_numbers_are_the_same_in_no_form(one: float, other: float) -> None:
    if one == other:
        other += 1.5
    for form in (other, Decimal(repr(other)), repr(other)):
        assert number(form) != one
        assert not Column(kind=ColumnKind.NUMBER, grain=Decimal("0.000001")).holds(one, number(form)), form


@pytest.mark.parametrize("scale", [1, 2, 3, 5, 6])
@few
@given(value=NUMBERS)
def test_what_a_decimal_rounds_or_cuts_is_the_same_and_one_step_off_is_not(scale: int, value: float) -> None:
    step = Decimal(1).scaleb(-scale)
    column = Column(kind=ColumnKind.NUMBER, grain=step)
    exact = Decimal(repr(value))
    for rounding in ("ROUND_HALF_UP", "ROUND_HALF_EVEN", "ROUND_DOWN", "ROUND_FLOOR"):
        held = exact.quantize(step, rounding=rounding)
        assert column.holds(value, number(held))
        assert not column.holds(value, number(held + 2 * step))
        assert not column.holds(value, number(held - 2 * step))


@pytest.mark.parametrize(("digits", "grain"), [(0, "1"), (3, "0.001"), (6, "0.000001")])
@few
@given(at=INSTANTS, nanoseconds=st.integers(0, 999_999_999))
def test_nanoseconds_cut_by_one_store_and_rounded_by_another_agree(
    digits: int, grain: str, at: datetime, nanoseconds: int
) -> None:
    """Go tells nanoseconds to PostgreSQL, which rounds to the column's, and to Firestore, which keeps microseconds."""
    second = at.replace(microsecond=0)
    step = 10 ** (9 - digits)
    rounded = second + timedelta(microseconds=(nanoseconds + step // 2) // step * step // 1000)
    cut = second + timedelta(microseconds=nanoseconds // 1000)
    column = Column(kind=ColumnKind.INSTANT, grain=Decimal(grain))
    assert column.agrees(rounded, cut)
    for off in (-3, 3):
        assert not column.agrees(rounded, cut + off * timedelta(microseconds=step // 1000))


@few
@given(NUMBERS)
def test_a_float_of_32_bits_holds_what_was_sent_and_nothing_seven_digits_away(value: float) -> None:
    single = Column(kind=ColumnKind.NUMBER, single=True)
    held = struct.unpack("f", struct.pack("f", value))[0]
    assert single.holds(value, held)
    assert not single.holds(value, held * 1.00001 + 0.00001)


@few
@given(st.integers(0, 2_000_000))
def test_an_answers_distance_that_went_through_32_bits_is_the_one_that_was_sent(decimetres: int) -> None:
    sent = decimetres / 10
    held = struct.unpack("f", struct.pack("f", sent))[0]
    told = [fingerprint(Content(title="t", status="paused", total_distance=each)) for each in (sent, held, sent + 0.1)]
    assert told[0] == told[1] != told[2]


def test_spellings() -> None:
    upper = "0B3A6C9E-AAAA-4222-8333-444455556666"
    assert identity(upper) == identity(f"{{{upper}}}") == upper.lower()
    assert {status(each) for each in ("IN_PROGRESS", "inProgress", "in-progress", "In Progress")} == {"in_progress"}
    text, time = OF_WALKS["description"], OF_WALKS["end_time"]
    assert text.holds("", None) and text.holds(None, "") and not text.holds("x", None) and not text.holds(None, "x")
    assert time.holds(None, None) and not time.holds(None, EPOCH) and not time.holds(EPOCH, None)
    assert not OF_WALKS["total_distance"].holds(0.0, None)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (ColumnKind.INSTANT, "yesterday"),
        (ColumnKind.INSTANT, 20251020),
        (ColumnKind.INSTANT, True),
        (ColumnKind.INSTANT, {"seconds": 1}),
        (ColumnKind.NUMBER, "far"),
        (ColumnKind.NUMBER, float("nan")),
        (ColumnKind.NUMBER, [1]),
        (ColumnKind.STATUS, "active"),
        (ColumnKind.STATUS, 2),
        (ColumnKind.ID, "walk-1"),
        (ColumnKind.TEXT, 5),
    ],
)
def test_what_is_not_beyond_doubt_is_not_read(kind: ColumnKind, raw: Any) -> None:
    with pytest.raises(Unreadable, match="which is n"):
        comparable(kind, raw)
    assert comparable(kind, None) is None


def test_local_time_in_a_column_without_zone_is_named_as_that() -> None:
    noon = datetime(2025, 10, 20, 12, tzinfo=UTC)
    zoneless = Column(kind=ColumnKind.INSTANT, zoneless=True)
    assert zoneless.shift(noon, noon + timedelta(hours=9)) == timedelta(hours=9)
    for column, held in (
        (zoneless, noon),
        (zoneless, noon + timedelta(hours=9, seconds=1)),
        (zoneless, noon + timedelta(days=2)),
        (Column(kind=ColumnKind.INSTANT), noon + timedelta(hours=9)),
    ):
        assert column.shift(noon, held) is None


def declared(base: str, typmod: int = -1, *, readable: bool = True) -> Declared:
    return Declared(name="x", declared=base, base=base, typmod=typmod, readable=readable)


def numeric(precision: int, scale: int) -> Declared:
    return declared("numeric", (precision << 16 | scale) + 4)


@pytest.mark.parametrize(
    ("name", "there", "grain"),
    [
        ("start_time", declared("timestamptz"), "0"),
        ("start_time", declared("timestamp", 3), "0.001"),
        ("start_time", declared("timestamp", 0), "1"),
        ("start_time", declared("date"), "0"),  # a day's worth of difference is no rounding
        ("total_distance", declared("float8"), "0"),
        ("total_distance", numeric(10, 2), "0.01"),
        ("total_distance", declared("int4"), "1"),
        ("total_distance", declared("text"), "0.000001"),
        ("total_steps", declared("int8"), "0"),
        ("total_steps", numeric(10, 0), "0"),
    ],
)
def test_a_column_is_compared_as_it_rounds_unless_that_loses_content(name: str, there: Declared, grain: str) -> None:
    column = tables.read_as("walks", {name: OF_WALKS[name]}, {name: there})[name]
    assert isinstance(column, Column) and column.grain == Decimal(grain)
    assert column.zoneless is (there.base in {"timestamp", "date"})


@pytest.mark.parametrize(
    ("name", "there", "told"),
    [
        (
            "status",
            declared("int2"),
            "walks.status cannot be read: docs/contract has walk_status, and the database has int2",
        ),
        ("start_time", declared("bytea"), "has timestamp with time zone, and the database has bytea"),
        ("title", None, "has text, and the database has no such column"),
        ("title", declared("text", readable=False), "has no permission to read it for the application's role"),
    ],
)
def test_what_cannot_be_read_says_what_was_expected_and_found(name: str, there: Declared | None, told: str) -> None:
    found = tables.read_as("walks", {name: OF_WALKS[name]}, {name: there} if there else {})[name]
    assert isinstance(found, Unread) and told in str(found.told)


@pytest.mark.parametrize("text", ["[" * 2_000 + "]" * 2_000, "1e999", '"\\ud800"'], ids=["levels", "number", "half"])
def test_json_that_postgresql_takes_and_no_reader_does_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable, match="which no reader of JSON takes"):
        walk_tables._read(Column(kind=ColumnKind.TEXT), "json", [None, text])


def test_locations_in_an_array_are_read_in_either_spelling() -> None:
    snake = {"latitude": 35.5, "longitude": "139.5", "timestamp": "2025-10-20T12:00:00Z", "horizontal_accuracy": 5}
    camel = {**snake, "horizontalAccuracy": 5, "sequenceNumber": 7, "speed": None}
    del camel["horizontal_accuracy"]
    one, two = tables.points([snake, camel])
    assert (one["sequence_number"], two["sequence_number"]) == (0, 7)
    assert {name: one[name] for name in one if name != "sequence_number"} == {
        name: two[name] for name in two if name != "sequence_number"
    }
    wrongs: list[Any] = [{}, [1], [{"latitude": 1, "longitude": 1}]]
    for wrong in wrongs:
        with pytest.raises(Unreadable):
            tables.points(wrong)


def test_the_risks_of_types_are_named() -> None:
    types = {"start_time": "timestamp", "end_time": "int8", "total_distance": "float4"}
    there = {name: declared(base) for name, base in types.items()}
    there["end_time"] = Declared(name="end_time", declared="bigint", base="int8")
    read = tables.read_as("walks", {name: OF_WALKS[name] for name in types}, there)
    columns = {name: column for name, column in read.items() if isinstance(column, Column)}
    told = " / ".join(map(str, tables.ColumnLayout(walks=columns, locations=None).risks))
    assert "walks.start_time have no time zone and are read as UTC" in told
    assert "walks.total_distance (float4) keep rounded values" in told
    assert "walks.end_time (bigint) are read as counts since 1970" in told
    assert CONTRACT.risks == ()


def test_a_document_agrees_with_what_the_columns_keep_and_unread_fields_are_passed_over() -> None:
    """The walk's distance in 32 bits and its time cut otherwise; the status was not read."""
    rounded: dict[str, Any] = {"total_distance": 0.10000000149011612, "updated_at": EPOCH + timedelta(microseconds=1)}
    there = walk(total_distance=0.1, updated_at=EPOCH, status="paused")
    columns = {**OF_WALKS, "total_distance": Column(kind=ColumnKind.NUMBER, single=True)}
    layout = tables.ColumnLayout(walks=columns, locations=CONTRACT.locations).without("walks.status", "smallint")
    held = walk(status="in_progress", **rounded)
    assert compare([held], documents(there)).findings != ()
    kept = type(held)(id=held.id, columns=held.columns, locations=held.locations, layout=layout)
    assert compare([kept], documents(there)).findings == ()
    assert compare([kept], documents(walk(total_distance=0.2, updated_at=EPOCH))).findings != ()


def test_empty_text_where_nil_may_be_is_written_as_nil_or_as_it_is() -> None:
    """As by a column that may not be NULL; the contract's NULL is always nil."""
    for text in ("", None):
        held = walk(polyline_data=text)
        assert compare([held], documents(walk(polyline_data=None))).findings == ()
    assert compare([walk(polyline_data="")], documents(walk(polyline_data=""))).findings == ()
    assert compare([walk(polyline_data=None)], documents(walk(polyline_data=""))).findings != ()


def test_a_day_is_midnight_in_utc() -> None:
    assert instant(date(2025, 10, 20)) == datetime(2025, 10, 20, tzinfo=UTC)


@pytest.mark.parametrize("held", ["0001-01-01T00:00:00+09:00", "9999-12-31T23:59:59-09:00"])
def test_a_moment_that_utc_has_not_is_unreadable(held: str) -> None:
    """Go's zero and .NET's, in local time; it ended whoever read the column."""
    with pytest.raises(Unreadable, match="before the year 1 or after 9999"):
        instant(held)
