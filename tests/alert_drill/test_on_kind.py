"""The whole drill on a real cluster, as a person runs it: nox -s nightly."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.model.judgement import Verdict
from harness.model.stack import EnvironmentKind
from harness.rehearsals.alert_drill.rehearsal import REHEARSAL
from harness.run.result import details_of
from tests.kind.in_docker import finished, left_in_docker
from tests.main_job import Job, left_since, machine_state
from tests.rehearsal.made import by_id, judged_again, result_in, status_of
from tests.session.needs import needs_docker

pytestmark = [pytest.mark.kind, pytest.mark.nightly, pytest.mark.timeout(2700, func_only=True), needs_docker]
LIMIT_S = 2600  # the first run of a machine builds Prometheus and Alertmanager
#: What a busy machine does not keep from passing: it may make breaches that were to be too small large enough.
PASSES = (
    "scrape.target", "scrape.sidecars", "alert.error_ratio.fires", "alert.error_ratio.routes", "alert.availability.fires",
    "alert.latency_p95.routes", "alert.route.slack", "alert.route.email", "alert.route.pagerduty",
)  # fmt: skip


@pytest.mark.usefixtures("kind_cluster")
def test_the_drill_on_a_cluster_scrapes_targets_and_sidecars(tmp_path: Path) -> None:
    before = machine_state()
    job = Job(tmp_path / "reports", command=("alert_drill",), on=EnvironmentKind.KIND)
    status, volumes = finished(job, LIMIT_S)
    result = result_in(job.folder)
    assert status == result.exit_status == status_of(result), job.text
    assert result.facts.leaks == () and result.facts.errors == ()
    found = by_id(result.judgements)
    assert {name: found[name].verdict for name in PASSES} == dict.fromkeys(PASSES, Verdict.PASS)
    assert judged_again(REHEARSAL, job.folder) == result.judgements
    details = details_of(REHEARSAL, result)
    assert details.sidecars is not None and details.scraped is not None and details.sidecars >= details.scraped >= 2
    assert "http_requests_total" in details.emitted
    config = (job.folder / "monitoring" / "prometheus.yaml").read_text()
    assert "BEGIN" not in config and "cert_file" in config
    left = [
        line.partition(": ")[2] for line in config.splitlines() if line.strip().startswith(("ca_", "cert_", "key_"))
    ]
    assert left and not [file for file in left if Path(file).exists()], "the run's certificate goes with it"
    assert left_since(before, job) == {}
    assert left_in_docker(result.run_id, volumes) == set()
