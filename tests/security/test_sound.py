"""What a sound target may do otherwise than the bundled one is no finding, and hides none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from api.errors import Unauthorized
from api.model import User
from harness.contract.people import opened, unsigned
from tests.conformance.in_process import Plant, Target
from tests.conformance.outcomes import Outcome, ended
from tests.security.in_process import checked, of

Forgiven = Callable[[int], bool]


def forgiving(seconds: int, *, remembers: bool = False) -> Plant:
    """Tokens are let in for so long past their end, as Firebase's libraries do; for ever, once seen, where it
    ``remembers``."""

    def plant(target: Target) -> None:
        real = target.tokens.verify

        async def verify(token: str) -> User:
            head, claims = opened(token)
            late = {name: claims[name] + seconds for name in ("exp",) if isinstance(claims.get(name), int)}
            user: User = await real(unsigned(head, claims | late))
            return msgspec.structs.replace(user, expires_unix_s=user.expires_unix_s + 3600 * remembers)

        target.tokens.verify = verify

    return plant


@pytest.mark.parametrize(
    ("plant", "outcome"),
    [
        (forgiving(10), Outcome.PASSED),
        (forgiving(300), Outcome.PASSED),
        (forgiving(30), Outcome.PASSED),
        (forgiving(360), Outcome.DEVIATION),
        (forgiving(300, remembers=True), Outcome.DEVIATION),
        (forgiving(30, remembers=True), Outcome.DEVIATION),
    ],
)
def test_what_clocks_may_differ_in_is_forgiven_and_no_memory(plant: Plant, outcome: Outcome, tmp_path: Path) -> None:
    found = checked(of("token.expires_in_use"), [plant], tmp_path)
    assert ended(found, outcome) == {"token.expires_in_use"}, found
