"""result.json: lossless, valid by its own schema, and refused when it is broken or newer."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import jsonschema
import pytest

from harness.base.errors import BadInput, Exit
from harness.model.judgement import Decision
from harness.model.result import SCHEMA_VERSION, Result
from harness.report.published import RESULT
from tests.report import results
from tests.report.test_html import nasty

EXAMPLES: dict[str, Callable[[], Result]] = {
    "advanced": results.advanced,
    "rolled_back": results.rolled_back,
    "everything": results.everything,
    "nasty": nasty,
    "broken": lambda: results.result(None, errors=("PostgreSQL ended",)),
    "under way": lambda: results.result(None, exit_status=None),
    "nothing": lambda: results.command(Decision.HOLD),
}


@cache
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(RESULT.schema_file.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_committed_schema_is_current() -> None:
    assert RESULT.schema_file.read_bytes() == RESULT.encode_schema(), "run: python -m harness.report.published"


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_written_result_reads_back_equal_and_is_valid(name: str, tmp_path: Path) -> None:
    run = EXAMPLES[name]()
    path = RESULT.write(tmp_path, run)
    assert RESULT.read(path) == run
    validator().validate(json.loads(path.read_text()))


def test_a_rehearsal_s_own_facts_come_back_as_they_were(tmp_path: Path) -> None:
    run = results.result(Decision.ADVANCE, details={"rounds": [1, 2]})
    assert RESULT.read(RESULT.write(tmp_path, run)).details == {"rounds": [1, 2]}


def test_the_schema_refuses_what_is_wrong() -> None:
    check = validator()
    good = json.loads(RESULT.encode(results.everything()))
    check.validate(good)
    facts, judgements = good["facts"], good["judgements"]
    for change in (
        {"schema_version": SCHEMA_VERSION + 1},
        {"decision": "maybe"},
        {"exit_status": "ten"},
        {"facts": {**facts, "rung": "cloud"}},
        {"facts": {**facts, "seed": "seven"}},
        {"judgements": [{"id": "x"}]},
        {"judgements": [{**judgements[0], "verdict": "perhaps"}]},
        {"sections": [{"type": "song", "title": {"text": "x"}}]},
    ):
        assert not check.is_valid({**good, **change}), change


def test_the_fields_that_others_read_are_there() -> None:
    document = json.loads(RESULT.encode(results.rolled_back()))
    assert {"schema_version", "run_id", "rehearsal", "plan", "decision", "exit_status", "facts", "judgements"} <= set(
        document
    )
    assert {"rung", "target", "seed", "replay", "started_utc"} <= set(document["facts"])
    assert {"id", "claim", "verdict", "told", "value", "bound", "unit", "limit", "samples"} <= set(
        document["judgements"][0]
    )


def test_a_newer_result_is_refused_by_its_version_though_its_fields_changed(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps({"schema_version": SCHEMA_VERSION + 1, "something": "else"}))
    with pytest.raises(BadInput, match=f"version {SCHEMA_VERSION + 1}") as caught:
        RESULT.read(path)
    assert caught.value.exit is Exit.USAGE


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema_version": "1"}', '{"schema_version": 1}'])
def test_a_broken_result_is_bad_input_with_place_and_remedy(tmp_path: Path, content: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(content)
    with pytest.raises(BadInput, match="does not say what it must") as caught:
        RESULT.read(path)
    assert str(path) in str(caught.value)
    assert caught.value.remedy


def test_the_field_at_fault_is_named(tmp_path: Path) -> None:
    document = json.loads(RESULT.encode(results.rolled_back()))
    document["judgements"][1]["verdict"] = "perhaps"
    (tmp_path / "result.json").write_text(json.dumps(document))
    with pytest.raises(BadInput, match=r"judgements\[\.*1?\.*\]\.verdict"):
        RESULT.read(tmp_path / "result.json")


def test_the_schema_promises_of_a_section_its_kind_alone_and_reading_asks_for_all_of_it(tmp_path: Path) -> None:
    document = {**json.loads(RESULT.encode(results.everything())), "sections": [{"type": "chart"}]}
    validator().validate(document)
    (tmp_path / "result.json").write_text(json.dumps(document))
    with pytest.raises(BadInput, match=r"missing required field.*sections"):
        RESULT.read(tmp_path / "result.json")


def test_a_missing_result_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        RESULT.read(tmp_path / "result.json")
