"""The two halves of the rolling update, and the manifests that make the difference."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.manifests import load
from harness.manifests.honour import not_honoured_by_processes
from harness.model.stack import Rung
from harness.model.verdict import Verdict
from harness.rehearsals.chaos.rolling import LEAST_CALLS, halves, text
from harness.rehearsals.chaos.types import ChaosReport, CheckSummary, ExperimentResult

OVERLAYS = Path(__file__).resolve().parents[2] / "deploy/kubernetes/overlays"


def test_as_written_is_measured_and_graceful_must_lose_nothing() -> None:
    (plain, measured), (graceful, strict) = halves(2, LEAST_CALLS)
    assert (plain, graceful) == ("", "-graceful")
    assert [each.expects.most_failed for each in measured] == [1.0, 1.0]
    assert [each.expects.most_failed for each in strict] == [0.0, 0.0]
    assert sum(each.expects.least_calls for each in strict) == LEAST_CALLS


@pytest.mark.parametrize("rung", ["local", "kind"])
def test_graceful_waits_and_keeps_the_sidecar_to_the_end(rung: str) -> None:
    plain, graceful = (load(OVERLAYS / f"{rung}{suffix}").deployment.template for suffix in ("", "-graceful"))
    assert [(c.name, c.pre_stop_s, c.native_sidecar) for c in plain.containers] == [
        ("api", 0, False),
        ("cloud-sql-proxy", 0, False),
    ]
    assert [(c.name, c.pre_stop_s, c.native_sidecar) for c in graceful.containers] == [
        ("api", 5, False),
        ("cloud-sql-proxy", 0, True),
    ]
    assert plain.digest != graceful.digest
    # An autoscaler's percentage is of the same sum.
    assert sum(c.request_cpu_m or 0 for c in plain.containers) == sum(c.request_cpu_m or 0 for c in graceful.containers)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("value: Always", "value: OnFailure", "init container cloud-sql-proxy: it is not run"),
        ("sleep: {seconds: 5}", "exec: {command: [sleep, '5']}", "preStop of container api: only a sleep is kept"),
    ],
)
def test_what_the_rehearsals_own_pods_cannot_do_is_said(tmp_path: Path, before: str, after: str, words: str) -> None:
    shutil.copytree(OVERLAYS.parent, tmp_path / "kubernetes")
    changed = 0
    for path in (tmp_path / "kubernetes/components/graceful/patches").iterdir():
        changed += before in path.read_text()
        path.write_text(path.read_text().replace(before, after))
    assert changed == 1
    said = not_honoured_by_processes(load(tmp_path / "kubernetes/overlays/local-graceful"))
    assert any(words in line for line in said), said


def test_both_halves_are_told_side_by_side() -> None:
    def report(failed: int, verdict: Verdict) -> ChaosReport:
        result = ExperimentResult(
            number=1, name="rolling_update", title="t", verdict=verdict, reason="why", calls=3000, failed=failed
        )
        return ChaosReport(
            schema_version=1, run_id="r", rung=Rung.LOCAL, target="t", target_bundled=True, seed=1, replay="", started_utc="",
            exit_status=0, drawn=(), experiments=(result,), timings={}, checks=(
                CheckSummary(name="dual_write.documents", verdict=verdict, detail="so many stale"),
            ),
        )  # fmt: skip

    told = text({"local": report(216, Verdict.PASS), "local-graceful": report(1, Verdict.FAIL)})
    assert told.count("dual_write.documents: fail: so many stale") == 1  # what passed is not told
    assert "216 of 3000" in told and "1 of 3000 requests and probes failed: fail" in told
