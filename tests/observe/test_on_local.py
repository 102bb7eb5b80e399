"""A short week on local, observed through a real Prometheus and through its pods' log: the same decision, the same counts."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.base.clock import unix_ns
from harness.base.data import ROOT
from harness.base.errors import Exit
from harness.model.judgement import Decision, Verdict
from harness.model.result import Result
from harness.report.published import RESULT, RESULT_JSON
from harness.stack.kind.images import binaries
from tests.hurried import QUICK_PROBES, hurried
from tests.main_job import Job, closing_connect
from tests.ports import free_port

pytestmark = [pytest.mark.nightly, pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(600)]
WORDS = ("--pace", "14s", "--fetch-interval", "10s", *QUICK_PROBES)
#: A probe's first GET comes before its walk does.
PROBES = {"expected": [404], "log": {"probe_users": "canary*", "only": {"message": "Request"}}}


def week(folder: Path) -> str:
    """Week 3, hurried; users may wait longer than its 500 ms: a machine that others crowd is not what is asked here.
    A log tells probes by their users' names, which lifelike users share."""
    path = Path(hurried(3, folder))
    text = path.read_text()
    assert "500ms" in text
    path.write_text(text.replace("500ms", "5s").replace("lifelike: true", "lifelike: false"))
    return str(path)


def target(folder: Path, lie: str) -> Path:
    asyncio.run(binaries.ensure(binaries.PROMETHEUS, print, only=("prometheus",)))  # before anything is under way
    path, program = folder / "target.yaml", str(ROOT / "tests" / "lying_target.py")
    told = {"name": "told", "command": [sys.executable, program], "folder": str(ROOT), "migrations": "bundled",
            "program": [program, str(ROOT / "api")], "environment": {"HOST": "127.0.0.1", "TEST_LIE": lie}}  # fmt: skip
    path.write_text(json.dumps(told))
    (folder / "mapping.yaml").write_text(json.dumps(PROBES))
    return path


def pods(job: Job, limit_s: float = 180) -> list[str]:
    """Where the pods of the run serve their metrics, once there are two."""
    until, found = time.monotonic() + limit_s, set[str]()
    while len(found) < 2 and time.monotonic() < until:
        assert job.process.poll() is None, job.text
        time.sleep(0.5)
        if not job.reports.exists():
            continue
        for process in psutil.process_iter():
            try:
                told = process.environ()
            except psutil.Error:
                continue
            if told.get("METRICS_PORT", "0") != "0" and told.get("TEKUTOKO_RUN_ID") in job.run_ids:
                found.add(f"127.0.0.1:{told['METRICS_PORT']}")
    return sorted(found)


