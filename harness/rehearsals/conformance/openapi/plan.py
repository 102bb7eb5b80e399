"""From a file to what a run does with it: its rules, what it says otherwise than the contract, and its answers.

What the file says of what the contract says too: the rules that differ, each with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness.base.errors import BadInput
from harness.base.yamltext import Path_
from harness.checks.contract.rules import CONTRACT, FileRule, Rules
from harness.checks.contract.run import CheckRun, Deviation, DeviationKind, Grade, SentenceSource, SourceKind
from harness.checks.contract.shape import WALK
from harness.model.message import Message, message
from harness.rehearsals.conformance.openapi.answers import SENTENCES, OperationAnswers
from harness.rehearsals.conformance.openapi.file import OpenApiFile, read
from harness.rehearsals.conformance.openapi.operations import SHAPES, OpenApiOperation, operations

_JSON = ("content", "application/json", "schema")
_COUNT = r"(\d[\d,]*)"
_UNIT = r"(?:requests?|reqs?|calls?|回|件|リクエスト)"
#: "100 requests per minute", "300 req/min", 「1分あたり300リクエスト」, 「300リクエスト/分」
_RATES = (
    re.compile(rf"{_COUNT}\s*{_UNIT}?\s*(?:/|per|a|each|every)\s*(?:1\s*)?(?:minute|min|分)", re.IGNORECASE),
    re.compile(rf"(?:毎分|1?\s*分(?:間に|あたり|につき)?)\s*(?:最大|上限)?\s*{_COUNT}\s*{_UNIT}"),
)


def decided(file: OpenApiFile, found: dict[str, OpenApiOperation]) -> dict[str, FileRule]:
    """The rules that the file sets otherwise than the contract."""
    said = dict(_said(file, found))
    return {name: rule for name, rule in said.items() if rule.value != CONTRACT[name]}


def _said(file: OpenApiFile, found: dict[str, OpenApiOperation]) -> Iterator[tuple[str, FileRule]]:
    for name, operation in found.items():
        statuses = [status for status in file.at((*operation.path, "responses"))[0] or {} if status.startswith("2")]
        if len(statuses) == 1 and statuses[0].isdecimal():
            yield f"{name}.status", FileRule(int(statuses[0]), file.place((*operation.path, "responses", statuses[0])))
    for rule in CONTRACT:
        parts = rule.split(".")
        if len(parts) == 3 and parts[0] in found and parts[2] == "maxLength":
            yield from _length(file, rule, (*found[parts[0]].path, "requestBody", *_JSON), parts[1])
    if "create" in found:
        yield from _required(file, (*found["create"].path, "requestBody", *_JSON))
    if "list" in found:
        yield from _paging(file, found["list"])
    yield from _rate(file, found)
    if "get" in found:
        yield from _fields(file, found["get"])


def _length(file: OpenApiFile, rule: str, path: Path_, field: str) -> Iterator[tuple[str, FileRule]]:
    for schema, here in _property(file, path, field):
        if isinstance(schema.get("maxLength"), int):
            yield rule, FileRule(schema["maxLength"], file.place((*here, "maxLength")))
            return


def _property(file: OpenApiFile, path: Path_, field: str) -> list[tuple[dict[str, Any], Path_]]:
    """The parts of one property's schema."""
    for schema, here in file.parts(*file.at(path)):
        held = (schema.get("properties") or {}).get(field)
        if held is not None:
            return file.parts(held, (*here, "properties", field))
    return []


def _required(file: OpenApiFile, path: Path_) -> Iterator[tuple[str, FileRule]]:
    for schema, here in file.parts(*file.at(path)):
        if "description" in (schema.get("required") or ()):
            yield "create.description.required", FileRule(True, file.place((*here, "required")))
            return


def _paging(file: OpenApiFile, listing: OpenApiOperation) -> Iterator[tuple[str, FileRule]]:
    for above in (listing.path, listing.path[:-1]):  # parameters of the operation, and of its path
        for number, _ in enumerate(file.at((*above, "parameters"))[0] or ()):
            parameter, here = file.at((*above, "parameters", number))
            rule = f"list.{parameter.get('name')}.maximum"
            for schema, there in file.parts(parameter.get("schema"), (*here, "schema")):
                if rule in CONTRACT and isinstance(schema.get("maximum"), int):
                    yield rule, FileRule(schema["maximum"], file.place((*there, "maximum")))


