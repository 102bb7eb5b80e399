"""The plan of the deploy rehearsal: strict, in its order; a version's command; and the report with every verdict."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from harness.model.scaling import Ran, ScalingFinding
from junitparser import JUnitXml

from harness.model.errors import BadInput
from harness.model.stack import Rung, Target, Version
from harness.model.verdict import Verdict
from harness.rehearsals.deploy.command import plan_of
from harness.rehearsals.deploy.plan import PLAN, load
from harness.rehearsals.deploy.report import write_report
from harness.rehearsals.deploy.types import DeployReport, PartResult
from harness.report.language import language
from harness.stack.kind.images import recipes
from harness.stack.versions import SCRIPT, in_front


def test_the_bundled_plan() -> None:
    plan = load()
    names = ["as_written", "good", "never_ready", "errors", "slow", "expand", "breaking"]
    assert [part.name for part in plan.parts] == names
    assert [part.graceful for part in plan.parts] == [False, *[True] * 6]
    assert [(limit.metric, limit.threshold) for limit in plan.limits] == [("error_ratio", 0.03), ("latency_p95", 600)]
    errors, slow = plan.parts[3].version, plan.parts[4].version
    assert (errors.error_share, slow.delay_ms) == (0.12, 700)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("kind: release", "kind: releases", "'releases' is not a valid PartKind"),
        ("phase2.cicd", "phase2.cidc", "did you mean"),
        ("limits: rollout_week2", "limits: rollout_week9", "no scenario"),
        ("error_share: 12%", "error_share: '12'", "12"),
        ("  back: ALTER", "  # back: ALTER", "needs `breaking` and `back`"),
        ("name: slow", "nam: slow", "nam"),
        ("- name: slow", "- name: errors", "one name"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tmp_path / "plan.yaml"
    assert old in PLAN.read_text()
    path.write_text(PLAN.read_text().replace(old, new, 1))
    with pytest.raises(BadInput, match=told):
        load(path)


def test_only_names_parts() -> None:
    chosen = plan_of(argparse.Namespace(plan=None, only=["errors", "good"]))
    assert [part.name for part in chosen.parts] == ["good", "errors"]
    with pytest.raises(BadInput, match="no such part"):
        plan_of(argparse.Namespace(plan=None, only=["better"]))


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


def test_every_verdict_in_every_form(tmp_path: Path) -> None:
    findings = tuple(
        ScalingFinding(claim=f"claim.{verdict}", verdict=verdict, value="1 failed", reason="because <of> it")
        for verdict in Verdict
    )
    part = PartResult(
        name="errors", title="A bad one", manifests="kind-graceful", version=Version(name="bad"), findings=findings,
        ran=(Ran(command="kubectl rollout undo", status=1, output="error: <none>"),), observed=("seen",),
        calls=100, failed=7, bad_s=12.34,
    )  # fmt: skip
    report = DeployReport(
        schema_version=1, run_id="r", title="Deploy", rung=Rung.KIND, target="t", target_bundled=True, seed=1,
        replay="python -m harness deploy_rehearsal", started_utc="2026-11-24T00:00:00Z", exit_status=10,
        parts=(part,), checks=(), timings={}, leaks=("a port",), errors=("broke",),
    )  # fmt: skip
    write_report(tmp_path, report)
    cases = {case.name: case for suite in JUnitXml.fromfile(str(tmp_path / "junit.xml")) for case in suite}
    assert cases["claim.pass"].is_passed and cases["claim.not_exercised"].is_skipped
    assert cases["claim.fail"].is_failure and cases["claim.inconclusive"].is_error
    assert cases["leaks"].is_failure and cases["run"].is_failure
    html, summary = (tmp_path / "report.html").read_text(), (tmp_path / "summary.md").read_text()
    for text in (html, summary):
        assert "12.3 s" in text and "7 of 100" in text and "<of>" not in text.replace("&lt;of>", "")
    assert "error: &lt;none&gt;" in html
    write_report(tmp_path, report, language("ja"))
    assert "不良" in (tmp_path / "summary.md").read_text()
