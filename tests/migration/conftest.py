"""The stores, once a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.migration.stores import Stores, up


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    with up(tmp_path_factory.mktemp("emulators")) as found:
        yield found


@pytest.fixture
async def empty(stores: Stores) -> None:
    """Before the test."""
    await stores.empty()
