"""What is left of an account that was deleted at Firebase Auth."""

from __future__ import annotations

import msgspec
import pytest

from harness.model.judgement import Judgement, Verdict
from harness.rehearsals.one_stack.rehearsal import REHEARSAL
from harness.rehearsals.one_stack.types import EndedAccount, OneStackDetails, UserRecords
from tests.one_stack.small import plan
from tests.register import ERRATA
from tests.rehearsal.made import by_id, seen

ERRATUM_LEFT = "dual_write.ended_account_stays"
NOTHING = UserRecords(rows=0, walks=0, locations=0, documents=0, photos=0)
BEFORE = UserRecords(rows=1, walks=3, locations=1200, documents=3, photos=2, consents=1, given=2)


def account(after: UserRecords, before: UserRecords = BEFORE) -> EndedAccount:
    return EndedAccount(user="u0001", before=before, after=after, old_token=200, seconds=10.0)


def ended(account: EndedAccount | None) -> Judgement:
    given = seen(OneStackDetails(account=account), capabilities=("real_postgresql",))
    return by_id(REHEARSAL.by_rules(plan(), given))["account.ended"]


@pytest.mark.parametrize(
    "after",
    [
        BEFORE,
        *(
            UserRecords(**{**dict.fromkeys(UserRecords.__struct_fields__, 0), kind: 1})
            for kind in UserRecords.__struct_fields__
        ),
    ],
)
def test_whatever_is_left_shows_the_erratum(after: UserRecords) -> None:
    found = ended(account(after))
    assert (found.verdict, found.erratum, found.gates) == (Verdict.ERRATUM_SHOWN, ERRATUM_LEFT, False)
    assert ERRATUM_LEFT in ERRATA


def test_the_counts_are_told() -> None:
    told = ended(account(BEFORE)).reason
    assert "1 of 1 rows of users" in told and "1,200 of 1,200 locations" in told and "answered 200" in told
    assert "1 of 1 consents in PostgreSQL; 2 of 2 consents in Firestore" in told
    silent = msgspec.structs.replace(account(BEFORE), old_token=0)
    assert "a token given before is not answered" in ended(silent).reason


@pytest.mark.parametrize("unread", ["consents", "given"])
def test_consents_that_were_not_looked_at_are_told_as_such(unread: str) -> None:
    """A run of before looked at none, and a table of another name cannot be read."""
    before = msgspec.structs.replace(BEFORE, **{unread: None})
    assert "nobody could say what of its consents" in ended(account(before, before)).reason


def test_where_nothing_is_left_it_is_not_shown_and_without_an_account_nothing_is_known() -> None:
    assert ended(account(NOTHING)).verdict is Verdict.PASS
    assert ended(None).verdict is ended(account(NOTHING, NOTHING)).verdict is Verdict.INCONCLUSIVE
