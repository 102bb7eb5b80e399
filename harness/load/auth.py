"""Accounts and ID tokens from the Firebase Auth emulator, over its REST interface.

Accounts are made with ``accounts:batchCreate`` (the Admin SDK's import), because it lets the uid be chosen: the uid is
the user's name in all evidence, and in the databases. Sign-in is what the app calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Protocol

import msgspec

from harness.base.errors import MeasurementFailed
from harness.base.ticks import NS
from harness.load.population.schedule import Account
from harness.load.rest import JsonClient, now_ns, wall_ns
from harness.model.stack import Address

_API = "/identitytoolkit.googleapis.com/v1"
_BATCH = 1000  # the most that Firebase takes at once
#: Signed in again this long before the token ends (it lives an hour).
EARLY_NS = 600 * NS
#: How often that is looked for, and how long the answer is awaited.
RENEW_EVERY_S, RENEW_TIMEOUT_S = 60.0, 5.0


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A Firebase ID token."""

    id_token: str
    expires_ns: int
    #: The same on the wall clock, ns since 1970-01-01 UTC: by this one the server goes, and it runs on in a suspend.
    expires_wall_ns: int

    def fresh(self, at_ns: int, wall_ns: int) -> bool:
        """Whether it is still far from its end, on both clocks."""
        return at_ns < self.expires_ns - EARLY_NS and wall_ns < self.expires_wall_ns - EARLY_NS


class SignedIn(Protocol):
    """Whoever sends requests by a token."""

    token: Token

    @property
    def account(self) -> Account:
        """Whose token it is."""
        ...


def create_accounts(client: JsonClient, project_id: str, accounts: Sequence[Account]) -> None:
    """Makes every account; one that is there is overwritten. Raises ``MeasurementFailed``."""
    for start in range(0, len(accounts), _BATCH):
        users = [
            {"localId": a.user, "email": a.email, "rawPassword": a.password, "emailVerified": True}
            for a in accounts[start : start + _BATCH]
        ]
        body = {"users": users, "allowOverwrite": True}
        path = f"{_API}/projects/{project_id}/accounts:batchCreate"
        answer = client.post_json(path, body, {"Authorization": "Bearer owner"})
        if answer.get("error"):
            raise MeasurementFailed(f"the Auth emulator refused accounts: {answer['error']!r:.300}", where=path)


def sign_in(client: JsonClient, account: Account) -> Token:
    """Signs in as the app does. Raises ``MeasurementFailed``."""
    asked_ns, asked_wall_ns = now_ns(), wall_ns()
    body = {"email": account.email, "password": account.password, "returnSecureToken": True}
    path = f"{_API}/accounts:signInWithPassword?key=rehearsal"
    answer = client.post_json(path, body)
    token, uid = answer.get("idToken"), answer.get("localId")
    if not isinstance(token, str) or uid != account.user:
        raise MeasurementFailed(f"signing in {account.user} gave no token of that user", where=f"uid {uid!r}")
    lives_ns = int(str(answer.get("expiresIn", "3600"))) * NS
    return Token(id_token=token, expires_ns=asked_ns + lives_ns, expires_wall_ns=asked_wall_ns + lives_ns)


def signed_in(auth: Address, account: Account, timeout_s: float) -> Token:
    """``sign_in`` on a connection of its own. Raises ``MeasurementFailed``."""
    with closing(JsonClient("the Auth emulator", auth, timeout_s)) as client:
        return sign_in(client, account)


def renew(auth: Address, those: Iterable[SignedIn]) -> None:
    """Signs in again, one after the other, whose token is about to end. Raises ``MeasurementFailed``."""
    for each in those:
        if not each.token.fresh(now_ns(), wall_ns()):
            each.token = signed_in(auth, each.account, RENEW_TIMEOUT_S)
