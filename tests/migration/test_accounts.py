"""The users of Auth as rows: what a dry run says of them, and accounts that a table cannot hold as they are."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from harness.migration.engine import _row
from harness.migration.load import Loader
from tests.migration.stores import NOON, Stores
from tests.migration.test_engine import rows


def account(**fields: Any) -> Any:
    metadata = SimpleNamespace(creation_timestamp=1_760_950_800_000)
    return SimpleNamespace(
        **{"uid": "u1", "display_name": None, "provider_data": [], "user_metadata": metadata} | fields
    )


@pytest.mark.parametrize(
    ("given", "held"),
    [("花子", "花子"), (None, None), ("", None), ("あ" * 300, "あ" * 255), ("a\0b", "ab"), ("a\ud83d", "a")],
)
def test_a_name_is_kept_as_the_api_keeps_it_of_a_token(given: str | None, held: str | None) -> None:
    """As it was, one of 256 characters, or with U+0000, was refused by PostgreSQL, and no run came any further."""
    assert _row(account(display_name=given)) == ("u1", held, "anonymous", datetime(2025, 10, 20, 9, tzinfo=UTC))


@pytest.mark.process
@pytest.mark.usefixtures("empty")
async def test_a_dry_run_counts_the_users_that_are_made_and_filled_in(stores: Stores) -> None:
    """It told of none that would be filled in, whoever was."""
    await rows(
        stores,
        "INSERT INTO users (id, display_name, auth_provider) VALUES"
        " ('owner', NULL, NULL), ('nameless', NULL, 'password'), ('named', 'n', 'password'), ('half', NULL, 'phone')",
    )
    given = [
        ("new", "n", "password", NOON), ("owner", None, "password", NOON), ("nameless", None, "password", NOON),
        ("named", "other", "apple.com", NOON), ("half", "h", "phone", NOON),
    ]  # fmt: skip
    counted = []
    for dry in (True, False):
        connection = await stores.connect()
        loader = Loader(connection, dry=dry)
        await loader.open()
        counted.append(await loader.users(given))
        await connection.close()
    assert counted == [(1, 2), (1, 2)]
