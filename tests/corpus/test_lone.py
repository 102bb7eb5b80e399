"""Runs of mirror_stop, conformance, flag_proof and dr_restore from before, judged by today's code: the verdicts of then."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from harness.model.judgement import Judgement, Kind
from harness.rehearsals.conformance.judge import judged as conformance_judged
from harness.rehearsals.conformance.types import ConformancePlan
from harness.rehearsals.dr_restore import plan as dr_plan
from harness.rehearsals.dr_restore.judge_losses import rpo
from harness.rehearsals.flag_proof import plan as flag_plan
from harness.rehearsals.flag_proof.judge import judged as flag_judged
from harness.rehearsals.mirror_stop.judge import judged as mirror_judged
from tests.corpus import facts, lone


def read(run: str, name: str) -> Any:
    return json.loads((facts.RUNS / run / name).read_text())


def stored(run: str) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in read(run, "facts.json")["judgements"]}


def same(found: list[Judgement], old: dict[str, dict[str, Any]]) -> None:
    assert found
    for each in found:
        assert (each.id, str(each.verdict)) == (each.id, old[each.id]["verdict"])


@pytest.mark.parametrize("run", ["mirror_stop_steps", "mirror_stop_all_kinds"])
def test_the_mirror(run: str) -> None:
    old, found = stored(run), [*mirror_judged(lone.mirror_stop(read(run, "mirror_stop.json")))]
    assert {each.id for each in found} == old.keys()
    same(found, old)
    assert [each.reason for each in found] == [old[each.id]["reason"] for each in found]


CONFORMANCE = [
    "conformance_another_target",
    "conformance_deviations",
    "conformance_interrupted",
    "conformance_not_started",
    "conformance_whole",
    "conformance_without_routes",
]


@pytest.mark.parametrize("run", CONFORMANCE)
def test_conformance(run: str) -> None:
    document = read(run, "conformance.json")
    details = lone.conformance(document)
    made = [each["id"] for each in document["checks"]]
    found, old = [*conformance_judged(ConformancePlan(), details, made)], stored(run)
    assert [each.id for each in found] == made
    if found:
        same(found, old)
    advice = {each["id"] for each in document["checks"] if each["outcome"] == "advice"}
    assert {each.id for each in found if each.kind is Kind.OBSERVATION} == advice
    held = {each["id"] for each in document["checks"] if each["outcome"] not in ("passed", "advice")}
    held -= {each["id"] for each in document["checks"] if each["allowed"]}
    assert {each.id for each in found if each.holds} == held


def test_the_flag() -> None:
    old = stored("flag_proof_virtual")
    details = lone.flag_proof(read("flag_proof_virtual", "flag_proof.json"))
    plan = msgspec.structs.replace(flag_plan.load(), virtual_only=True)
    found = [*flag_judged(plan, details)]
    same(found, old)
    for each in found:
        assert (each.value, each.limit, each.reason) == (
            old[each.id]["value"],
            old[each.id]["limit"],
            old[each.id]["reason"],
        )


@pytest.mark.parametrize("run", ["dr_restore_disasters", "dr_restore_all_kinds", "dr_restore_interrupted"])
def test_disasters(run: str) -> None:
    document, old = read(run, "dr.json"), stored(run)
    found = [*rpo(dr_plan.load(), lone.dr_cases(document))]
    same(found, old)
    for each in found:
        assert (each.value, each.bound, each.limit) == tuple(old[each.id][name] for name in ("value", "bound", "limit"))
        assert each.reason in old[each.id]["reason"]  # another PostgreSQL than 15 stood in it, too
