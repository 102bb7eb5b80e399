"""Who is awaited on Firestore after the flag went off: till what was sent in time is answered, too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.base.clock import NS
from harness.base.virtual import VirtualClock
from harness.load.users import Users
from harness.model.evidence import Operation, Side
from harness.rules.ledger import Ledger
from tests.checks.test_writes import row

LIMIT_S, TIMEOUT_S = 20.0, 10.0


@pytest.mark.parametrize(("sent_s", "late"), [(19.9, ()), (20.1, ("u",)), (None, ("u",))])
def test_a_client_that_went_back_in_time_and_was_answered_behind_it_is_not_late(
    sent_s: float | None, late: tuple[str, ...]
) -> None:
    """Its first request to Firestore has its answer 8 s later: until then it is in no evidence."""
    clock, ledger = VirtualClock(), Ledger()
    begun_ns = clock.now_ns()

    def gather() -> None:
        if sent_s is not None and clock.now_ns() >= begun_ns + round((sent_s + 8) * NS) and not ledger.calls:
            ledger.add(sent(begun_ns + round(sent_s * NS)))

    users = SimpleNamespace(
        _host=SimpleNamespace(clock=clock, begin=lambda *_, **__: None, update_progress=lambda **_: None),
        _plan=SimpleNamespace(request_timeout_s=TIMEOUT_S), evidence=SimpleNamespace(gather=gather, ledger=ledger),
    )  # fmt: skip
    found = clock.run(Users.all_back(cast(Any, users), ["u"], begun_ns, LIMIT_S))
    assert found.late_users == late
    assert (clock.now_ns() - begun_ns) / NS <= LIMIT_S + TIMEOUT_S + 2


def sent(at_ns: int) -> Any:
    made = row(Side.FIRESTORE, Operation.PUT_WALK, "w")
    return type(made)(
        **{name: getattr(made, name) for name in made.__struct_fields__} | {"user": "u", "sent_ns": at_ns}
    )
