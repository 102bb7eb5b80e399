"""The plan of the deploy rehearsal: strict, in its order; a version's command; and the report with every verdict."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from harness.base.clock import NS
from harness.base.errors import BadInput
from harness.checks.invariants import CHECKS, OFF
from harness.model.evidence import Row
from harness.model.judgement import Decision, Verdict
from harness.model.message import message
from harness.model.section import Blocks, Lines, Timeline
from harness.model.stack import Target, Version
from harness.rehearsals.deploy.command import DeployRehearsal
from harness.rehearsals.deploy.plan import PLAN, load
from harness.rehearsals.deploy.rehearsal import REHEARSAL
from harness.rehearsals.deploy.types import DeployPartKind, DeployPlan
from harness.rules.judged import combine
from harness.run.command import Duration
from harness.run.result import judged, sections
from harness.stack.kind.images import recipes
from harness.stack.target.versions import SCRIPT, in_front
from tests.deploys.made import details, one, pod, probe, release
from tests.rehearsal.made import by_id, seen


def test_the_bundled_plan() -> None:
    plan = load()
    names = ["as_written", "never_ready", "errors", "slow", "good", "expand", "breaking"]
    assert [part.name for part in plan.parts] == names
    assert [part.corrected for part in plan.parts] == ["", *["undo"] * 3, *["graceful"] * 3]
    least = {each.least_calls for each in plan.parts if "deploy.rolling.no_downtime" in each.claims}
    assert least == {3000}, "the claim's own number"
    assert [(limit.metric, limit.asks, limit.threshold) for limit in plan.limits] == [
        ("error_ratio", "users", 0.03), ("latency_p95", "users", 600), ("error_ratio", "probes", 0.03),
    ]  # fmt: skip
    errors, slow = plan.parts[2].version, plan.parts[3].version
    assert (errors.error_share, slow.delay_ms) == (0.12, 700)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("kind: release", "kind: releases", "'releases' is none of release, never_ready"),
        ("phase2.cicd", "phase2.cidc", "did you mean"),
        ("limits: rollout_week2", "limits: rollout_week9", "no scenario is called .*did you mean"),
        ("error_share: 12%", "error_share: '12'", "12"),
        ("  back: ALTER", "  # back: ALTER", "needs `breaking` and `back`"),
        ("name: slow", "nam: slow", "nam"),
        ("- name: slow", "- name: errors", "one name"),
        ("  status: 30s", "  watch: 30s", "kind 'never_ready' does not read 'watch'"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tmp_path / "plan.yaml"
    assert old in PLAN.read_text()
    path.write_text(PLAN.read_text().replace(old, new, 1))
    with pytest.raises(BadInput, match=told):
        load(path)


def test_only_names_parts() -> None:
    chosen = DeployRehearsal(only=("errors", "good"), pace=Duration("10s")).planned()
    assert [part.name for part in chosen.parts] == ["errors", "good"]
    assert chosen.scenario.population.pace_s == 10
    with pytest.raises(BadInput, match="is none"):
        DeployRehearsal(only=("better",)).planned()


def test_a_version_s_command() -> None:
    assert in_front(Version(name="good"), ["./api", "-v"], host="127.0.0.1") == ("./api", "-v")
    python, script, asked, *command = in_front(Version(name="bad", error_share=0.12), ["./api"], host="127.0.0.1")
    assert (script, command) == (SCRIPT, ["./api"]) and python
    assert json.loads(asked) == {
        "host": "127.0.0.1", "never_ready": False, "numerator": 3, "denominator": 25, "delay_ms": 0.0,
    }  # fmt: skip


def test_an_image_carries_its_command_and_a_version_lies_on_it(tmp_path: Path) -> None:
    program = tmp_path / "walk-api"
    program.write_bytes(b"\x7fELF")
    wrapped = recipes.target(Target(name="t", command=(str(program), "--quiet"), folder=str(tmp_path)))
    assert wrapped.entrypoint == ("/target/walk-api", "--quiet")
    other = recipes.target(Target(name="t", command=(str(program), "--loud"), folder=str(tmp_path)))
    assert wrapped.tag != other.tag
    good, bad = (
        recipes.version(version, wrapped.tag, wrapped.entrypoint)
        for version in (Version(name="v"), Version(name="v", never_ready=True))
    )
    assert good.base == wrapped.tag and good.tag != bad.tag
    assert good.entrypoint == wrapped.entrypoint and bad.entrypoint[-2:] == wrapped.entrypoint


PODS = [pod(1, "a", "Ready"), pod(12, "n", "Pending"), pod(15, "n", "Ready"), pod(16, "a", "Terminating")]


def versions_of(plan: DeployPlan) -> tuple[str, ...]:
    return tuple(part.version.name for part in plan.parts)


def test_a_part_is_judged_by_details_and_evidence() -> None:
    plan = one(DeployPartKind.RELEASE)
    rows: list[Row] = [*PODS, *(probe(number, 20 * NS + number, good=number != 3) for number in range(20))]
    found = by_id(judged(REHEARSAL, plan, seen(details(release(), versions=versions_of(plan)), rows)))
    whole = {each.id for each in found.values() if not each.part}
    assert whole == {*CHECKS, OFF}, "of a part that was followed there was load"
    found = {name: each for name, each in found.items() if name not in whole}
    assert {each.part for each in found.values()} == {"as_written"}
    assert found["deploy.downtime_without_prestop"].verdict is Verdict.ERRATUM_SHOWN
    assert {*found} == {claim for _, claim in REHEARSAL.claims(plan)}
    assert "1 of 20 requests and probes failed" in found["deploy.downtime_without_prestop"].reason


@pytest.mark.parametrize("origin_ns", [None, 5 * NS])
def test_of_a_run_that_followed_no_part_every_check_has_a_word(origin_ns: int | None) -> None:
    plan = one(DeployPartKind.RELEASE)
    left = msgspec.structs.replace(details(versions=versions_of(plan)), origin_ns=origin_ns)
    found = judged(REHEARSAL, plan, seen(left, ended=False))
    assert {each.id for each in found} >= {*CHECKS, OFF}


def test_parts_of_a_load_whose_begin_is_not_in_evidence_hold() -> None:
    plan = one(DeployPartKind.RELEASE)
    left = msgspec.structs.replace(details(release(), versions=versions_of(plan)), origin_ns=None)
    found = [each for each in judged(REHEARSAL, plan, seen(left, PODS)) if each.part]
    assert found and all(each.holds for each in found)


def test_what_was_not_come_to_is_inconclusive_and_what_cannot_be_made_is_not_exercised() -> None:
    plan = one(DeployPartKind.RELEASE)
    none = by_id(judged(REHEARSAL, plan, seen(details(versions=()))))
    assert {(each.verdict, each.gates) for each in none.values() if each.part} == {(Verdict.NOT_EXERCISED, False)}
    for followed in ((), (release(end_ns=0),), (release(not_steady=message("no pod is ready")),)):
        found = by_id(judged(REHEARSAL, plan, seen(details(*followed, versions=versions_of(plan)), ended=False)))
        assert {each.verdict for each in found.values()} == {Verdict.INCONCLUSIVE}
        assert combine([*found.values()]) is Decision.HOLD
    other = by_id(
        judged(REHEARSAL, plan, seen(details(release(not_applicable="no table"), versions=versions_of(plan))))
    )
    assert "not the contract's: no table" in next(iter(other.values())).reason


def test_what_users_met_and_what_was_run_is_on_the_page() -> None:
    plan = one(DeployPartKind.RELEASE)
    rows: list[Row] = [*PODS, *(probe(number, 20 * NS + number, good=number != 3) for number in range(20))]
    of = seen(details(release(written={"a": 3, "n": 4})), rows)
    course, lines, blocks = REHEARSAL.sections(plan, of)
    assert isinstance(course, Timeline) and isinstance(lines, Lines) and isinstance(blocks, Blocks)
    assert course.part == lines.part == blocks.part == "as_written"
    assert [str(each.title) for each in course.charts] == ["Availability probes"], "no event tells of a revision"
    assert [str(line) for line in lines.lines] == ["rows with the new column: 3 inserted by old pods, 4 by new ones"]
    *_, cost = sections(REHEARSAL, plan, of)  # the seam's own
    assert isinstance(cost, Lines) and cost.part == "as_written"
    assert str(cost.lines[0]).startswith(
        "the deploy: 1 of 20 probes failed, as an outage of 2.0 s: 0.077 % of the month's 43.2 minutes"
    )
    assert (str(blocks.blocks[0].caption), blocks.blocks[0].text) == ("set image ended in 0", "said")
