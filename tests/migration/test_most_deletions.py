"""How many walks ``migrate`` may delete where nobody says it, and where somebody does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.errors import Exit
from harness.cli.migrate import Migrate
from harness.migration.engine import MigrationReport
from tests.nowhere import all_at


@pytest.mark.parametrize(("said", "of_5", "of_1000"), [(None, 10, 100), (0, 0, 0), (7, 7, 7)])
def test_a_tenth_of_the_walks_may_go_and_ten_of_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: int | None, of_5: int, of_1000: int
) -> None:
    given: list[Any] = []

    class Migration:
        def __init__(self, *_: object, most_deletions: Any, **__: object) -> None:
            given.append(most_deletions)

        async def run(self) -> MigrationReport:
            return MigrationReport(dry=False)

    monkeypatch.setattr("harness.migration.engine.Migration", Migration)
    there = tmp_path / "endpoints.json"
    there.write_bytes(msgspec.json.encode({"endpoints": all_at()}))
    assert Migrate(endpoints=there, deletions=True, most_deletions=said).run() == Exit.OK
    [most] = given
    assert (most(5), most(1000)) == (of_5, of_1000)
