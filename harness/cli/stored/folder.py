"""A run's folder, found and read: the result, the plan as it was used, the evidence, the machine, the manifests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.base.errors import NOT_JSON, BadInput
from harness.evidence.store import EVIDENCE, Gathered, last_file, stored
from harness.model.message import message
from harness.model.result import Result
from harness.report.latest import LATEST
from harness.report.published import RESULT, RESULT_JSON
from harness.run.registry import MODULES, rehearsal
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.run.result import details_of
from harness.run.runner import MACHINE_JSON, MANIFESTS_JSON, PLAN_JSON

_T = TypeVar("_T")


@dataclass(frozen=True)
class StoredRun:
    """What lies in a run's folder. ``rehearsal`` and ``plan`` are of the types that today's harness has for them."""

    folder: Path
    result: Result
    rehearsal: Rehearsal[Any, Any]
    plan: Any
    details: Any
    evidence: Gathered
    plan_json: dict[str, Any]
    machine: dict[str, Any]
    manifests: dict[str, Any]

    @property
    def killed(self) -> bool:
        """Whether it never reported: then its own facts are those of its beginning."""
        return self.result.exit_status is None

    def seen(self) -> RunRecord[Any]:
        """What a judge is given."""
        ended = not self.killed and not self.result.facts.errors
        return RunRecord(facts=self.result.facts, details=self.details, evidence=self.evidence, ended=ended)


def locate(text: str, reports: Path) -> Path:
    """The folder of a run: a folder, a file of it, ``latest``, or a run's id below ``reports``.

    Raises ``BadInput`` when there is none.
    """
    path = Path(text)
    if text == LATEST or (not path.exists() and (reports / text).is_dir()):
        path = reports / text
    if path.is_file() and path.name in {RESULT_JSON, EVIDENCE, PLAN_JSON}:
        path = path.parent
    if not path.is_dir():
        raise BadInput(
            message("there is no run {given}", given=repr(text)),
            where=str(path),
            remedy=message(
                "name a run's folder, its result.json, a run's id below {reports}, or latest", reports=str(reports)
            ),
        )
    return path.resolve()


def read_result(folder: Path) -> Result:
    """The folder's result. Raises ``BadInput`` that says what the folder holds in its place."""
    if not (folder / RESULT_JSON).is_file():
        raise BadInput(
            "the folder holds no result.json: no run, one that an older version made, or one that ended too early",
            where=str(folder),
            remedy="name the folder of a run, e.g. reports/latest, or run the rehearsal again",
        )
    return RESULT.read(folder / RESULT_JSON)


def read_stored(text: str, reports: Path) -> StoredRun:
    """Reads the run that ``text`` names (see ``locate``). Raises ``BadInput`` for whatever is missing or broken."""
    folder = locate(text, reports)
    result = read_result(folder)
    if result.rehearsal not in MODULES:
        raise BadInput(
            message(
                "the run is of the rehearsal {rehearsal}, which this harness does not have",
                rehearsal=repr(result.rehearsal),
            ),
            where=str(folder / RESULT_JSON),
            remedy="use the harness that wrote it",
        )
    found = rehearsal(result.rehearsal)
    evidence = stored(folder, result.evidence_digest)
    _same_run(folder, result)
    try:
        details = details_of(found, result)
    except msgspec.ValidationError as error:
        raise _not_ours(folder / RESULT_JSON, f"details: {error}") from error
    # What the details of today have, and those of the run have not: a default is nothing that was seen.
    for place in _absent("", msgspec.to_builtins(details, str_keys=True), result.details):
        evidence.lacks(message("the run's details do not say {place}", place=place))
    return StoredRun(
        folder=folder,
        result=result,
        rehearsal=found,
        plan=decoded(folder / PLAN_JSON, found.plan),
        details=details,
        evidence=evidence,
        plan_json=decoded(folder / PLAN_JSON, dict[str, Any]),
        machine=_optional(folder / MACHINE_JSON),
        manifests=_optional(folder / MANIFESTS_JSON),
    )


def _absent(place: str, today: object, then: object) -> Iterator[str]:
    """The places of ``today`` that ``then`` has not."""
    if isinstance(today, dict) and isinstance(then, dict):
        for name, value in today.items():
            inner = f"{place}.{name}" if place else str(name)
            if name not in then:
                yield inner
            else:
                yield from _absent(inner, value, then[name])
    elif isinstance(today, list | tuple) and isinstance(then, list):
        for number, (value, before) in enumerate(zip(today, then, strict=False)):
            yield from _absent(f"{place}[{number}]", value, before)


def _same_run(folder: Path, result: Result) -> None:
    from harness.evidence.store import read_meta

    evidence = last_file(folder)
    if not evidence.is_file():
        return
    run_id = read_meta(evidence).get("run_id", "")
    if run_id != result.run_id:
        raise BadInput(
            message(
                "result.json is of the run {run_id}, the evidence beside it of {other}",
                run_id=result.run_id,
                other=run_id,
            ),
            where=str(folder),
            remedy="name the folder as the run left it",
        )


def _optional(path: Path) -> dict[str, Any]:
    return decoded(path, dict[str, Any]) if path.exists() else {}


def decoded(path: Path, kind: type[_T]) -> _T:
    """What a JSON file of a run says. Raises ``BadInput``."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, *NOT_JSON) as error:
        raise _not_ours(path, str(error)) from error


def _not_ours(path: Path, what: str) -> BadInput:
    return BadInput(
        message("{name} does not say what it must: {what}", name=path.name, what=what),
        where=str(path),
        remedy="it was changed, cut, or written by another harness: use that one, or run the rehearsal again",
    )
