"""From a file to what a run does with it: its rules, what it says otherwise than the contract, and its answers."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.base.errors import BadInput
from harness.contract.grade import Finding, Grade, Source, SourceKind
from harness.contract.rules import CONTRACT, Rules
from harness.contract.run import CheckRun, Deviation
from harness.model.message import Message, message
from harness.rehearsals.conformance.openapi.answers import SENTENCES, Answers
from harness.rehearsals.conformance.openapi.decides import decided
from harness.rehearsals.conformance.openapi.file import OpenApiFile, read
from harness.rehearsals.conformance.openapi.operations import SHAPES, operations


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

    def answers(self) -> Answers:
        """Takes in a run's exchanges."""
        return Answers(self.file, self.operations)

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
            source=Source(SourceKind.OPENAPI, place),
            deviation=Deviation(
                expected=expected,
                got=got,
                grade=Grade.ADVICE,
                finding=Finding.BODY if "operations" not in id_ else Finding.STATUS,
            ),
        )