def _rate(file: OpenApiFile, found: dict[str, OpenApiOperation]) -> Iterator[tuple[str, FileRule]]:
    """``x-rate-limit`` of the operation, its path or the file; else the description of an answer 429."""
    for operation in found.values():
        for above in (operation.path, operation.path[:-1], ()):
            value, here = file.at((*above, "x-rate-limit"))
            if isinstance(value, int):
                yield "rate_limit", FileRule(value, file.place(here))
                return
    for operation in found.values():
        text, here = file.at((*operation.path, "responses", "429", "description"))
        for pattern in _RATES:
            if isinstance(text, str) and (hit := pattern.search(text)):
                yield "rate_limit", FileRule(int(hit[1].replace(",", "")), file.place(here))
                return


def _fields(file: OpenApiFile, read: OpenApiOperation) -> Iterator[tuple[str, FileRule]]:
    """Of a walk as answered: fields that ``required`` leaves out, where there is such a list, and that may be null."""
    status = next((each for each in file.at((*read.path, "responses"))[0] or {} if each.startswith("2")), "200")
    path = (*read.path, "responses", status, *_JSON)
    parts = file.parts(*file.at(path))
    required = {name for schema, _ in parts for name in schema.get("required") or ()}
    known = [name for name in WALK if _property(file, path, name)]
    if required:
        place = file.place(next((*here, "required") for schema, here in parts if schema.get("required")))
        yield "walk.optional", FileRule(tuple(name for name in known if name not in required), place)
    nullable = [name for name in known if _may_be_null(_property(file, path, name)) and not WALK[name][0](None)]
    if nullable:
        yield "walk.nullable", FileRule(tuple(nullable), file.place(_property(file, path, nullable[0])[0][1]))


def _may_be_null(parts: list[tuple[dict[str, Any], Path_]]) -> bool:
    schema = parts[0][0]
    kinds = schema.get("type")
    either = [*(schema.get("anyOf") or ()), *(schema.get("oneOf") or ())]
    return bool(schema.get("nullable")) or (isinstance(kinds, list) and "null" in kinds) or {"type": "null"} in either


class OpenApiPlan:
    """One file, read. Raises ``BadInput`` when it is broken, or knows no walk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: OpenApiFile = read(path)
        self.operations = operations(self.file)
        if not self.operations:
            raise BadInput(
                message("no path of it looks like /v1/walks or /v1/walks/{id}"),
                where=self.file.place(("paths",)),
                remedy="name the file of the walk API",
            )
        self.rules = Rules(decided(self.file, self.operations))

    def answers(self) -> OperationAnswers:
        """Takes in a run's exchanges."""
        return OperationAnswers(self.file, self.operations)

    def for_others(self, folder: Path) -> Path:
        """The file for another program to read: the team's own, or one in ``folder`` that joins its several."""
        if self.file.alone:
            return self.path
        whole = folder / "openapi.json"
        whole.write_bytes(msgspec.json.encode(self.file.data))
        return whole

    @property
    def base(self) -> str:
        """What stands before the file's own paths, so that the contract's come out: ``/v1`` for ``/walks``."""
        one = next(iter(self.operations.values()))
        return "/v1" if not str(one.path[1]).startswith("/v1/") and "/v1/" not in str(one.path[1]) else ""

    def differences(self) -> tuple[CheckRun, ...]:
        """What the file says otherwise, once each: advice, with its line. People decide which of the two to change."""
        found = [
            self._advice(
                f"openapi.differs.{name}", f"{CONTRACT[name]}, as the contract has it", str(rule.value), rule.place
            )
            for name, rule in self.rules.decided.items()
        ]
        for name, (method, shape) in SHAPES.items():
            call = f"{method.upper()} {shape.replace('{}', '{id}')}"
            if name not in self.operations:
                place = self.file.place(("paths",))
                found.append(
                    self._advice(f"openapi.operations.{name}", call, message("no such call in the file"), place)
                )
            elif self.operations[name].whole != shape:
                at = self.operations[name]
                found.append(self._advice(f"openapi.operations.{name}", call, at.whole, self.file.place(at.path[:2])))
        return tuple(found)

    def _advice(self, id_: str, expected: str, got: str | Message, place: str) -> CheckRun:
        return CheckRun(
            id=id_,
            sentence=SENTENCES[".".join(id_.split(".")[:2])],
            source=SentenceSource(SourceKind.OPENAPI, place),
            deviation=Deviation(
                expected=expected,
                got=got,
                grade=Grade.ADVICE,
                finding=DeviationKind.BODY if "operations" not in id_ else DeviationKind.STATUS,
            ),
        )
