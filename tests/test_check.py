"""``check``: every kind of file is known by its keys, and refused before any stack by file, line and key; the schemas."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import jsonschema
import pytest
import yaml

from harness.base import planfile, yamltext
from harness.base.data import CLAIMS as REGISTER
from harness.base.data import PLANS, ROOT, SCENARIOS
from harness.base.errors import BadInput, Exit
from harness.cli.check import CheckedFile, check
from harness.cli.kinds import KINDS, SCHEMAS
from harness.cli.main import main

EXPERIMENTS = ROOT / "chaos" / "experiments"
FILES = sorted(
    [*REGISTER.glob("*.yaml"), *SCENARIOS.glob("*.yaml"), *PLANS.glob("*.yaml"), *EXPERIMENTS.glob("*.yaml")]
)
EXAMPLES = {
    "scenario": SCENARIOS / "rollout_week3.yaml",
    "chaos": EXPERIMENTS / "pod_kill.yaml",
    "chapter": REGISTER / "10_rollout.yaml",
    **{name: PLANS / f"{name}.yaml" for name in KINDS if (PLANS / f"{name}.yaml").exists()},
}
CLAIMS = """document: "Service levels"
claims:
- {id: walks.availability, statement: {en: "There.", ja: "ある。"}, section: "2.1", criterion: success availability > 99.5%}
"""


def without_modeline(path: Path, to: Path) -> Path:
    text = path.read_text()
    assert planfile.modeline(text)
    to.write_text(text.partition("\n")[2])
    return to


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_bundled_file_is_fine_and_known_by_its_keys_alone(path: Path, tmp_path: Path) -> None:
    by_line, by_keys = check(path)[0], check(without_modeline(path, tmp_path / path.name))[0]
    assert by_line.fine and by_keys.fine, by_keys
    assert (by_line.kind, by_line.holds) == (by_keys.kind, by_keys.holds)
    assert (by_line.by, by_keys.by) == ("the schema that its first lines name", "its keys")


def test_every_plan_of_a_rehearsal_is_one_of_the_kinds() -> None:
    assert EXAMPLES.keys() == KINDS.keys() - {"claims", "observe"}  # of which none is bundled
    reads = re.compile(r"planfile\.(load|bundled|made)\(|self\.read\(")
    files = (ROOT / "harness" / "rehearsals").glob("*/*.py")
    assert {path.parent.name for path in files if reads.search(path.read_text())} == KINDS.keys() - {
        "scenario",
        "claims",
        "chapter",
        "chaos",
        "prices",  # the costs read theirs beside their tables
        "signoff",
        "size",
        "ledger",
        "observe",
    }


def test_claims_of_your_own_are_a_kind_too(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(CLAIMS)
    assert check(path)[0].holds == "claims: 1"
    path.write_text(CLAIMS.replace("availability > 99.5%", "availability > 99.5"))
    found = check(path)[0]
    assert (found.fine, found.kind) == (False, "a file of claims")
    assert found.where.startswith(f"{path}:3, claims[0].criterion")


@pytest.mark.parametrize(
    ("name", "old", "new", "what", "where"),
    [
        ("scaling", "high: 8", "hihg: 8", "unknown key 'hihg'; did you mean 'high'?", ":11, parts[0].hihg"),
        ("scaling", "up_within: 45s", "up_within: 45", "45 is not a duration", ":13, parts[0].up_within"),
        ("secret_rotation", "poll: 20s", "pol: 20s", "unknown key 'pol'; did you mean 'poll'?", ":5, pol"),
        ("load_stages", "precision: 10%", "precision: 10", "10 is not a percentage", ", knee.precision"),
        ("dr_restore", "rto: 4h", "rto: 4x", "no unit of time", ", limits.rto"),
        ("flag_proof", "limit: 5min", "limit: 5", "5 is not a duration", ", limit"),
        ("cost", "tolerance: 10%", "tolerance: 10", "10 is not a percentage", ", tolerance"),
        ("prices", "gib_hour: $0.007", "gib_hour: 0.007", "0.007 is not an amount of dollars", ", database.gib_hour"),
        ("runbooks", "limit: 420s", "limit: 420", "420 is not a duration", ", limit"),
        ("deploy", "limits: rollout_week2", "limits: rollout_week9", "no scenario is called", ", limits"),
        ("network", "to: api_server", "to: api_servers", "did you mean 'api_server'?", ".to"),
        ("scenario", "window: ", "windo: ", "unknown key 'windo'; did you mean 'window'?", ", windo"),
        ("chaos", "most_failed: 10%", "most_failed: much", "'much'", ":8, extensions[0].most_failed"),
        ("chaos", "func: undo", "func: undone", "Chaos Toolkit does not take it", ""),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_the_file_was_taken_for(
    tmp_path: Path, name: str, old: str, new: str, what: str, where: str
) -> None:
    path = without_modeline(EXAMPLES[name], tmp_path / "mine.yaml")
    assert old in path.read_text()
    path.write_text("\n" + path.read_text().replace(old, new, 1))
    found = check(path)[0]
    assert (found.fine, found.kind, found.by, found.holds) == (False, KINDS[name].told, "its keys", "")
    assert what in found.what
    assert found.where.startswith(str(path)) and where in found.where


#: Keys that only a target file has.
OF_TARGET = {
    "command": "./walk-api", "image": "ours:v3", "dockerfile": "Dockerfile", "deployment": "walk",
    "variables": "{port: PORT}", "keep": "[Deployment/redis]", "openapi": "api/openapi.yaml",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: 1\nb: 2\n", "those of no kind of file"),
        ("name: x\n", "those of no kind of file"),
        ("", "mine.yaml is empty"),
        ("- 1\n", "a file is one mapping of keys"),
        ("some text\n", "a file is one mapping of keys"),
        ("a: 1\n---\nb: 2\n", "more than one YAML document"),
        ("name: ours\nimage: ours:v3\n", "the keys of a target file"),
        ("command: ./walk-api\nmigrations: none\n", "the keys of a target file"),
        *((f"{key}: {value}\n", "the keys of a target file") for key, value in OF_TARGET.items()),
        ("title: x\nparts: []\nlimits: x\npoll: 1s\n", "as much those of a plan of deploy_rehearsal as of a plan of"),
        ("a: [\n", "not YAML"),
    ],
)
def test_a_file_of_no_kind_is_not_guessed_at(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    found = check(path)[0]
    assert (found.fine, found.kind, found.by) == (False, "", "")
    assert what in found.what


@pytest.mark.parametrize("number", ["1" + ":59" * 20_000, "1" + ":59" * 20_000 + ".5", "0b" + "1" * 300_000])
def test_no_number_costs_more_than_its_digits(number: str) -> None:
    with pytest.raises(BadInput):
        yamltext.documents(f"a: {number}", "file")


def test_the_first_line_decides_over_the_keys(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("# yaml-language-server: $schema=elsewhere/scaling.schema.json\npoll: 20s\n")
    found = check(path)[0]
    assert (found.fine, found.kind) == (False, "a plan of scaling")
    assert "unknown key 'poll'" in found.what


def test_the_command_tells_of_every_file_and_ends_in_2_when_one_is_not_fine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(EXAMPLES["scaling"].read_text().replace("high: 8", "high: 80", 1))
    fine = EXAMPLES["scaling"]
    assert main(["check", str(fine)]) == Exit.OK
    assert capsys.readouterr() == (f"{fine}: fine, a plan of scaling; parts: 8\n", "")
    assert main(["check", str(wrong), str(fine), str(tmp_path / "none.yaml")]) == Exit.USAGE
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        f"{wrong}: not fine, taken for a plan of scaling by the schema that its first lines name",
        f"{fine}: fine, a plan of scaling; parts: 8",
        f"{tmp_path / 'none.yaml'}: not fine",
    ]
    assert f"where: {wrong}:11, parts[0].high" in said.err
    assert "to do: for example `high: 2`" in said.err
    assert "cannot read" in said.err


def test_the_manual_shows_what_it_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-plan.yaml").write_text(EXAMPLES["scaling"].read_text())
    assert main(["check", "my-plan.yaml"]) == Exit.OK
    page = (ROOT / "docs" / "plans.md").read_text("utf-8")
    assert re.search(r"harness check my-plan\.yaml +# (.+\n)", page)[1] == capsys.readouterr().out  # type: ignore[index]


def test_it_is_told_in_japanese(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong, fine, neither = tmp_path / "wrong.yaml", EXAMPLES["scaling"], tmp_path / "neither.yaml"
    wrong.write_text(fine.read_text().replace("high: 8", "hihg: 8", 1))
    neither.write_text("a: 1\n")
    assert main(["check", str(wrong), str(fine), str(tmp_path), str(neither), "--lang", "ja"]) == Exit.USAGE
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        f"{wrong}: 使えない。先頭の行が示すスキーマにより、`scaling`の計画と判断した",
        f"{fine}: 使える。`scaling`の計画である。parts: 8",
        f"{tmp_path}: 使えない",
        f"{neither}: 使えない",
    ]
    assert (
        f"エラー: 知らないキー'hihg'。'high'のことか\n  場所: {wrong}:11, parts[0].hihg\n  対処: ここで使えるキーは"
        in said.err
    )
    assert f"エラー: {tmp_path}を読めない: Is a directory\n  場所: {tmp_path}\n  対処: " in said.err
    assert (
        f"  場所: {neither}\n  対処: 先頭に`# yaml-language-server: $schema=KIND.schema.json`と書く。KINDは" in said.err
    )


def test_the_same_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--json", str(EXAMPLES["network"]), "nowhere.yaml"]) == Exit.USAGE
    fine, wrong = json.loads(capsys.readouterr().out)
    assert fine == {
        "file": str(EXAMPLES["network"]),
        "fine": True,
        "kind": "a plan of network",
        "by": "the schema that its first lines name",
        "holds": "paths: 20",
    }
    assert wrong["fine"] is False and wrong["remedy"] == "check the path"
    assert wrong.keys() <= set(CheckedFile.__struct_fields__)


# -- the schemas, for editors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_the_committed_schema_is_current(name: str) -> None:
    committed = (SCHEMAS / f"{name}.schema.json").read_bytes()
    assert committed == KINDS[name].schema(), "run: python -m harness.cli.kinds"


def test_there_is_no_schema_of_what_is_no_kind() -> None:
    assert {path.name for path in SCHEMAS.iterdir()} == {f"{name}.schema.json" for name in KINDS}


@cache
def validator(schema: Path) -> jsonschema.Draft202012Validator:
    """Of a schema that is one: several files name the same."""
    found = json.loads(schema.read_text())
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_bundled_file_names_its_schema_and_keeps_it(path: Path) -> None:
    schema = (path.parent / planfile.modeline(path.read_text())).resolve()
    assert schema.parent == SCHEMAS
    found = validator(schema)
    found.validate(yaml.load(path.read_text(), yamltext.SAFE))
    assert isinstance(found.schema, dict)
    assert found.schema["title"] == check(path)[0].kind


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("scaling", "high: 8", "high: 80"),
        ("scaling", "up_within: 45s", "up_within: 45"),
        ("scaling", "scaling.time.manual_up", "scaling.time.manual_upp"),
        ("dr_restore", "[16MiB,", "[16MB,"),
        ("flag_proof", "late: rollout.rollback.twelve_hours", "late: rollout.rollback.hours"),
        ("network", "allowed: true", "allow: true"),
        ("prices", "hour: $0.10", "hour: 0.10"),
        ("chaos", "most_failed: 10%", "most_failed: 0.1"),
        ("chaos", "name: tekutoko", "name: tekutok"),
    ],
)
def test_a_schema_refuses_what_the_loader_refuses(name: str, old: str, new: str) -> None:
    text = EXAMPLES[name].read_text()
    assert old in text
    found = jsonschema.Draft202012Validator(json.loads((SCHEMAS / f"{name}.schema.json").read_text()))
    assert not found.is_valid(yaml.load(text.replace(old, new, 1), yamltext.SAFE))
