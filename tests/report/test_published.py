"""run.json: lossless, valid by its own schema, and refused when it is broken or newer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from harness.model.errors import BadInput, Exit
from harness.model.evidence import Row
from harness.model.run import SCHEMA_VERSION, Run
from harness.report.published import DOCUMENTS, RUN, Published
from tests.report.runs import PLAIN


@pytest.mark.parametrize("published", DOCUMENTS, ids=lambda published: str(published.file_name))
def test_the_committed_schema_is_current(published: Published[Any]) -> None:
    assert published.schema_file.read_bytes() == published.encode_schema(), "run: python -m harness.report.published"


@pytest.mark.parametrize("name", ["healthy", "rolled_back"])
def test_a_written_run_reads_back_equal_and_is_valid(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    run, _ = request.getfixturevalue(name)
    path = RUN.write(tmp_path, run)
    assert RUN.read(path) == run
    schema = json.loads(RUN.schema_file.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(path.read_text()))


def test_a_broken_run_without_anything_is_valid_too(tmp_path: Path) -> None:
    path = RUN.write(tmp_path, PLAIN)
    assert RUN.read(path) == PLAIN
    jsonschema.Draft202012Validator(json.loads(RUN.schema_file.read_text())).validate(json.loads(path.read_text()))


def test_the_schema_refuses_what_is_wrong(healthy: tuple[Run, list[Row]]) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(RUN.schema_file.read_text()))
    good = json.loads(msgspec.json.encode(healthy[0]))
    for change in (
        {"schema_version": SCHEMA_VERSION + 1},
        {"decision": "maybe"},
        {"rung": "cloud"},
        {"seed": "seven"},
        {"criteria": [{"id": "x"}]},
    ):
        assert not validator.is_valid({**good, **change}), change


def test_the_fields_that_the_design_promises_are_there(healthy: tuple[Run, list[Row]], tmp_path: Path) -> None:
    document = json.loads(RUN.write(tmp_path, healthy[0]).read_text())
    assert {
        "schema_version", "run_id", "scenario", "rung", "target", "seed", "replay", "decision", "criteria", "timings", "leaks",
    } <= set(document)  # fmt: skip
    assert {
        "id", "claim", "kind", "verdict", "value", "bound", "unit", "threshold", "samples", "reason",
    } <= set(document["criteria"][0])  # fmt: skip


def test_a_newer_run_is_refused_by_its_version_though_its_fields_changed(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"schema_version": SCHEMA_VERSION + 1, "something": "else"}))
    with pytest.raises(BadInput, match=f"version {SCHEMA_VERSION + 1}") as caught:
        RUN.read(path)
    assert caught.value.exit is Exit.USAGE


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema_version": "1"}', '{"schema_version": 1}'])
def test_a_broken_run_is_bad_input_with_place_and_remedy(tmp_path: Path, content: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(content)
    with pytest.raises(BadInput, match="does not say what it must") as caught:
        RUN.read(path)
    assert str(path) in str(caught.value)
    assert caught.value.remedy


def test_the_field_at_fault_is_named(healthy: tuple[Run, list[Row]], tmp_path: Path) -> None:
    document = json.loads(msgspec.json.encode(healthy[0]))
    document["criteria"][1]["verdict"] = "perhaps"
    (tmp_path / "run.json").write_text(json.dumps(document))
    with pytest.raises(BadInput, match=r"criteria\[\.*1?\.*\]\.verdict"):
        RUN.read(tmp_path / "run.json")


def test_a_missing_run_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        RUN.read(tmp_path / "run.json")
