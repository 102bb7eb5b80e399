"""When a token is renewed: before its end on either clock; in a suspend only the wall clock runs on."""

from __future__ import annotations

import asyncio

import gevent
import pytest

from harness.base.errors import MeasurementFailed
from harness.base.ticks import NS
from harness.load import auth, greenlets, probes_main
from harness.load.auth import EARLY_NS, Token
from harness.load.population.schedule import Account, canaries
from harness.load.probe import Prober
from harness.load.rest import now_ns, wall_ns
from harness.model.scenario import ProbePlan
from harness.model.stack import Address
from tests.nowhere import NOWHERE

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


def token(name: str, lives_s: float) -> Token:
    lives_ns = round(lives_s * NS)
    return Token(id_token=name, expires_ns=now_ns() + lives_ns, expires_wall_ns=wall_ns() + lives_ns)


class Auth:
    """Signs in twice and is then down; the second token ends at once."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def signed_in(self, _: Address, account: Account, timeout_s: float) -> Token:
        self.asked.append(account.user)
        if len(self.asked) > 2:
            raise MeasurementFailed("Auth is down")
        return token("new", 1.0 if len(self.asked) == 2 else 3_600)


@pytest.fixture
def down_after_two(monkeypatch: pytest.MonkeyPatch) -> Auth:
    made = Auth()
    monkeypatch.setattr(auth, "signed_in", made.signed_in)
    return made


def probers() -> list[Prober]:
    lives_s = (599, 3_600, 601, 598)
    return [
        Prober(canary=canary, token=token("old", each), body=b"")
        for canary, each in zip(canaries(ProbePlan(), 1), lives_s, strict=False)
    ]


def only_the_first_and_the_last(those: list[Prober], asked: list[str]) -> bool:
    """Were signed in again, the last of them for no long time."""
    users = [each.account.user for each in those]
    tokens = [each.token.id_token for each in those]
    return asked == [users[0], users[3], users[3]] and tokens == ["new", "old", "old", "new"]


async def test_a_canary_whose_token_is_about_to_end_is_signed_in_again_beside_the_probes(down_after_two: Auth) -> None:
    those = probers()
    with pytest.raises(MeasurementFailed, match="Auth is down"):
        await asyncio.wait_for(probes_main.renew_always(NOWHERE, those, every_s=0.01), 10)
    assert only_the_first_and_the_last(those, down_after_two.asked)


def test_so_is_an_account_of_a_load_by_steps(down_after_two: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    those, slept = probers(), list[float]()
    monkeypatch.setattr(gevent, "sleep", slept.append)
    with pytest.raises(MeasurementFailed, match="Auth is down"):
        greenlets.renew_always(NOWHERE, those)
    assert only_the_first_and_the_last(those, down_after_two.asked) and slept == [60.0, 60.0]
