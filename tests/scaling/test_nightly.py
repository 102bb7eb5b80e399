"""The autoscaler under memory, by the p95, and the loss of a zone on a real cluster, as a person runs them: nox -s nightly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.base.errors import Exit
from harness.checks.walk_results import READS
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.stack import EnvironmentKind
from harness.rehearsals.scaling.rehearsal import REHEARSAL
from tests.main_job import Job, left_since, machine_state
from tests.rehearsal.made import by_id, judged_again, result_in
from tests.session.needs import needs_docker

pytestmark = [pytest.mark.kind, pytest.mark.nightly, pytest.mark.timeout(1800, func_only=True), needs_docker]
LIMIT_S = 1700

#: Two pods that hold memory ask for four; what comes after it needs the five minutes of stabilisation.
MEMORY = """
title: Memory for a short time
parts:
- {name: memory, kind: hpa, title: Memory, claims: [scaling.hpa.memory], low: 2, high: 4, hold: 85%, held: 2,
   load: 120s, wait: 1s}
"""


#: Up to four pods and no wait for the five minutes of stabilisation.
LATENCY = """
title: Slow answers for a short time
parts:
- {name: latency, kind: hpa_latency, title: Slow answers, component: latency, low: 2, high: 4, pods: 6, rate: 2/s,
   claims: [manifest.hpa.external, manifest.hpa.latency_of_the_database], needs: [external_metrics],
   delay: 900ms, load: 240s, up_within: 180s, wait: 1s}
"""


def judgements(job: Job) -> dict[str, Judgement]:
    result = result_in(job.folder)
    assert result.facts.leaks == () and judged_again(REHEARSAL, job.folder) == result.judgements
    return by_id(result.judgements)


def test_memory_alone_asks_for_what_the_rule_says(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(MEMORY)
    before = machine_state()
    job = Job(
        tmp_path / "reports", "--plan", str(tmp_path / "plan.yaml"), command=("scaling",), on=EnvironmentKind.KIND
    )
    assert job.finish(LIMIT_S) == Exit.OK, job.text
    told = judgements(job)["scaling.hpa.memory"]
    assert (told.verdict, told.limit, told.value) == (Verdict.PASS, 2, 4), told
    assert re.search(r"\b([1-9]\d*) of \1 percentages are of both containers' requests", told.reason), told
    assert left_since(before, job) == {}


def test_the_p95_alone_asks_for_pods_that_cure_nothing(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(LATENCY)
    before = machine_state()
    job = Job(
        tmp_path / "reports", "--plan", str(tmp_path / "plan.yaml"), command=("scaling",), on=EnvironmentKind.KIND
    )
    assert job.finish(LIMIT_S) == Exit.OK, job.text
    told = judgements(job)
    external = told["manifest.hpa.external"]
    assert external.verdict is Verdict.PASS and "to the first further pod that is ready" in external.reason, external
    assert told["manifest.hpa.latency_of_the_database"].verdict is Verdict.ERRATUM_SHOWN
    assert "Starting" in (job.folder / "logs" / "prometheus-adapter.log").read_text()
    assert left_since(before, job) == {}


def test_a_lost_zone_is_survived_with_topology_spread(tmp_path: Path) -> None:
    before = machine_state()
    words = ("--only", "spread")
    job = Job(tmp_path / "reports", *words, command=("zone_loss",), on=EnvironmentKind.KIND)
    assert job.finish(LIMIT_S) == Exit.OK, job.text
    told = judgements(job)
    assert told.pop(READS).verdict is Verdict.NOT_EXERCISED  # its users write, and are gone
    assert {each.verdict for each in told.values() if each.kind is not Kind.OBSERVATION} == {Verdict.PASS}
    assert "pods given up after" in told["checklist.availability.multi_zone"].reason
    assert left_since(before, job) == {}
