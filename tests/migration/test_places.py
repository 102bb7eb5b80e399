"""Where a migration may go: this machine, unless it is asked for by name; and nothing secret on the command line."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.errors import BadInput, Exit, PartDied
from harness.cli.main import main
from harness.cli.migrate import Migrate
from harness.migration.engine import Migration, MigrationReport, MovedKind, Verified, _compared, _read, accounts
from harness.migration.source import Refusal, of_environment, refusal
from harness.migration.statements import Fate
from harness.migration.telling import told
from harness.model.message import message
from tests.report.marking import MARKING

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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PORT", "x"), ("DB_PORT", "0"), ("DB_PORT", "65536"), ("FIRESTORE_EMULATOR_HOST", "nowhere"),
        ("FIREBASE_AUTH_EMULATOR_HOST", "127.0.0.1:90990"),
    ],
)  # fmt: skip
def test_a_variable_that_is_no_address_is_refused(name: str, value: str) -> None:
    with pytest.raises(BadInput, match=name):
        of_environment({**HERE, name: value})


@pytest.mark.parametrize("file", ["", "gone.json"])
def test_firebase_itself_without_credentials_is_told_with_what_to_do(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google's own are looked for late, where nobody had a word for it."""
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    def none(*_: object, **__: object) -> None:
        raise DefaultCredentialsError("Your default credentials were not found.")  # type: ignore[no-untyped-call]

    monkeypatch.setattr(google.auth, "default", none)
    path = str(tmp_path / file) if file else ""
    places = of_environment({**HERE, "FIRESTORE_EMULATOR_HOST": "", "FIREBASE_CREDENTIALS_PATH": path})
    with pytest.raises(BadInput, match="no credentials of Google's can be read"):
        places.firebase_credentials()


async def test_credentials_that_google_takes_no_more_are_a_store_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A key that was revoked, or has expired: the SDK lets it through as it is."""
    from firebase_admin import auth
    from google.auth.exceptions import RefreshError

    def revoked(**_: object) -> None:
        raise RefreshError("invalid_grant: Invalid JWT Signature.")  # type: ignore[no-untyped-call]

    monkeypatch.setattr(auth, "list_users", revoked)
    with pytest.raises(PartDied, match="invalid_grant"):
        async for _ in accounts(of_environment(HERE)):
            raise AssertionError


def test_no_option_takes_a_secret() -> None:
    names = {field.name for field in dataclasses.fields(Migrate)}
    assert not {name for name in names if "pass" in name or "credential" in name or "key" in name}


@pytest.mark.parametrize(
    ("report", "status"),
    [
        (MigrationReport(dry=False, verified=Verified(documents=1, equal=1)), Exit.OK),
        (MigrationReport(dry=False, verified=Verified(documents=1, missing=1)), Exit.HOLD),
        (MigrationReport(dry=False, verified=Verified(documents=1, different=1)), Exit.HOLD),
        (MigrationReport(dry=False, verified=Verified(documents=1, orphans=1)), Exit.HOLD),
        (MigrationReport(dry=True), Exit.OK),
    ],
)
def test_it_ends_well_only_where_both_stores_agree(
    report: MigrationReport, status: Exit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def moved(_: Any) -> MigrationReport:
        return report

    for name, value in HERE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Migration, "run", moved)
    rejects = tmp_path / "rejects.jsonl"
    assert main(["migrate", "--from-environment", "--rejects", str(rejects)]) == status
    assert rejects.read_bytes() == b"" and rejects.stat().st_mode & 0o777 == 0o600


def test_it_speaks_the_language_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def moved(_: Any) -> MigrationReport:
        return MigrationReport(dry=False, walks=MovedKind(documents=3))

    for name, value in HERE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Migration, "run", moved)
    for lang, walks in (("en", "walks"), ("ja", "散歩")):
        assert main(["migrate", "--from-environment", "--lang", lang]) == Exit.OK
        assert any(line.startswith(walks) for line in capsys.readouterr().out.splitlines())


def test_a_reason_is_said_in_the_language_that_is_asked_for_and_kept_in_english_beside_its_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``is absent`` stands in a sentence of its own, behind the field that is."""
    why = message("is absent")
    report = MigrationReport(dry=False, refused=[refusal("walks/x", why, "latitude")])

    async def moved(_: Any) -> MigrationReport:
        return report

    for name, value in HERE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Migration, "run", moved)
    monkeypatch.setattr("harness.cli.migrate.language", lambda _: MARKING)
    rejects = tmp_path / "rejects.jsonl"
    assert main(["migrate", "--from-environment", "--lang", "ja", "--rejects", str(rejects)]) == Exit.HOLD
    assert "<  refused: walks/x latitude: <is absent>>" in capsys.readouterr().out
    kept = msgspec.json.decode(rejects.read_bytes(), type=Refusal)
    assert (kept.document, kept.field, kept.why, kept.told) == ("walks/x", "latitude", "is absent", why)


