"""When a token is renewed: before its end on either clock; in a suspend only the wall clock runs on."""

from __future__ import annotations

import pytest

from harness.load.auth import EARLY_NS, Token
from harness.load.time import NS, now_ns, wall_ns

TOKEN = Token(id_token="t", expires_ns=3_600 * NS, expires_wall_ns=10_000 * NS)


@pytest.mark.parametrize(
    ("at_s", "wall_s", "fresh"),
    [
        (0, 6_400, True),
        (2_999, 9_399, True),
        (3_000, 9_399, False),
        (10, 9_400, False),  # slept for an hour
        (10, 6_000, True),  # set back
    ],
)
def test_it_is_fresh_on_both_clocks(at_s: int, wall_s: int, fresh: bool) -> None:
    assert EARLY_NS == 600 * NS
    assert TOKEN.fresh(at_s * NS, wall_s * NS) is fresh


def test_the_clocks_are_the_machines_two() -> None:
    assert wall_ns() - now_ns() > 365 * 86_400 * NS  # one counts from 1970, the other from the boot
