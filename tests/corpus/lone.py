"""The runs of before that rest on their details alone: ``mirror_stop.json``, ``conformance.json``, ``flag_proof.json``."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from harness.base import planfile
from harness.contract.run import CheckRun
from harness.rehearsals.conformance.types import ConformanceDetails, ConformancePlan, Extra, Fuzz
from harness.rehearsals.conformance.types import TargetFacts as Target
from harness.rehearsals.flag_proof.types import FlagPlan, FlagProofDetails
from harness.rehearsals.mirror_stop.types import MirrorStopDetails, MirrorStopPlan
from tests.corpus import again
from tests.corpus.again import Again, Json


def mirror_stop(run: str) -> Again:
    """The pod and the steps."""
    old = again.document(run)
    kept = {"killed_pod": old["killed_pod"], "steps": old["steps"]}
    step = re.search(r"--step (\d+)s", old["replay"])
    plan = MirrorStopPlan(
        step_s=float(step[1]) if step else 30.0, shares_percent=tuple(each["share_percent"] for each in old["steps"])
    )
    return Again("mirror_stop", plan, again.seen(run, msgspec.convert(kept, MirrorStopDetails)))


def conformance(run: str) -> Again:
    """The checks as they ran."""
    old = again.document(run)
    details = ConformanceDetails(
        target=msgspec.convert(old["target"], Target),
        checks=msgspec.convert([_check(each) for each in old["checks"]], list[CheckRun]),
        extras=msgspec.convert(old["extras"], list[Extra]),
        fuzz=msgspec.convert(old["fuzz"], Fuzz | None),
    )
    fuzz = re.search(r"--fuzz (\d+)", old["replay"])
    return Again("conformance", ConformancePlan(fuzz_s=int(fuzz[1]) if fuzz else 0), again.seen(run, details))


def _check(old: Json) -> Json:
    kept = {name: old[name] for name in ("id", "sentence", "source", "curl", "request_file", "decided", "allowed")}
    kept["seconds"] = old["duration_s"]
    if old["outcome"] in ("deviation", "advice"):
        kept["deviation"] = {name: old[name] for name in ("expected", "got", "grade", "finding")}
    elif old["outcome"] == "not_exercised":
        [kept["lacking"]] = again.words(old["reason"])
    elif old["outcome"] == "measurement_error":
        kept["broken"] = old["reason"]
    return kept


def flag_proof(run: str) -> Again:
    """The switches; of stories and walks nothing is stored."""
    old = again.document(run)
    fields = ("id", "mode", "clients", "switched", "last_s", "bound_s", "limit_s")
    switches = [
        {**{name: case[name] for name in fields}, "late": case["erratum"]}
        for case in old["cases"]
        if case["bound_s"] is not None
    ]
    plan = msgspec.structs.replace(
        planfile.bundled("flag_proof", FlagPlan), virtual_only="--virtual-only" in old["replay"]
    )
    return Again("flag_proof", plan, again.seen(run, msgspec.convert({"switches": switches}, FlagProofDetails)))


RUNS: dict[str, Callable[[str], Again]] = {
    "mirror_stop_all_kinds": mirror_stop,
    "mirror_stop_steps": mirror_stop,
    "conformance_another_target": conformance,
    "conformance_deviations": conformance,
    "conformance_interrupted": conformance,
    "conformance_not_started": conformance,
    "conformance_whole": conformance,
    "conformance_without_routes": conformance,
    "flag_proof_virtual": flag_proof,
    "flag_proof_words": flag_proof,
}
