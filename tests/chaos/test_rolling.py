"""The two halves of the rolling update, and the manifests that make the difference."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.rehearsals.chaos.rolling import LEAST_CALLS, plan_of
from harness.run.scenarios.load import load as load_scenario
from harness.stack.manifests import load
from harness.stack.manifests.unsupported_features import not_honoured_by_processes

OVERLAYS = Path(__file__).resolve().parents[2] / "deploy/kubernetes/overlays"


def test_as_written_is_measured_and_graceful_must_lose_nothing() -> None:
    plan = plan_of(load_scenario("rollout_week4"), times=2, least=LEAST_CALLS)
    assert [(each.part, each.graceful) for each in plan.experiments] == [("as_written", False)] * 2 + [
        ("graceful", True)
    ] * 2
    expects = [each.experiment.expects for each in plan.experiments]
    assert [each.most_failed for each in expects] == [1.0, 1.0, 0.0, 0.0]
    assert sum(each.least_calls for each in expects[2:]) == LEAST_CALLS
    assert {each.erratum for each in expects[:2]} == {"deploy.downtime_without_prestop"}
    assert plan.names == ["rolling_update.1", "rolling_update.2"] * 2


@pytest.mark.parametrize("rung", ["local", "kind"])
def test_graceful_waits_and_keeps_the_sidecar_to_the_end(rung: str) -> None:
    plain, graceful = (load(OVERLAYS / f"{rung}{suffix}").deployment.template for suffix in ("", "-graceful"))
    assert plain.proxy_stops_at_once and not graceful.proxy_stops_at_once
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


@pytest.mark.process
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
    assert any(words in str(line) for line in said), said
