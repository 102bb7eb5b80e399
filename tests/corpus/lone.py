"""The old documents of mirror_stop, conformance, flag_proof and dr_restore as the details of today: what a run then left."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.rehearsals.conformance.types import CheckRun, ConformanceDetails, Extra, Fuzz
from harness.rehearsals.conformance.types import TargetFacts as Target
from harness.rehearsals.dr_restore.facts import CaseResult
from harness.rehearsals.flag_proof.types import FlagProofDetails
from harness.rehearsals.mirror_stop.types import MirrorStopDetails


def mirror_stop(old: dict[str, Any]) -> MirrorStopDetails:
    """Of ``mirror_stop.json``."""
    kept = {"killed_pod": old["killed_pod"], "steps": old["steps"]}
    return msgspec.convert(kept, MirrorStopDetails)


def conformance(old: dict[str, Any]) -> ConformanceDetails:
    """Of ``conformance.json``."""
    return ConformanceDetails(
        target=msgspec.convert(old["target"], Target),
        checks=msgspec.convert([_check(each) for each in old["checks"]], list[CheckRun]),
        extras=msgspec.convert(old["extras"], list[Extra]),
        fuzz=msgspec.convert(old["fuzz"], Fuzz | None),
    )


def _check(old: dict[str, Any]) -> dict[str, Any]:
    kept = {name: old[name] for name in ("id", "sentence", "source", "curl", "request_file", "decided", "allowed")}
    kept["seconds"] = old["duration_s"]
    if old["outcome"] in ("deviation", "advice"):
        kept["deviation"] = {name: old[name] for name in ("expected", "got", "grade", "finding")}
    elif old["outcome"] == "not_exercised":
        kept["lacking"] = _words(old["reason"])
    elif old["outcome"] == "measurement_error":
        kept["broken"] = old["reason"]
    return kept


def flag_proof(old: dict[str, Any]) -> FlagProofDetails:
    """Of ``flag_proof.json``: the switches; of stories and walks it kept their words alone."""
    fields = ("id", "mode", "clients", "switched", "last_s", "bound_s", "limit_s")
    switches = [
        {**{name: case[name] for name in fields}, "late": case["erratum"]}
        for case in old["cases"]
        if case["bound_s"] is not None
    ]
    return msgspec.convert({"switches": switches}, FlagProofDetails)


def dr_cases(old: dict[str, Any]) -> list[CaseResult]:
    """The disasters of ``dr.json``; of its other parts it kept the findings alone."""
    return msgspec.convert([_case(each) for each in old["cases"]], list[CaseResult])


def _case(old: dict[str, Any]) -> dict[str, Any]:
    checks = [{**each, "name": _words(each["name"]), "told": _words(each["told"])} for each in old["checks"]]
    return {**old, "title": _words(old["title"]), "point": _words(old["point"]), "checks": checks}


def _words(text: str) -> dict[str, Any]:
    return {"text": "{words}", "values": {"words": text}}
