"""The consents of a drill: each is compared with its row by what it holds, and what cannot be read is named."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.stores import NotAsNamed
from harness.checks.tables import OF_CONSENTS, Unread
from harness.checks.walk_tables import Consents
from harness.load.population.consents import consents
from harness.model.judgement import Verdict
from harness.model.message import message
from harness.rehearsals.migration_drill import compare
from harness.rehearsals.migration_drill.types import DrillDetails
from tests.checks.stored import NOON
from tests.migration.drilled import details, replace
from tests.migration.test_drill import SEED, UNIX_NS, told
from tests.nowhere import all_at


def consents_held(**changes: Any) -> tuple[dict[str, Any], Consents]:
    """Three that were planted, and how PostgreSQL has them, but for ``changes`` of the second."""
    planted = consents(["u1", "u2", "u3"], SEED, UNIX_NS, "drill")
    rows = {}
    for path, fields in planted.items():
        _, user, _, name = path.split("/")
        rows[name.lower()] = {"id": name.lower(), "user_id": user, **fields}
    rows[[*rows][1]] |= changes
    return planted, Consents(rows=rows, columns=OF_CONSENTS)


async def looked_at(monkeypatch: pytest.MonkeyPatch, found: Consents | NotAsNamed, planted: Any) -> DrillDetails:
    async def read(_: object, ids: list[str]) -> Consents:
        assert ids == [path.rpartition("/")[2].lower() for path in planted]
        if isinstance(found, NotAsNamed):
            raise found
        return found

    monkeypatch.setattr(compare, "read_consents", read)
    seen = details(consents_missing=None, consents_different=None)
    await compare.of_consents(all_at(), planted, seen)
    return seen


async def test_consents_are_compared_by_what_they_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """A migrator that writes each with another user, kind or time has not moved it."""
    planted, as_planted = consents_held()
    assert {fields["consent_type"] for fields in planted.values()} == {"initial", "update"}
    seen = await looked_at(monkeypatch, as_planted, planted)
    assert (seen.consents_missing, seen.consents_different) == ((), ())
    assert told(seen)["migration.people"].verdict is Verdict.PASS
    another = {"consented_at": NOON, **dict.fromkeys(set(OF_CONSENTS) - {"id", "consented_at"}, "another")}
    for column, value in another.items():
        _, found = consents_held(**{column: value})
        people = told(await looked_at(monkeypatch, found, planted))["migration.people"]
        assert people.verdict is Verdict.FAIL and column in str(people.examples[0]), column


async def test_consents_that_are_not_there_or_cannot_be_read_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    planted, found = consents_held()
    gone, *_ = found.rows
    seen = await looked_at(
        monkeypatch, replace(found, rows={k: v for k, v in found.rows.items() if k != gone}), planted
    )
    assert (seen.consents_missing, seen.consents_different) == ((gone,), ())
    unread = Unread(place="consents", expected="a table", found=message("no table of that name"))
    seen = await looked_at(monkeypatch, NotAsNamed(unread.told), planted)
    people = told(seen)["migration.people"]
    assert people.verdict is Verdict.INCONCLUSIVE and "no table of that name" in people.reason


async def test_a_column_that_cannot_be_read_hides_no_consent_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    planted, found = consents_held()
    unread = Unread(place="consents.os_version", expected="text", found=message("no column of that name"))
    columns = {name: column for name, column in found.columns.items() if name != "os_version"}
    rows = {each: {k: v for k, v in row.items() if k != "os_version"} for each, row in found.rows.items()}
    partly = Consents(rows=rows, columns=columns, unread=(unread,))
    people = told(await looked_at(monkeypatch, partly, planted))["migration.people"]
    assert people.verdict is Verdict.INCONCLUSIVE and "consents.os_version cannot be read" in people.reason
    people = told(await looked_at(monkeypatch, replace(partly, rows={}), planted))["migration.people"]
    assert people.verdict is Verdict.FAIL and "consents missing: " in people.reason
    one, *_ = rows
    rows[one]["platform"] = "another"
    people = told(await looked_at(monkeypatch, partly, planted))["migration.people"]
    assert people.verdict is Verdict.FAIL and "platform" in str(people.examples[0])
