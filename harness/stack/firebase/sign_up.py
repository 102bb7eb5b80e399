"""Users of the Auth emulator, new ones too, signed in as the app does."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from harness.base.errors import NOT_JSON, PartDied
from harness.model.message import message
from harness.model.stack import Address
from harness.stack.firebase import rest

_API = "/identitytoolkit.googleapis.com/v1"
_PASSWORD = "conformance"  # noqa: S105 - of accounts in a throw-away emulator


class Ended(StrEnum):
    """How an account ends: itself, its right to sign in, or the sessions that it has."""

    DELETED = "deleted"
    DISABLED = "disabled"
    REVOKED = "revoked"


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in user."""

    uid: str
    token: str


async def sign_up(auth: Address, project_id: str, uid: str) -> User:
    """A new account with that uid, signed in as the app does. Raises ``PartDied`` when the emulator does not answer."""
    email = f"{uid}@rehearsal.invalid"
    account = {"localId": uid, "email": email, "rawPassword": _PASSWORD, "emailVerified": True}
    await _post(auth, f"{_API}/projects/{project_id}/accounts:batchCreate", {"users": [account]})
    return await sign_in(auth, email, _PASSWORD)


async def _post(auth: Address, path: str, body: object) -> dict[str, Any]:
    where = f"POST http://{auth}{path.partition('?')[0]}"
    headers = {"Authorization": "Bearer owner"} if "/projects/" in path else {}
    try:
        answer = await rest.request(auth, "POST", path, body=msgspec.json.encode(body), headers=headers, timeout_s=10.0)
        decoded = msgspec.json.decode(answer.body, type=dict[str, Any])
    except (OSError, *NOT_JSON) as error:
        raise PartDied(
            message("the Auth emulator does not answer: {why}", why=repr(error)), where=where, remedy="read auth.log"
        ) from error
    if answer.status != 200 or decoded.get("error"):
        raise PartDied(
            message("the Auth emulator refused: {body}", body=repr(answer.body[:300])),
            where=where,
            remedy="read auth.log",
        )
    return decoded


async def sign_in(auth: Address, email: str, password: str) -> User:
    """An account that is there, signed in as the app does. Raises ``PartDied``."""
    body = {"email": email, "password": password, "returnSecureToken": True}
    answer = await _post(auth, f"{_API}/accounts:signInWithPassword?key=rehearsal", body)
    return User(uid=str(answer["localId"]), token=str(answer["idToken"]))


async def end_account(auth: Address, project_id: str, uid: str, how: Ended, now_s: int) -> None:
    """Whose tokens are still out there. ``now_s`` is the time since 1970. Raises ``PartDied``."""
    if how is Ended.DELETED:
        await _post(auth, f"{_API}/projects/{project_id}/accounts:delete", {"localId": uid})
        return
    change = {"disableUser": True} if how is Ended.DISABLED else {"validSince": str(now_s + 1)}
    await _post(auth, f"{_API}/projects/{project_id}/accounts:update", {"localId": uid, **change})
