"""Load from pods of the cluster, as a person asks for it; the machine is looked at afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.base.errors import Exit
from harness.model.judgement import Decision
from harness.model.stack import EnvironmentKind
from harness.stack.kind.record import Cluster
from tests.hurried import hurried
from tests.kind.in_docker import finished, kubectl, left_in_docker, volumes_of
from tests.main_job import Job, closing_connect, left_since, machine_state
from tests.session.needs import needs_docker

pytestmark = [pytest.mark.kind, pytest.mark.slow, pytest.mark.timeout(1800, func_only=True), needs_docker]
LIMIT_S = 1700  # the first run of a machine builds its images
FROM_TWO_PODS = ("--load-from", "cluster", "--workers", "2")


@pytest.mark.nightly  # per push week 3 advances on the cluster by load from outside, and a pod of the load is lost
@pytest.mark.usefixtures("kind_cluster")
def test_week_3_advances_by_users_in_two_pods(tmp_path: Path) -> None:
    before = machine_state()
    words = ("--window", "60s", "--pace", "30s", *FROM_TWO_PODS)
    job = Job(tmp_path / "reports", *words, scenario=hurried(3, tmp_path, times=2), on=EnvironmentKind.KIND)
    status, volumes = finished(job, LIMIT_S)
    assert status == Exit.OK, job.text
    run = job.result()
    assert (run.decision, run.facts.leaks) == (Decision.ADVANCE, ())
    with closing_connect(job.folder / "evidence.sqlite") as evidence:
        of_clocks = "SELECT data FROM events WHERE subject LIKE 'pod/rehearsal-load-%' AND kind = 'component'"
        clocks = [json.loads(data) for (data,) in evidence.execute(of_clocks)]
        users = {user for (user,) in evidence.execute("SELECT DISTINCT user FROM requests")}
    assert [(each["ahead_ns"], each["doubt_ns"]) for each in clocks] == [(0, 0)] * 2
    assert len(users) == 500
    assert left_since(before, job) == {}
    assert left_in_docker(job.folder.name, volumes) == set()


def test_a_lost_pod_of_the_load_is_a_part_that_died(tmp_path: Path, kind_cluster: Cluster) -> None:
    before = machine_state()
    job = Job(
        tmp_path / "reports", "--only", "capacity", *FROM_TWO_PODS, command=("load_stages",), on=EnvironmentKind.KIND
    )
    job.wait_for("capacity, 2 pods", limit_s=LIMIT_S)
    volumes = volumes_of(job.folder.name)
    words = ("get", "pods", "--all-namespaces", "--output=json", "--selector=job-name=rehearsal-load")
    pods = [each["metadata"] for each in json.loads(kubectl(kind_cluster, *words))["items"]]
    (namespace,) = {each["namespace"] for each in pods}
    lost = next(each["name"] for each in pods if each["name"].startswith("rehearsal-load-1-"))
    kubectl(kind_cluster, "delete", "pod", lost, f"--namespace={namespace}", "--grace-period=0", "--force")
    assert job.finish(120) == Exit.RUN_BROKEN, job.text
    assert f"the pod {lost}, which makes load, is gone" in job.text
    assert job.result().facts.leaks == ()
    assert namespace not in kubectl(kind_cluster, "get", "namespaces")
    assert left_since(before, job) == {}
    assert left_in_docker(job.folder.name, volumes) == set()
