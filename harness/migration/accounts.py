"""The users that Firebase Auth knows, by Google's Admin SDK, which speaks to Auth and to its emulator alike."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

from harness.base.errors import PartDied
from harness.migration.places import Places
from harness.model.message import message

#: uid, display name, provider, when it was made.
Row = tuple[str, str | None, str | None, datetime]
_PAGE = 1000  # the most that Auth lists at once
_NAME = "migration"
_TEXT_MOST = 255


async def accounts(places: Places) -> AsyncGenerator[list[Row], None]:
    """All accounts, by pages. Raises ``PartDied`` when Auth does not answer."""
    import firebase_admin
    from firebase_admin import auth, exceptions
    from google.auth.exceptions import GoogleAuthError

    if places.auth is not None:
        os.environ["FIREBASE_AUTH_EMULATOR_HOST"] = str(places.auth)  # the SDK's only way to be told of an emulator
    app = firebase_admin.initialize_app(places.firebase_credentials(), {"projectId": places.project_id}, name=_NAME)
    try:
        page = await asyncio.to_thread(auth.list_users, max_results=_PAGE, app=app)
        while page is not None:
            yield [_row(user) for user in page.users]
            page = await asyncio.to_thread(page.get_next_page)
    except (exceptions.FirebaseError, GoogleAuthError, ValueError) as error:
        raise PartDied(
            message("Firebase Auth failed: {error}", error=str(error)), where=str(places.auth or places.project_id)
        ) from error
    finally:
        firebase_admin.delete_app(app)


def _row(user: Any) -> Row:
    providers = [each.provider_id for each in user.provider_data]
    made_ms = user.user_metadata.creation_timestamp or 0
    provider = providers[0] if providers else "anonymous"
    return (user.uid, _text(user.display_name), provider, datetime.fromtimestamp(made_ms / 1000, tz=UTC))


def _text(found: str | None) -> str | None:
    """As a column holds it, and as the API keeps it of a token."""
    return (found or "").replace("\0", "").encode(errors="ignore").decode()[:_TEXT_MOST] or None