@contextmanager
def prometheus(folder: Path, found: list[str]) -> Iterator[str]:
    """A Prometheus that scrapes them every second; its URL."""
    folder.mkdir()
    scraped = [{"job_name": "tekutoko-api", "static_configs": [{"targets": found}]}]
    (config := folder / "prometheus.yaml").write_text(
        json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": scraped})
    )
    port = free_port()
    words = [
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([binaries.PROMETHEUS.folder() / "prometheus", *words], stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def observing(reports: Path, scenario: str, *words: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "harness", "observe", scenario, "--reports", str(reports), *words]
    return subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(process: subprocess.Popen[str], reports: Path, limit_s: float = 120) -> tuple[int, Result]:
    said, _ = process.communicate(timeout=limit_s)
    results = [*reports.glob(f"*/{RESULT_JSON}")]
    assert len(results) == 1, said
    return process.returncode, RESULT.read(results[0])


def moment(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9, tz=UTC).isoformat()


_IN_WINDOW = "SELECT done_ns, sent_ns FROM requests WHERE side = 'api' AND due_ns >= (SELECT min(due_ns) FROM probes)"


def asked(job: Job) -> tuple[list[int], list[float], int]:
    """When each request to the API and each probe was answered (ns since 1970), the milliseconds that requests took on
    the phone, and how many probes there were."""
    anchor = job.result().facts.anchor
    with closing_connect(job.folder / "evidence.sqlite") as evidence:
        rows = evidence.execute(_IN_WINDOW).fetchall()
        probes = [done for (done,) in evidence.execute("SELECT done_ns FROM probes")]
    times = sorted(unix_ns(anchor, done) for done in (*(done for done, _ in rows), *probes))
    return times, sorted((done - sent) / 1e6 for done, sent in rows), len(probes)


def found(result: Result) -> dict[str, Any]:
    return {each.id: each for each in result.judgements}


def test_a_week_is_observed_by_both_as_it_judged_itself(tmp_path: Path) -> None:
    scenario = week(tmp_path)
    words = ("--target", str(target(tmp_path, "told")), "--window", "42s", *WORDS)
    job = Job(tmp_path / "reports", *words, scenario=scenario)
    with prometheus(tmp_path / "prometheus", pods(job)) as url:
        assert job.finish() == Exit.OK, job.text
        times, took, probed = asked(job)
        # What users wrote before the window ended long before it, and the checks' own requests come long after it.
        begin, end = moment(times[0] - 10**9), moment(times[-1] + 10**9)
        mapped = ("--mapping", str(tmp_path / "mapping.yaml"))
        stretch = ("--begin", begin, "--end", end, "--beside", str(job.folder), *mapped)
        by_log = observing(tmp_path / "log", scenario, str(job.folder / "logs"), "--from", "log", *stretch)
        by_counters = observing(tmp_path / "counters", scenario, url, "--from", "prometheus", *stretch)
        of_log, of_counters = ended(by_log, tmp_path / "log"), ended(by_counters, tmp_path / "counters")
    assert job.result().decision is Decision.ADVANCE
    for status, result in (of_log, of_counters):
        assert (status, result.decision) == (Exit.OK, Decision.ADVANCE)
        assert "rehearsed: pass" in str(found(result)["success.error_ratio"].notes[0])
    errors, probes = (found(of_log[1])[name] for name in ("success.error_ratio", "success.availability"))
    assert (errors.samples, errors.value) == (len(took), 0.0), "each request of a user, and no other"
    assert (probes.samples, probes.value, probes.verdict) == (probed, 1.0, Verdict.PASS)
    assert found(of_log[1])["success.concurrent_users"].value == 250
    counted = found(of_counters[1])["success.error_ratio"]
    assert counted.value == 0.0
    assert counted.samples == pytest.approx(len(took) + probed, abs=60), "but for what came before the first scrape"
    logged, told = (found(each[1])["success.latency_p95"] for each in (of_log, of_counters))
    low, high = (float(word) for word in str(told.told[0]).removesuffix(" ms").split(" between ")[1].split(" ms and "))
    assert logged.value is not None and logged.value <= took[round(0.95 * len(took))], "the phone waits longer"
    assert low < high == pytest.approx(told.value)


def test_planted_errors_end_both_within_30_s_of_the_week_s_own_roll_back(tmp_path: Path) -> None:
    scenario = week(tmp_path)
    job = Job(tmp_path / "reports", "--target", str(target(tmp_path, "errors")), *WORDS, scenario=scenario)
    with prometheus(tmp_path / "prometheus", pods(job)) as url:
        mapped = ("--mapping", str(tmp_path / "mapping.yaml"), "--follow")
        by_log = observing(tmp_path / "log", scenario, str(job.folder / "logs"), "--from", "log", *mapped)
        by_counters = observing(tmp_path / "counters", scenario, url, "--from", "prometheus", "--follow")
        assert job.finish() == Exit.ROLLED_BACK, job.text
        of_log, of_counters = ended(by_log, tmp_path / "log", 40), ended(by_counters, tmp_path / "counters", 40)
    run = job.result()
    own = min(unix_ns(run.facts.anchor, each.fired_at_ns) for each in run.judgements if each.fired and each.fired_at_ns)
    for status, result in (of_log, of_counters):
        assert status == Exit.ROLLED_BACK
        at = datetime.fromisoformat(result.facts.started_utc).timestamp()
        assert at < own / 1e9 + 30
        value = found(result)["rollback.availability.users"].value
        assert value == pytest.approx(0.88, abs=0.06)
