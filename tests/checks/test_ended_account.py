"""What is left of an account that was deleted at Firebase Auth."""

from __future__ import annotations

import msgspec
import pytest

from harness.checks.ended_account import ERRATUM_LEFT, EndedAccount, Held, ended
from harness.model.verdict import Verdict
from scenarios.claims import ERRATA

NOTHING = Held(rows=0, walks=0, locations=0, documents=0, photos=0)
BEFORE = Held(rows=1, walks=3, locations=1200, documents=3, photos=2, consents=1, given=2)


def account(after: Held, before: Held = BEFORE) -> EndedAccount:
    return EndedAccount(user="u0001", before=before, after=after, old_token=200, seconds=10.0)


@pytest.mark.parametrize(
    "after",
    [BEFORE, *(Held(**{**dict.fromkeys(Held.__struct_fields__, 0), kind: 1}) for kind in Held.__struct_fields__)],
)
def test_whatever_is_left_shows_the_erratum(after: Held) -> None:
    found = ended(account(after))
    assert (found.verdict, found.erratum, found.gates) == (Verdict.ERRATUM_SHOWN, ERRATUM_LEFT, False)
    assert ERRATUM_LEFT in ERRATA


def test_the_counts_are_told() -> None:
    told = ended(account(BEFORE)).reason
    assert "1 of 1 rows of users and 3 of 3 walks with 1,200 of 1,200 locations" in told
    assert "3 of 3 documents in Firestore and 2 of 2 photos" in told and "answered 200" in told
    assert "1 of 1 of its consents are in PostgreSQL, and 2 of 2 in Firestore" in told
    silent = msgspec.structs.replace(account(BEFORE), old_token=0)
    assert "a token given before is not answered" in ended(silent).reason


@pytest.mark.parametrize("unread", ["consents", "given"])
def test_consents_that_were_not_looked_at_are_told_as_such(unread: str) -> None:
    """A run of before looked at none, and a table of another name cannot be read."""
    before = msgspec.structs.replace(BEFORE, **{unread: None})
    assert "nobody could say what of its consents is left" in ended(account(before, before)).reason


def test_where_nothing_is_left_it_is_not_shown_and_without_an_account_nothing_is_known() -> None:
    assert ended(account(NOTHING)).verdict is Verdict.PASS
    assert ended(None).verdict is ended(account(NOTHING, NOTHING)).verdict is Verdict.INCONCLUSIVE
