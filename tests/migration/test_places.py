"""Where a migration may go: this machine, unless it is asked for by name; and nothing secret on the command line."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import BadInput, Exit
from harness.cli.main import main
from harness.cli.migrate import Migrate, told
from harness.migration.engine import Migration, Moved, Report
from harness.migration.places import of_environment
from harness.migration.verify import Verified

HERE = {
    "DB_HOST": "127.0.0.1", "DB_USER": "u", "DB_NAME": "d", "FIREBASE_PROJECT_ID": "demo-p",
    "FIRESTORE_EMULATOR_HOST": "127.0.0.1:8080", "FIREBASE_AUTH_EMULATOR_HOST": "localhost:9099",
}  # fmt: skip


def test_the_contract_s_variables_say_where() -> None:
    found = of_environment({**HERE, "DB_PORT": "6000", "DB_PASSWORD": "secret", "DB_SSLMODE": "disable"})
    assert (found.login["port"], found.login["ssl"], found.beyond) == (6000, False, ())
    assert of_environment(HERE).login["ssl"] == "prefer"


@pytest.mark.parametrize(
    ("changes", "beyond"),
    [
        ({"DB_HOST": "db.example.com"}, ("PostgreSQL on db.example.com",)),
        ({"DB_HOST": "10.0.0.5"}, ("PostgreSQL on 10.0.0.5",)),
        ({"FIRESTORE_EMULATOR_HOST": ""}, ("Firestore of the project demo-p",)),
        ({"FIREBASE_AUTH_EMULATOR_HOST": "10.0.0.5:1"}, ("Firebase Auth on 10.0.0.5",)),
        ({"DB_HOST": "localhost", "FIRESTORE_EMULATOR_HOST": "[::1]:1"}, ()),
    ],
)
def test_what_is_not_on_this_machine_is_named_and_refused(
    changes: dict[str, str],
    beyond: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = {**HERE, **changes}
    assert of_environment(given).beyond == beyond
    if not beyond:
        return
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert main(["migrate", "--from-environment", "--dry-run"]) == Exit.USAGE
    said = capsys.readouterr().err
    assert beyond[0] in said and "--beyond-this-machine" in said and "never tried" in said


@pytest.mark.parametrize("lacking", ["DB_HOST", "DB_USER", "DB_NAME", "FIREBASE_PROJECT_ID"])
def test_a_variable_that_is_missing_is_named(lacking: str) -> None:
    with pytest.raises(BadInput, match=f"{lacking} is not set"):
        of_environment({**HERE, lacking: ""})


@pytest.mark.parametrize(("name", "value"), [("DB_PORT", "x"), ("FIRESTORE_EMULATOR_HOST", "nowhere")])
def test_a_variable_that_is_no_address_is_refused(name: str, value: str) -> None:
    with pytest.raises(BadInput, match=name):
        of_environment({**HERE, name: value})


def test_no_option_takes_a_secret() -> None:
    names = {field.name for field in dataclasses.fields(Migrate)}
    assert not {name for name in names if "pass" in name or "credential" in name or "key" in name}


@pytest.mark.parametrize(
    ("report", "status"),
    [
        (Report(dry=False, verified=Verified(documents=1, equal=1)), Exit.OK),
        (Report(dry=False, verified=Verified(documents=1, missing=1)), Exit.HOLD),
        (Report(dry=False, verified=Verified(documents=1, different=1)), Exit.HOLD),
        (Report(dry=False, verified=Verified(documents=1, orphans=1)), Exit.HOLD),
        (Report(dry=True), Exit.OK),
    ],
)
def test_it_ends_well_only_where_both_stores_agree(
    report: Report, status: Exit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def moved(_: Any) -> Report:
        return report

    for name, value in HERE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Migration, "run", moved)
    rejects = tmp_path / "rejects.jsonl"
    assert main(["migrate", "--from-environment", "--rejects", str(rejects)]) == status
    assert rejects.read_bytes() == b"" and rejects.stat().st_mode & 0o777 == 0o600


def test_counts_are_said_of_each_kind() -> None:
    walks = Moved(documents=3, refused=1, fates={"new": 2}, repaired={"description": 1}, unknown={"weather": 1})
    lines = "\n".join(told(Report(dry=True, users=2, users_made=1, walks=walks), None))
    assert "2 in Auth, 1 rows would be made" in lines and "3 documents: 2 new, 1 refused" in lines
    assert "absent and filled in: description (1 documents)" in lines and "without a column: weather" in lines