def test_everything_is_said_of_what_was_compared_and_refused() -> None:
    """To the word as the terminal had it before it spoke languages."""
    found = Verified(
        documents=1234, walks=5, unchanged=6, equal=7, later=8, different=9, missing=10, refused=11, caught_up=12,
        taken_back=13, alone=14, orphans=15,
    )  # fmt: skip
    since = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    consents = MovedKind(
        documents=2, seconds=1.25, since=since, unchanged=3, fates={"same": 1, "older": 1000, "new": 0}
    )
    refused = [refusal("walks/x", message("no UUID"), "id")] * 22
    walks = MovedKind(documents=0, resumed=True)
    report = MigrationReport(dry=False, walks=walks, consents=consents, verified=found, refused=refused)
    lines = [*map(str, told(report, Path("rejects.jsonl")))]
    assert lines[:4] == [
        "users: 0 in Auth, 0 rows made, 0 filled in",
        "walks: 0 documents, behind what was done before: none, 0 refused",
        "consents: 2 documents in 1.2 s written since 2026-01-02 03:04:05 UTC (3 others were not): 1 same, 1,000 older, "
        "0 refused",
        "compared: 1,234 documents, 5 walks in PostgreSQL: 6 unchanged since they were compared, 7 equal by digest, 8 "
        "later in PostgreSQL, 9 different, 10 missing, 11 refused; 12 written meanwhile and moved again, 13 deleted "
        "meanwhile and taken back; 14 in PostgreSQL alone, 15 of them as moved",
    ]
    assert lines[4:24] == ["  refused: walks/x id: no UUID"] * 20
    assert lines[24:] == ["  refused: 2 more; rejects.jsonl has them all"]


def test_consents_that_have_no_document_are_said_and_others_are_not() -> None:
    """One that was withdrawn stays in PostgreSQL, and nobody would know."""
    kept = MigrationReport(dry=False, verified=Verified(documents=1, equal=1, consents_alone=1234))
    [line] = [line for line in map(str, told(kept, None)) if "withdrawn" in line]
    assert line.startswith("consents: 1,234 in PostgreSQL have no document")
    assert kept.verified is not None and kept.verified.whole, "walks are, and nobody knows whether one was withdrawn"
    assert not [
        line for line in map(str, told(MigrationReport(dry=False, verified=Verified()), None)) if "withdrawn" in line
    ]


def test_a_pass_says_of_how_many_documents_it_is_where_that_is_known() -> None:
    moved = MovedKind(documents=1_000, seconds=2.0)
    assert str(_read("walks", moved, "walks/x", None)) == "walks: 1,000 read, 500/s, to walks/x"
    assert str(_read("walks", moved, "walks/x", 12_345)) == "walks: 1,000 of about 12,345 read, 500/s, to walks/x"
    assert str(_compared(1_000, None)) == "comparing: 1,000 documents"
    assert str(_compared(1_000, 12_345)) == "comparing: 1,000 of about 12,345 documents"


def test_every_fate_has_its_words() -> None:
    walks = MovedKind(documents=8, fates={str(fate): 2 for fate in Fate})
    line = str([*told(MigrationReport(dry=False, walks=walks), None)][1])
    assert line == f"walks: 8 documents: {', '.join(f'2 {fate}' for fate in Fate)}, 0 refused"


def test_counts_are_said_of_each_kind() -> None:
    walks = MovedKind(documents=3, refused=1, fates={"new": 2}, repaired={"description": 1}, unknown={"weather": 1})
    lines = "\n".join(map(str, told(MigrationReport(dry=True, users=2, users_made=1, walks=walks), None)))
    assert "2 in Auth, 1 rows would be made" in lines and "3 documents: 2 new, 1 refused" in lines
    assert "absent and filled in: description (1 documents)" in lines and "without a column: weather" in lines
