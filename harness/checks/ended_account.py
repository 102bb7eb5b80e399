"""An account that was deleted at Firebase Auth: what of its user is left in both stores and in Storage. Pure.

Neither the document nor the contract has an operation that ends an account, and no step of the rollout removes what is
of one: the app's own deletion is that of Firebase Auth alone.
"""

from __future__ import annotations

import msgspec

from harness.model.judgement import Judgement, observation
from harness.model.message import Message, message
from harness.model.verdict import Verdict

ACCOUNT = "account.ended"
ERRATUM_LEFT = "dual_write.ended_account_stays"


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What is there of one user: rows of ``users``, walks and their locations in PostgreSQL; documents in Firestore;
    objects in Storage; ``consents`` in PostgreSQL, and those ``given`` in Firestore (``None``: not looked at)."""

    rows: int
    walks: int
    locations: int
    documents: int
    photos: int
    consents: int | None = None
    given: int | None = None

    @property
    def all(self) -> int:
        """Of whatever kind."""
        consents = (self.consents or 0) + (self.given or 0)
        return self.rows + self.walks + self.locations + self.documents + self.photos + consents


class EndedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """``after`` counts of what was there ``before`` what there was still ``seconds`` after the account was deleted.
    ``old_token`` is the API's status for a token that was given before, 0 where no answer came."""

    user: str
    before: Held
    after: Held
    old_token: int
    seconds: float


def ended(account: EndedAccount | None) -> Judgement:
    """Is anything left of it? No sentence of the document promises otherwise, so that it gates nothing."""
    if account is None or not account.before.all:
        nobody = message("no account was deleted of which both stores held anything")
        return observation(ACCOUNT, (nobody,), verdict=Verdict.INCONCLUSIVE)
    status = account.old_token
    token = message("a token given before is answered {status}", status=str(status))
    told = (_left(account), _consents(account), token if status else message("a token given before is not answered"))
    return observation(ACCOUNT, told, erratum=ERRATUM_LEFT if account.after.all else "")


def _consents(account: EndedAccount) -> Message:
    before, after = account.before, account.after
    if None in (before.consents, before.given, after.consents, after.given):
        return message("nobody could say what of its consents is left")
    return message(
        "{consents} of {of_consents} of its consents are in PostgreSQL, and {given} of {of_given} in Firestore",
        consents=str(after.consents),
        of_consents=str(before.consents),
        given=str(after.given),
        of_given=str(before.given),
    )


def _left(account: EndedAccount) -> Message:
    before, after = account.before, account.after
    return message(
        "{seconds} s after {user} was deleted at Firebase Auth {rows} of {of_rows} rows of users and {walks} of "
        "{of_walks} walks with {locations} of {of_locations} locations are in PostgreSQL, {documents} of "
        "{of_documents} documents in Firestore and {photos} of {of_photos} photos in Storage",
        seconds=f"{account.seconds:.0f}",
        user=account.user,
        rows=str(after.rows),
        of_rows=str(before.rows),
        walks=str(after.walks),
        of_walks=str(before.walks),
        locations=f"{after.locations:,}",
        of_locations=f"{before.locations:,}",
        documents=str(after.documents),
        of_documents=str(before.documents),
        photos=str(after.photos),
        of_photos=str(before.photos),
    )
