"""Every answer of a run against the file: a success status that it names, a body of the schema that it gives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from harness.checks.contract.check import Deviates
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.run import CheckRun, Deviation, DeviationKind, Grade, SentenceSource, SourceKind
from harness.model.message import message
from harness.rehearsals.conformance.openapi.file import OpenApiFile
from harness.rehearsals.conformance.openapi.operations import SHAPES, OpenApiOperation

MOST_BYTES = 64 * 1024  # of a body that is looked at: a walk of 20,000 locations takes seconds
SENTENCES = {
    "openapi.answers": "each answer has a success status and a body that the team's OpenAPI file names",
    "openapi.differs": "the team's OpenAPI file and the contract say the same",
    "openapi.operations": "the team's OpenAPI file has each call of the contract at its path",
}
_UUID = re.compile(r"^/v1/walks/[^/?]+$")


class OperationAnswers:
    """Takes in exchanges as they come; one result for each operation that was answered."""

    def __init__(self, file: OpenApiFile, found: dict[str, OpenApiOperation]) -> None:
        from openapi_schema_validator import OAS30ReadValidator, OAS31Validator

        older = str(file.data["openapi"]).startswith("3.0.")
        self._validator: Any = OAS30ReadValidator if older else OAS31Validator
        self._file = file
        self._found = found
        self._validators: dict[tuple[str, str], Any] = {}
        self._deviations: dict[str, tuple[Deviates, str]] = {}
        self.looked_at: set[str] = set()

    def take(self, exchanges: Sequence[HttpExchange]) -> None:
        """Looks at those of the file's operations; the first deviation of each is kept."""
        for exchange in exchanges:
            name = _named(exchange)
            if name in self._found and exchange.status and name not in self._deviations and exchange.path.isascii():
                self._look(self._found[name], exchange)

    def results(self) -> tuple[tuple[CheckRun, HttpExchange | None], ...]:
        """By operation, each deviation with its request."""
        return tuple(self._result(name) for name in self._found if name in self.looked_at or name in self._deviations)

    def _result(self, name: str) -> tuple[CheckRun, HttpExchange | None]:
        operation = self._found[name]
        source = SentenceSource(SourceKind.OPENAPI, self._file.place(operation.path))
        passed = CheckRun(id=f"openapi.answers.{name}", sentence=SENTENCES["openapi.answers"], source=source)
        if name not in self._deviations:
            return passed, None
        deviation, place = self._deviations[name]
        found = Deviation(
            expected=deviation.expected,
            got=deviation.got,
            grade=Grade.OPENAPI,
            finding=deviation.finding or DeviationKind.BODY,
        )
        place_ = SentenceSource(SourceKind.OPENAPI, place)
        return CheckRun(id=passed.id, sentence=passed.sentence, source=place_, deviation=found), deviation.exchange

    def _look(self, operation: OpenApiOperation, exchange: HttpExchange) -> None:
        responses, here = self._file.at((*operation.path, "responses"))
        key = next((key for key in _keys(exchange.status) if key in (responses or {})), None)
        if key is None:
            if exchange.status < 300 and any(each.startswith("2") for each in responses or {}):
                named = ", ".join(each for each in responses if each.startswith("2"))
                self._note(
                    operation,
                    Deviates(message("status {status}", status=named), exchange.shown, exchange, DeviationKind.STATUS),
                    here,
                )
            return  # the file is silent on a refusal: the contract alone says what it is
        content, _ = self._file.at((*operation.path, "responses", key, "content"))
        media = next((each for each in content or {} if _is_json(each)), "")
        if content and not media:
            return  # what it says is of another kind of body
        schema, there = self._file.at((*operation.path, "responses", key, "content", media, "schema"))
        if schema and len(exchange.body) > MOST_BYTES:
            return  # not compared
        if not schema or schema is True or exchange.method == "HEAD":
            self.looked_at.add(operation.name)
            return
        try:
            error = next(self._of(operation, key, schema).iter_errors(exchange.json()), None)
        except Exception:  # of a value, a schema or a reference that no validator takes: nothing was compared
            return
        self.looked_at.add(operation.name)
        if error is not None:
            at = "/".join(map(str, error.absolute_path)) or "the body"
            what = Deviates(
                message("a body of its own schema"), f"{at}: {error.message[:200]}", exchange, DeviationKind.BODY
            )
            self._note(operation, what, there)

    def _of(self, operation: OpenApiOperation, key: str, schema: Any) -> Any:
        """One validator a schema; the components beside it, so that references lead somewhere."""
        if (operation.name, key) not in self._validators:
            whole = {**schema, **{name: self._file.data.get(name, {}) for name in ("components", "paths")}}
            self._validators[operation.name, key] = self._validator(whole)
        return self._validators[operation.name, key]

    def _note(self, operation: OpenApiOperation, deviation: Deviates, here: Any) -> None:
        self._deviations[operation.name] = (deviation, self._file.place(here))


def _is_json(media: str) -> bool:
    return media.partition(";")[0].strip().lower() == "application/json"


def _keys(status: int) -> tuple[str, ...]:
    return str(status), f"{status // 100}XX", f"{status // 100}xx", "default"


def _named(exchange: HttpExchange) -> str:
    path = exchange.path.partition("?")[0]
    shape = "/v1/walks/{}" if _UUID.match(path) else path
    wanted = (exchange.method.lower(), shape)
    return next((name for name, each in SHAPES.items() if each == wanted), "")
