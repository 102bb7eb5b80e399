"""The budget: the document's figures, and what an outage costs."""

from __future__ import annotations

import pytest

from harness.rules.objectives.budget import REQUESTS, budget_s, burn_rate, line, outage_line, spent
from harness.rules.objectives.sloth import BURNS


def test_the_month_allows_43_minutes() -> None:
    """30 d x 24 h x 60 min x 0.1 %; 44.64 in a month of 31."""
    assert budget_s() / 60 == pytest.approx(43.2)
    assert budget_s(days=31) / 60 == pytest.approx(44.64)


def test_burn_rates_are_the_workbook_s() -> None:
    """14.4, 6, 3 and 1 for 30 days; Sloth's own catalogue says the same budget shares."""
    assert [round(burn.rate(30), 9) for burn in BURNS[30]] == [14.4, 6, 3, 1]
    assert [round(burn.rate(7), 9) for burn in BURNS[7]] == [13.44, 3.5, 1.4, 0.98]


def test_a_budget_is_spent_by_its_share() -> None:
    assert burn_rate(0.0144, 0.999) == pytest.approx(14.4)


def test_what_an_outage_costs() -> None:
    """30 of 600 probes over two minutes are 6 s, of which 432 fit a month."""
    cost = spent(30, 600, 120)
    assert cost.outage_s == pytest.approx(6)
    assert cost.times_a_month == 432
    assert str(line(cost)) == (
        "30 of 600 probes failed, as an outage of 6.0 s: 0.23 % of the month's 43.2 minutes; it may happen 432 times a "
        "month, and nothing else"
    )
    assert "more than there is" in str(outage_line(3600))
    assert "nothing of the month's 43.2 minutes" in str(line(spent(0, 600, 120)))
    assert "not known" in str(line(spent(0, 0, 120)))


def test_what_an_outage_costs_by_the_requests_of_users() -> None:
    """Where there are no probes; it says so, and never "probe"."""
    said = [str(line(spent(bad, asked, 120), REQUESTS)) for bad, asked in ((30, 600), (0, 600), (0, 0))]
    assert said == [
        "30 of 600 requests of users failed, as an outage of 6.0 s: 0.23 % of the month's 43.2 minutes; it may happen "
        "432 times a month, and nothing else",
        "all of 600 requests of users were answered well: nothing of the month's 43.2 minutes",
        "no request was made: what it cost of the month's availability is not known",
    ]
