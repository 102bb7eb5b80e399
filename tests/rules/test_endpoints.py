"""The Service's endpoints over time: from the rows of the Service alone, within the times that are asked for."""

from __future__ import annotations

import pytest

from harness.model.evidence import EventRow
from harness.rules.endpoints import endpoints, endpoints_now, endpoints_reached_s, most_endpoints

S = 10**9


def row(at_s: int, *pods: str, kind: str = "component", subject: str = "service") -> EventRow:
    return EventRow(at_ns=at_s * S, kind=kind, subject=subject, message="", data={"pods": list(pods)})


ROWS = [
    row(1, "a"),
    row(2, "a", "b", "c", kind="samples"),
    row(2, "a", "b", "c", subject="deployment"),
    row(3, "a", "b"),
    EventRow(at_ns=4 * S, kind="component", subject="service", message="it was looked at"),
    row(5, "b"),
    row(6, "x", "y", "z", "w", subject="deployment"),
]


def test_only_the_rows_of_the_service_that_name_its_pods_count() -> None:
    assert [*endpoints(ROWS)] == [(1 * S, 1), (3 * S, 2), (5 * S, 1)]
    assert endpoints_now(ROWS) == ("b",) and endpoints_now(ROWS[:4]) == ("a", "b")
    assert endpoints_now([]) == endpoints_now([ROWS[1], ROWS[2], ROWS[4]]) == ()


@pytest.mark.parametrize(("since_s", "wanted", "after_s"), [(1, 1, 0.0), (1, 2, 2.0), (3, 2, 0.0), (4, 2, None)])
def test_when_so_many_were_first_reached(since_s: int, wanted: int, after_s: float | None) -> None:
    assert endpoints_reached_s(ROWS, since_s * S, wanted.__eq__) == after_s


@pytest.mark.parametrize(
    ("since_s", "until_s", "most"), [(1, 6, 2), (3, 5, 2), (3, 3, 0), (4, 6, 1), (1, 3, 1), (6, 9, 0)]
)
def test_the_most_at_once_from_the_first_moment_to_before_the_last(since_s: int, until_s: int, most: int) -> None:
    assert most_endpoints(ROWS, since_s * S, until_s * S) == most
