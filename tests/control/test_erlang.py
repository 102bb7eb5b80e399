"""Erlang C against a table, and its inverses against itself."""

from __future__ import annotations

import pytest

from harness.control.erlang import delayed, fewest, most

#: Servers, offered erlangs, the share that waits: as tables of Erlang C have it.
TABLE = [
    (1, 0.9, 0.9), (2, 1, 0.3333), (3, 2, 0.4444), (5, 4, 0.5541), (10, 5, 0.0361), (10, 8, 0.4092), (20, 15, 0.1604),
    (30, 27, 0.4714), (55, 50, 0.3845), (4, 4, 1.0), (4, 9, 1.0),
]  # fmt: skip


@pytest.mark.parametrize(("servers", "offered", "share"), TABLE)
def test_who_waits_is_what_the_table_says(servers: int, offered: float, share: float) -> None:
    assert round(delayed(servers, offered, 1.0), 4) == share
    assert round(delayed(servers, offered * 50, 50.0), 4) == share


def test_one_server_s_waiting_is_exponential() -> None:
    assert delayed(1, 8, 10, beyond_s=0.5) == pytest.approx(0.8 * 0.36788, abs=1e-5)  # 0.8 e^-(2 x 0.5)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3])
def test_the_fewest_servers_carry_it_and_one_less_does_not(share: float) -> None:
    for rate in (1, 9, 100, 1000):
        servers = fewest(rate, 12.5, 0.2, share)
        assert delayed(servers, rate, 12.5, 0.2) <= share < delayed(servers - 1, rate, 12.5, 0.2) or servers == 1
        assert most(servers - 1, 12.5, 0.2, share) < rate <= most(servers, 12.5, 0.2, share)
    assert (most(0, 12.5, 0.2, share), most(3, float("inf"), 0.2, share)) == (0, float("inf"))
